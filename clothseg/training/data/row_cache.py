"""Cache the results of inspecting a data set's rows on disk, keyed by the rows' content.

Decoding ATR's 17,706 rows takes minutes on all cores. Other runs, resumed runs and the other processes of a run would
get the same results.
"""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from datasets import Dataset

from clothseg.images.disk_cache import cache_folder, find_entry, new_entry
from clothseg.images.image_file import pixel_limit
from clothseg.training.data.mask_classes import ATR_MASKS, MaskClasses


_FILE = "found.npz"
_CODE = Path(__file__).parents[2]
_DEPENDS_ON = (
    "training/data/decoding.py",
    "training/data/inspection.py",
    "training/data/duplicates.py",
    "training/data/mask_classes.py",
    "training/data/mask_encoding.py",
    "images/decode.py",
    "images/image_file.py",
    "labels/label_set.py",
)
_PACKAGES = ("pillow", "scipy", "numpy")


def rows_key(rows: Dataset, classes: MaskClasses = ATR_MASKS) -> str:
    """Return a key of everything that an inspection of these rows depends on: pictures, our code, decoders.

    Args:
        rows: undecoded rows with `image` and `mask`. A picture in a file of its own is identified by path, size and
            time of the last change.
        classes: the classes of the masks.
    """
    digest = hashlib.sha256(str(pixel_limit()).encode())
    for package in _PACKAGES:
        digest.update(f"{package} {version(package)}\n".encode())
    for name in _DEPENDS_ON:
        digest.update((_CODE / name).read_bytes())
    digest.update(classes.key)
    for batch in rows.select_columns(["image", "mask"]).iter(256):
        for stored in (picture for pair in zip(batch["image"], batch["mask"], strict=True) for picture in pair):
            digest.update(_content(stored))
    return digest.hexdigest()[:32]


def _content(stored: dict[str, Any] | None) -> bytes:
    """Return bytes that identify a picture, with their length in front, so that the bytes of two rows cannot be
    confused."""
    if not stored or not (stored["bytes"] or stored["path"]):
        return b"none\n"
    if stored["bytes"]:
        return b"%d\n" % len(stored["bytes"]) + stored["bytes"]
    try:
        found = os.stat(stored["path"])
        return f"{stored['path']} {found.st_size} {found.st_mtime_ns}\n".encode()
    except OSError:
        return f"{stored['path']} missing\n".encode()


def cached_inspection(
    rows: Dataset, inspect: Callable[[], dict[str, Any]], classes: MaskClasses = ATR_MASKS
) -> dict[str, Any]:
    """Return the results of `inspect(rows)`, from the cache if the same rows were inspected before.

    If the cache cannot be read or written, the rows are inspected again.

    Args:
        rows: as for `rows_key`.
        inspect: returns named arrays, and texts by row number.
        classes: the classes of the masks.
    """
    entry, what = cache_folder() / "rows" / rows_key(rows, classes), "check of the rows"
    found = find_entry(entry, _read, what)
    if found is None:
        found = inspect()
        with suppress(OSError), new_entry(entry, what) as folder:  # if the disk is full, the next run inspects again
            _write(folder, found)
    return found


def _write(folder: Path, found: dict[str, Any]) -> None:
    arrays: dict[str, Any] = {
        name: value if isinstance(value, np.ndarray) else json.dumps(value) for name, value in found.items()
    }
    np.savez_compressed(folder / _FILE, **arrays)


def _read(folder: Path) -> dict[str, Any]:
    with np.load(folder / _FILE, allow_pickle=False) as stored:
        return {name: _texts(stored[name]) if stored[name].dtype.kind == "U" else stored[name] for name in stored}


def _texts(stored: npt.NDArray[Any]) -> dict[int, str]:
    return {int(row): text for row, text in json.loads(str(stored)).items()}
