"""Files that appear whole or not at all, and what to say where a disk takes none."""

import errno
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clothseg.images.file_names import temporary_beside


if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = {".jpg": "JPEG", ".png": "PNG"}

LEFT_SECONDS = 3600
"""A file being built that has not grown for so long has been left by a process that was killed."""

_BUILDING = re.compile(r"\.[0-9a-f]{32}\..+", re.DOTALL)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a path to write to in place of `path`, which is put there when all went well.

    A reader never sees half a file, and a writer that fails or is killed leaves what was there before.
    """
    # Not tempfile: its files are readable by their owner alone, and would stay so. The suffix tells Pillow the format.
    temporary = temporary_beside(path, uuid.uuid4().hex)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def clear_leftovers(folder: Path, *, deep: bool = False) -> None:
    """Remove what processes have left in a folder that were killed while they wrote in it by `atomic_path`.

    Args:
        folder: need not exist.
        deep: also in the folders below.
    """
    for base, folders, names in os.walk(folder):
        for name in filter(_BUILDING.fullmatch, names):
            path = Path(base, name)
            with suppress(OSError):  # another process was quicker, or the folder can only be read
                if time.time() - path.lstat().st_mtime > LEFT_SECONDS:
                    path.unlink()
        if not deep:
            folders.clear()


def save_picture(picture: "Image.Image", path: Path, **options: Any) -> None:
    """Encode a picture and write it whole; the format is that of the path's suffix, `options` are of Pillow's `save`.

    Pillow itself does not notice that a nearly full disk takes only a part of the last 64 KB.
    """
    data = encoded(picture, SUFFIXES[path.suffix.lower()], **options)
    with atomic_path(path) as building:
        building.write_bytes(data)


def encoded(picture: "Image.Image", file_format: str, **options: Any) -> bytes:
    """The bytes of a picture's file; its resolution, `info["dpi"]`, goes into that, which Pillow leaves out."""
    stream = BytesIO()
    resolution = {"dpi": picture.info["dpi"]} if "dpi" in picture.info else {}
    picture.save(stream, file_format, **resolution, **options)
    return stream.getvalue()


_TROUBLE = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the disk quota is used up: make room",
    errno.EFBIG: "a file would be larger than is allowed here: raise the limit (ulimit -f)",
    errno.EROFS: "the disk is read-only: write elsewhere",
    errno.EACCES: "this user may not write there: write elsewhere, or change the permissions",
    errno.EPERM: "this user may not write there: write elsewhere, or change the permissions",
}


def disk_trouble(error: OSError) -> str | None:
    """A sentence on an error of a disk that takes no file, with the cure; None for an error of another kind."""
    why = _TROUBLE.get(error.errno or 0)
    if why is None:
        return None
    where = f"{error.filename2 or error.filename} could not be written" if error.filename else "Writing failed"
    return f"{where}: {why}. What was there before is untouched."
