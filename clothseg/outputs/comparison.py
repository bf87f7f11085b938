"""Compare two label maps of one photo: where they differ, and how far they agree on each class."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clothseg.labels import ATR, IGNORE, LabelSet, shared_classes


class ClassAgreement(NamedTuple):
    """Agreement of two label maps on a class.

    Attributes:
        name: of the class.
        first: share of the photo in the first, 0..1.
        second: share of the photo in the second, 0..1.
        overlap: intersection over union, 0..1.
        parts: names of the classes in the first and in the second label set that it consists of.
    """

    name: str
    first: float
    second: float
    overlap: float
    parts: tuple[tuple[str, ...], tuple[str, ...]]


class Comparison(NamedTuple):
    """Comparison of two label maps of one photo.

    Attributes:
        differs: (H, W) bool, true where the classes differ.
        agreement: share of the photo with the same class, 0..1.
        classes: classes present in either map, in the order of the ids.
        labels: the label sets of both maps.
        left_out: names of classes without a counterpart, of either label set; their pixels do not count.
    """

    differs: npt.NDArray[np.bool_]
    agreement: float
    classes: tuple[ClassAgreement, ...]
    labels: tuple[LabelSet, LabelSet]
    left_out: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


def compare(
    first: npt.NDArray[np.uint8],
    second: npt.NDArray[np.uint8],
    labels: tuple[LabelSet, LabelSet] = (ATR, ATR),
) -> Comparison:
    """Compare two label maps of one photo, on the classes that their label sets share.

    Args:
        first: (H, W) uint8 class ids.
        second: (H, W) uint8 class ids.
        labels: the label sets of both.

    Raises:
        ValueError: they differ in size.
    """
    if first.shape != second.shape:
        raise ValueError(f"Label maps of different photos cannot be compared: {first.shape} and {second.shape}.")
    shared = shared_classes(*labels)
    one, two = (table[label_map] for table, label_map in zip(shared.tables, (first, second), strict=True))
    counted = (one != IGNORE) & (two != IGNORE)
    differs = counted & (one != two)
    total = max(1, int(np.count_nonzero(counted)))
    count = len(shared.classes)
    counts = [
        np.bincount(each, minlength=count)[:count] for each in (one[counted], two[counted], one[counted & ~differs])
    ]
    classes = tuple(
        ClassAgreement(
            each.name,
            ours / first.size,
            theirs / first.size,
            both / (ours + theirs - both),
            (tuple(labels[0].names[i] for i in each.first), tuple(labels[1].names[i] for i in each.second)),
        )
        for each, ours, theirs, both in zip(shared.classes, *(each.tolist() for each in counts), strict=True)
        if ours + theirs
    )
    agreement = 1 - np.count_nonzero(differs) / total
    return Comparison(differs, agreement, classes, labels, shared.left_out)
