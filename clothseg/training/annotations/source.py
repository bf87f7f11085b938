"""Shared code of the readers of annotations."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from clothseg.errors import DataError


Ids = npt.NDArray[np.uint16]

BACKGROUND_NAMES = ("background", "_background_", "__background__")
"""Names that annotation tools give the background."""


@dataclass
class Annotated:
    """A photo and its annotations.

    Attributes:
        name: path in the output, without suffix.
        photo: the photo's file.
        draw: returns the source's ids (H, W) at the photo's upright size, and the number of shapes of each id. Raises
            DataError for annotations that are wrong.
    """

    name: str
    photo: Path
    draw: Callable[[], tuple[Ids, Counter[int]]]


@dataclass
class Source:
    """Annotations of many photos.

    Attributes:
        kind: what they are, for the report.
        names: of the classes, id -> name; None if the annotations do not name them.
        photos: the annotated photos.
        ignored: description of unused annotations -> count.
        wrong: (photo or file, reason).
    """

    kind: str
    names: dict[int, str] | None
    photos: list[Annotated]
    ignored: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, str]] = field(default_factory=list)


def ids_of_names(names: Iterable[str]) -> dict[str, int]:
    """Return an id for each name of a class: 0 for the background's, else 1, 2, ... in the order given."""
    ids: dict[str, int] = {}
    for name in dict.fromkeys(names):
        ids[name] = 0 if name.casefold() in BACKGROUND_NAMES else len({*ids.values()} - {0}) + 1
    return ids


def named(ids: dict[str, int]) -> dict[int, str]:
    """Return the names by id, with the background."""
    return {0: "background"} | {index: name for name, index in sorted(ids.items(), key=lambda item: item[1])}


def photo_sizes(file: Path) -> tuple[tuple[int, int], tuple[int, int], Image.Image]:
    """Return a photo's stored and upright size, (height, width) each, and its undecoded picture.

    Raises:
        DataError: it is not a readable picture.
    """
    try:
        with Image.open(file) as picture:
            width, height = picture.size
            turned = picture.getexif().get(0x0112, 1) >= 5
            return (height, width), ((width, height) if turned else (height, width)), picture
    except Exception as error:  # decoders answer damaged files with nearly any exception
        raise DataError(f"{file.name} is not a readable picture.") from error


def upright(ids: Ids, photo: Path) -> Ids:
    """Return ids of the size of the photo, stored or upright, as they are in the upright photo.

    Raises:
        DataError: the sizes differ, or the photo cannot be read.
    """
    stored, shown, picture = photo_sizes(photo)
    if ids.shape == shown:
        return ids
    if ids.shape != stored:
        raise DataError(f"the annotation is for {size_text(ids.shape)} pixels, the photo has {size_text(shown)}.")
    turned = Image.fromarray(ids.astype(np.int32))
    turned.getexif()[0x0112] = picture.getexif()[0x0112]
    return np.asarray(ImageOps.exif_transpose(turned)).astype(np.uint16)


def fill(ids: Ids, value: int, polygons: Iterable[npt.NDArray[Any]]) -> int:
    """Fill polygons (N, 2) of x and y, in pixels, into ids (H, W); return the number of pixels.

    Several polygons are the parts of one shape.
    """
    from pycocotools import mask as coco

    height, width = ids.shape
    flat = [polygon.astype(np.float64).ravel().tolist() for polygon in polygons if len(polygon) > 2]
    if not flat:
        return 0
    inside = coco.decode(coco.merge(coco.frPyObjects(flat, height, width))).astype(bool)
    ids[inside] = value
    return int(np.count_nonzero(inside))


def circle(center: npt.NDArray[Any], radius: float) -> npt.NDArray[np.float64]:
    """Return a circle as a polygon (N, 2)."""
    turns = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    return np.asarray(center + radius * np.stack([np.cos(turns), np.sin(turns)], axis=1))


def size_text(shape: tuple[int, ...]) -> str:
    """Return an array's (height, width) as width x height."""
    return f"{shape[1]}x{shape[0]}"
