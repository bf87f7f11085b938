"""Comparison of two label maps of one photo."""

import numpy as np
import pytest

from clothseg.labels import LABEL2ID
from clothseg.outputs.comparison import compare


def test_agreement_is_counted_by_class() -> None:
    hat, bag = LABEL2ID["Hat"], LABEL2ID["Bag"]
    first = np.array([[0, 0, hat, hat], [0, 0, hat, bag]], np.uint8)
    second = np.array([[0, 0, hat, 0], [0, 0, hat, hat]], np.uint8)
    found = compare(first, second)
    assert found.differs.tolist() == [[False, False, False, True], [False, False, False, True]]
    assert found.agreement == 6 / 8
    assert [tuple(row) for row in found.classes] == [
        ("Background", 4 / 8, 5 / 8, 4 / 5, (("Background",), ("Background",))),
        ("Hat", 3 / 8, 3 / 8, 2 / 4, (("Hat",), ("Hat",))),
        ("Bag", 1 / 8, 0, 0, (("Bag",), ("Bag",))),
    ]


def test_label_map_agrees_with_itself(rng: np.random.Generator) -> None:
    labels = rng.integers(0, 18, (30, 20), np.uint8)
    found = compare(labels, labels)
    assert found.agreement == 1 and not found.differs.any()
    assert {row.overlap for row in found.classes} == {1}


def test_label_maps_of_different_sizes_raise_value_error() -> None:
    with pytest.raises(ValueError, match="different photos"):
        compare(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))
