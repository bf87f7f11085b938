"""Classes and their pixels are found exactly, in maps of any shape."""

import numpy as np
import pytest

from clothseg.postprocess import class_counts
from clothseg.postprocess.class_counts import count_classes, present_classes


@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (3, 5), (40, 61), (64, 64)])
@pytest.mark.parametrize("largest", [1, 18, 256])
def test_classes_and_counts_equal_numpys(
    shape: tuple[int, int], largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_counts, "_PART", 1000)
    label_map = np.random.default_rng(0).integers(0, largest, shape, np.uint8)
    for each in (label_map, label_map.T, label_map[:, ::2]):
        assert np.array_equal(count_classes(each, 18), np.bincount(each.ravel(), minlength=256)[:18])
        assert present_classes(each, 18) == [class_id for class_id in np.unique(each) if class_id < 18]
