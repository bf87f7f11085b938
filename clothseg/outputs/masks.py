"""Black-and-white masks for inpainting and other tools: one for each class found, and one of all that is kept.

A mask is the alpha of the cut-out with the same options, at the photo's size: white (255) is the cut-out, black (0) is
the rest, and soft edges and feather give greys between them.
"""

import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError
from clothseg.images.atomic_files import atomic_path, encoded
from clothseg.options import MASK_OPTIONS, CutoutOptions
from clothseg.outputs.cutout import PLAIN, refine


Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

KEPT = "kept"
"""Name of the mask of all that is kept; the others have the names of their classes."""

_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f]')


def mask_levels(
    photo: Pixels, mask: Mask, options: CutoutOptions = PLAIN, alpha: Pixels | None = None
) -> npt.NDArray[np.uint8]:
    """Return a mask in levels from 0 to 255.

    Args:
        photo: (H, W, 3) uint8 RGB; soft edges follow it.
        mask: (H, W) bool.
        options: `MASK_OPTIONS` of them are used.
        alpha: (H, W) uint8, opacity of the photo, which the mask does not exceed. None: opaque.

    Returns:
        (H, W) uint8.

    >>> half = np.arange(4) < np.full((2, 1), 2)
    >>> mask_levels(np.zeros((2, 4, 3), np.uint8), half, CutoutOptions(invert=True)).tolist()
    [[0, 0, 255, 255], [0, 0, 255, 255]]
    """
    return refine(photo, mask, CutoutOptions(**{name: getattr(options, name) for name in MASK_OPTIONS}), alpha)[
        ..., 3
    ].copy()


def file_name(name: str) -> str:
    """Return the name of a mask as a file or folder name that all systems allow."""
    return _UNSAFE.sub("-", name).strip(" .") or "-"


def named(kept: Iterable[str], found: Iterable[str]) -> tuple[str, ...]:
    """Return the names of a photo's masks: `KEPT`, and the classes of `kept` that are in `found`."""
    there = set(found)
    return (KEPT, *(name for name in kept if name in there))


def png(picture: Image.Image) -> bytes:
    """Return a mask as PNG."""
    return encoded(picture, "PNG")


def write_zip(path: Path, pictures: Mapping[str, Image.Image]) -> None:
    """Write a ZIP atomically, with a PNG for each mask, such as `kept.png` and `Dress.png`.

    Raises:
        ConfigError: the folder does not exist.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"There is no folder {path.parent}; create it first.")
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in _files(pictures):
            archive.writestr(name, content)


def _files(pictures: Mapping[str, Image.Image]) -> Iterator[tuple[str, bytes]]:
    for name, picture in pictures.items():
        yield f"{file_name(name)}.png", png(picture)
