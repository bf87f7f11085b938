"""clothseg.outputs.mask_encoding, read back with pycocotools."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_dolls import draw
from pycocotools import mask as coco_mask

from clothseg import Segmentation
from clothseg.labels import NAMES
from clothseg.outputs.mask_encoding import polygons, run_lengths


def rasterised(polygons: list[list[float]], size: tuple[int, int]) -> np.ndarray:
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, *size))).astype(bool)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 30), st.floats(0, 1))
def test_run_lengths_read_back_exactly(seed: int, height: int, width: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    encoded = json.loads(json.dumps(run_lengths(mask)))
    np.testing.assert_array_equal(coco_mask.decode(encoded), mask)
    assert coco_mask.area(encoded) == np.count_nonzero(mask) and encoded["size"] == [height, width]


@pytest.mark.parametrize("seed", range(4))
def test_polygons_approximate_the_mask(seed: int) -> None:
    doll = draw(seed, 768, 512)
    for item in Segmentation(doll.image, doll.mask).items(*NAMES[1:]):
        mask = item.full_mask()
        overlap = iou(rasterised(item.polygons, mask.shape), mask)
        assert overlap > (0.97 if item.area > 1000 else 0.9), (item.name, overlap)


def test_polygons_keep_their_holes_and_pieces() -> None:
    away = np.hypot(*np.mgrid[-60:60, -80:80])
    mask = (away < 50) & (away > 20)
    mask[5:15, 5:25] = mask[30:35, 75:85] = True
    mask[32:33, 78:80] = False
    made = polygons(mask)
    assert len(made) == 2
    assert iou(rasterised(made, mask.shape), mask) > 0.97
    moved = polygons(mask, (10, 20))
    np.testing.assert_allclose(np.array(moved[0][::2]) - made[0][::2], 10)
    np.testing.assert_allclose(np.array(moved[0][1::2]) - made[0][1::2], 20)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 1)])
def test_smallest_masks_give_a_valid_polygon(size: tuple[int, int]) -> None:
    (polygon,) = polygons(np.ones(size, np.bool_))
    assert len(polygon) >= 6
    assert np.ptp(polygon[::2]) == size[1] - 0.5 and np.ptp(polygon[1::2]) == size[0] - 0.5
    assert polygons(np.zeros(size, np.bool_)) == []
