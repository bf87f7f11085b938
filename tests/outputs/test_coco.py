"""clothseg.outputs.coco against pycocotools' own reading."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_dolls import draw
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from clothseg import Segmentation
from clothseg.labels import NAMES
from clothseg.outputs.coco import outlines, run_lengths, to_coco


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
def test_polygons_are_nearly_the_mask(seed: int) -> None:
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
    made = outlines(mask)
    assert len(made) == 2
    assert iou(rasterised(made, mask.shape), mask) > 0.97
    moved = outlines(mask, (10, 20))
    np.testing.assert_allclose(np.array(moved[0][::2]) - made[0][::2], 10)
    np.testing.assert_allclose(np.array(moved[0][1::2]) - made[0][1::2], 20)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 1)])
def test_a_polygon_of_the_smallest_masks_is_one_still(size: tuple[int, int]) -> None:
    (polygon,) = outlines(np.ones(size, np.bool_))
    assert len(polygon) >= 6
    assert np.ptp(polygon[::2]) == size[1] - 0.5 and np.ptp(polygon[1::2]) == size[0] - 0.5
    assert outlines(np.zeros(size, np.bool_)) == []


@pytest.mark.parametrize("as_outlines", [False, True])
def test_pycocotools_loads_the_data_set(tmp_path: Path, as_outlines: bool) -> None:
    doll = draw(5)
    items = Segmentation(doll.image, doll.mask).items()
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(to_coco(items, doll.mask.shape, "doll.jpg", as_outlines)))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(path)
    assert coco.loadImgs(1)[0] == {"id": 1, "file_name": "doll.jpg", "height": 384, "width": 256}
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == list(NAMES[1:])
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=1))
    assert len(annotations) == len(items) > 3
    for annotation, item in zip(annotations, items, strict=True):
        assert annotation["bbox"] == list(item.box) and annotation["area"] == item.area
        assert coco.loadCats(annotation["category_id"])[0]["name"] == item.name
        mask = coco.annToMask(annotation).astype(bool)
        assert iou(mask, item.full_mask()) > (0.9 if as_outlines else 0.9999)
