"""COCO data sets of one or many photos, loaded with pycocotools."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw
from pycocotools.coco import COCO

from clothseg import Segmentation
from clothseg.labels import NAMES
from clothseg.outputs.coco import to_coco, write_merged


def load(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(path)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


@pytest.mark.parametrize("polygons", [False, True])
def test_pycocotools_loads_the_data_set(tmp_path: Path, polygons: bool) -> None:
    doll = draw(5)
    items = Segmentation(doll.image, doll.mask).items()
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(to_coco(items, doll.mask.shape, "doll.jpg", polygons, "a/model")))
    coco = load(path)
    assert coco.loadImgs(1)[0] == {"id": 1, "file_name": "doll.jpg", "height": 384, "width": 256, "license": 1}
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == list(NAMES[1:])
    assert "a/model" in coco.dataset["info"]["description"] and coco.dataset["licenses"][0]["id"] == 1
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=1))
    assert len(annotations) == len(items) > 3
    for annotation, item in zip(annotations, items, strict=True):
        assert annotation["bbox"] == list(item.box) and annotation["area"] == item.area
        assert coco.loadCats(annotation["category_id"])[0]["name"] == item.name
        mask = coco.annToMask(annotation).astype(bool)
        assert iou(mask, item.full_mask()) > (0.9 if polygons else 0.9999)


def test_write_merged_combines_photos(tmp_path: Path) -> None:
    """Includes a photo without items, and a name that is not valid UTF-8."""
    dolls = [draw(seed, 96, 64) for seed in range(3)]
    dolls[1].mask[:] = 0
    names = ["a.jpg", "june/b.jpg", "f\udcfcr.jpg"]
    results = [Segmentation(doll.image, doll.mask) for doll in dolls]
    parts = [
        to_coco(result.items(), result.label_map.shape, name) for result, name in zip(results, names, strict=True)
    ]
    path = tmp_path / "coco.json"
    with path.open("w", encoding="utf-8") as stream:
        write_merged(stream, lambda: iter(parts))
    coco = load(path)
    assert [image["file_name"] for image in coco.loadImgs(coco.getImgIds())] == names
    ids = [annotation["id"] for annotation in coco.dataset["annotations"]]
    assert ids == list(range(1, len(ids) + 1)) and {"info", "licenses", "categories"} <= set(coco.dataset)
    for number, result in enumerate(results, 1):
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=number))
        assert [each["bbox"] for each in annotations] == [list(item.box) for item in result.items()]
        for annotation, item in zip(annotations, result.items(), strict=True):
            np.testing.assert_array_equal(coco.annToMask(annotation), item.full_mask())


def test_data_set_without_photos_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "coco.json"
    with path.open("w", encoding="utf-8") as stream:
        write_merged(stream, lambda: iter(()))
    assert load(path).getAnnIds() == []
