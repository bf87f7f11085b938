"""Write files completely or not at all, and explain errors of the disk."""

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
"""Age in seconds after which an unchanged temporary file counts as left by a killed process."""

_BUILDING = re.compile(r"\.[0-9a-f]{32}\..+", re.DOTALL)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path; when the context ends without an error, the file is moved to `path`.

    Readers never see an incomplete file, and a writer that fails or is killed leaves the previous file unchanged.
    """
    # Not tempfile, whose files stay readable only by their owner. The suffix tells Pillow the format.
    temporary = temporary_beside(path, uuid.uuid4().hex)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def clear_leftovers(folder: Path, *, deep: bool = False) -> None:
    """Remove temporary files of `atomic_path` that killed processes have left in a folder.

    Args:
        folder: may be missing.
        deep: also clean the folders below.
    """
    for base, folders, names in os.walk(folder):
        for name in filter(_BUILDING.fullmatch, names):
            path = Path(base, name)
            with suppress(OSError):  # another process came first, or the folder is read-only
                if time.time() - path.lstat().st_mtime > LEFT_SECONDS:
                    path.unlink()
        if not deep:
            folders.clear()


def save_picture(picture: "Image.Image", path: Path, **options: Any) -> None:
    """Encode a picture and write the file atomically. The suffix of the path gives the format; `options` are those of
    `encoded`.

    Pillow alone does not notice when a nearly full disk takes only part of the last 64 KB.
    """
    data = encoded(picture, SUFFIXES[path.suffix.lower()], **options)
    with atomic_path(path) as building:
        building.write_bytes(data)


def encoded(picture: "Image.Image", file_format: str, **options: Any) -> bytes:
    """Return the bytes of a picture's file, including its resolution `info["dpi"]`, which Pillow leaves out.

    PNG files without `options` are made by `png_file.encode_png` if it can; all others by Pillow's `save`, with the
    options.
    """
    from clothseg.images.png_file import COLOR_TYPES, encode_png

    if file_format == "PNG" and not options and picture.mode in COLOR_TYPES and "transparency" not in picture.info:
        return encode_png(picture)
    stream = BytesIO()
    resolution = {"dpi": picture.info["dpi"]} if "dpi" in picture.info else {}
    picture.save(stream, file_format, **resolution, **options)
    return stream.getvalue()


_TROUBLE = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.EFBIG: "a file would exceed the size limit: raise the limit (ulimit -f)",
    errno.EROFS: "the disk is read-only: write elsewhere",
    errno.EACCES: "this user may not write there: write elsewhere, or change the permissions",
    errno.EPERM: "this user may not write there: write elsewhere, or change the permissions",
}


def disk_trouble(error: OSError) -> str | None:
    """Return a sentence on an error of a disk that cannot be written to, with the remedy; None for other errors."""
    why = _TROUBLE.get(error.errno or 0)
    if why is None:
        return None
    where = f"{error.filename2 or error.filename} could not be written" if error.filename else "Writing failed"
    return f"{where}: {why}. Earlier files are unchanged."
