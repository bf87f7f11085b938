"""Where two label maps of one photo differ, and how far they agree on each class."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clothseg.labels import NAMES, NUM_CLASSES


class ClassAgreement(NamedTuple):
    """How far two label maps agree on a class.

    Attributes:
        name: of the class.
        first: its share of the photo in the first, 0..1.
        second: in the second.
        overlap: intersection over union of its pixels in the two, 0..1.
    """

    name: str
    first: float
    second: float
    overlap: float


class Comparison(NamedTuple):
    """Two label maps of one photo.

    Attributes:
        differs: (H, W) bool, where they give different classes.
        agreement: share of the photo where they give the same, 0..1.
        classes: those present in either, in the order of the ids.
    """

    differs: npt.NDArray[np.bool_]
    agreement: float
    classes: tuple[ClassAgreement, ...]


def compare(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> Comparison:
    """Compare two label maps.

    Args:
        first: (H, W) uint8 class ids.
        second: the same of the same photo.

    Raises:
        ValueError: they differ in size.
    """
    if first.shape != second.shape:
        raise ValueError(f"Label maps of different photos cannot be compared: {first.shape} and {second.shape}.")
    differs = first != second
    counts = [np.bincount(labels.ravel(), minlength=NUM_CLASSES) for labels in (first, second, first[~differs])]
    classes = tuple(
        ClassAgreement(name, one / first.size, other / first.size, both / (one + other - both))
        for name, one, other, both in zip(NAMES, *(count.tolist() for count in counts), strict=True)
        if one + other
    )
    return Comparison(differs, 1 - np.count_nonzero(differs) / differs.size, classes)
