"""Compare two label maps of one photo: where they differ, and how far they agree on each class."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clothseg.labels import NAMES, NUM_CLASSES


class ClassAgreement(NamedTuple):
    """Agreement of two label maps on a class.

    Attributes:
        name: of the class.
        first: share of the photo in the first, 0..1.
        second: share of the photo in the second, 0..1.
        overlap: intersection over union, 0..1.
    """

    name: str
    first: float
    second: float
    overlap: float


class Comparison(NamedTuple):
    """Comparison of two label maps of one photo.

    Attributes:
        differs: (H, W) bool, true where the classes differ.
        agreement: share of the photo with the same class, 0..1.
        classes: classes present in either map, in the order of the ids.
    """

    differs: npt.NDArray[np.bool_]
    agreement: float
    classes: tuple[ClassAgreement, ...]


def compare(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> Comparison:
    """Compare two label maps.

    Args:
        second: (H, W) uint8 class ids of the same photo.
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
