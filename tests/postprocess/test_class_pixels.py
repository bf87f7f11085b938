"""Classes and their pixels are found exactly, in maps of any shape."""

import cv2
import numpy as np
import pytest

from clothseg.postprocess import class_pixels
from clothseg.postprocess.class_pixels import class_boxes, class_mask, count_classes, present_classes


@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (3, 5), (40, 61), (64, 64)])
@pytest.mark.parametrize("largest", [1, 18, 256])
def test_classes_and_counts_equal_numpys(
    shape: tuple[int, int], largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_pixels, "_PART", 1000)
    label_map = np.random.default_rng(0).integers(0, largest, shape, np.uint8)
    for each in (label_map, label_map.T, label_map[:, ::2]):
        assert np.array_equal(count_classes(each, 18), np.bincount(each.ravel(), minlength=256)[:18])
        assert present_classes(each, 18) == [class_id for class_id in np.unique(each) if class_id < 18]
        assert np.array_equal(class_mask(each, [3, 17]), np.isin(each, [3, 17]))


@pytest.mark.parametrize("largest", [1, 18, 33, 256])
def test_boxes_equal_opencvs(largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_pixels, "_PART", 500)
    label_map = np.random.default_rng(0).integers(0, largest, (9, 7), np.uint8).repeat(5, axis=0).repeat(7, axis=1)
    present = np.unique(label_map).tolist()
    expected = [cv2.boundingRect((label_map == class_id).view(np.uint8)) for class_id in present]
    assert class_boxes(label_map, present) == expected
