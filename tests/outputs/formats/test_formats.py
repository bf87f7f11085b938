"""Annotations for other tools, read back with the tools' own packages where available.

Covers `clothseg.outputs.formats.cvat`, `clothseg.outputs.formats.label_studio`, `clothseg.outputs.formats.labelme`,
`clothseg.outputs.formats.svg`, `clothseg.outputs.formats.yolo`.
"""

import doctest
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import yaml
from cvat_sdk.masks import decode_mask, encode_mask
from hypothesis import given, settings
from hypothesis import strategies as st
from label_studio_converter.brush import decode_rle
from paper_dolls import draw

from clothseg import ConfigError, Segmentation
from clothseg.batch.photo_files import KINDS
from clothseg.labels import ATR
from clothseg.outputs import formats
from clothseg.outputs.formats import cvat, label_studio, yolo
from clothseg.outputs.items import Item


@pytest.fixture(scope="module")
def result() -> Segmentation:
    """A figure with a hole in the dress and a bag of two pieces."""
    doll = draw(5)
    label_map = doll.mask.copy()
    label_map[150:190, 60:120] = ATR.label2id["Dress"]
    label_map[160:175, 80:100] = ATR.label2id["Background"]
    label_map[20:60, 10:40] = ATR.label2id["Bag"]
    label_map[62:90, 10:40] = ATR.label2id["Bag"]
    return Segmentation(doll.image, label_map, name="doll & co.jpg", model="a/model")


@pytest.fixture(scope="module")
def items(result: Segmentation) -> tuple[Item, ...]:
    items = result.items()
    assert len(items) > 4 and any(len(item.polygons) > 1 for item in items)
    return items


def text(kind: str, items: Sequence[Item], polygons: bool = False) -> str:
    return formats.encode(kind, items, items[0].size, "june/doll & co.jpg", polygons, "a/model").decode()


def filled(rings: Sequence[Sequence[Sequence[float]]], size: tuple[int, int]) -> np.ndarray:
    """Polygons of [x, y] in pixels, as OpenCV fills them by whole pixels."""
    points = [np.floor(np.array(ring)).astype(np.int32) for ring in rings]
    return cv2.fillPoly(np.zeros(size, np.uint8), points, 1).astype(bool)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def test_docstring_examples_run() -> None:
    assert [doctest.testmod(module) for module in (formats, cvat, label_studio, yolo)] == [(0, 1)] * 4


def test_each_format_is_an_output_kind() -> None:
    assert {name: form.suffix for name, form in formats.FORMATS.items()}.items() <= KINDS.items()


def test_supervision_reads_yolo(result: Segmentation, items: tuple[Item, ...], tmp_path: Path) -> None:
    import supervision

    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    result.photo.save(tmp_path / "images" / "doll.png")
    (tmp_path / "labels" / "doll.txt").write_text(text("yolo", items))
    (tmp_path / "data.yaml").write_text(formats.extra_text("yolo"))
    data = supervision.DetectionDataset.from_yolo(
        str(tmp_path / "images"), str(tmp_path / "labels"), str(tmp_path / "data.yaml"), force_masks=True
    )
    _, _, found = next(iter(data))
    assert data.classes == list(ATR.foreground) and len(found) == len(items)
    for mask, class_id, item in zip(found.mask, found.class_id, items, strict=True):
        assert data.classes[class_id] == item.name and iou(np.asarray(mask), item.full_mask()) > 0.8
    assert yaml.safe_load(formats.extra_text("yolo"))["names"][0] == "Hat"
    assert formats.encode("yolo", [], (5, 5)) == b""


def test_labelme_files_follow_the_documented_format(items: tuple[Item, ...]) -> None:
    read = json.loads(text("labelme", items))
    assert set(read) == {"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"}
    assert (read["imageHeight"], read["imageWidth"]) == items[0].size and read["imagePath"] == "doll & co.jpg"
    for item in items:
        shapes = [shape for shape in read["shapes"] if shape["group_id"] == item.index]
        assert {shape["label"] for shape in shapes} == {item.name} and len(shapes) == len(item.polygons)
        assert all(shape["shape_type"] == "polygon" and len(shape["points"]) > 2 for shape in shapes)
        assert iou(filled([shape["points"] for shape in shapes], item.size), item.full_mask()) > 0.9


def test_label_studio_converter_reads_brush_masks(items: tuple[Item, ...]) -> None:
    (task,) = json.loads(text("label-studio", items))
    assert task["data"]["image"] == "/data/local-files/?d=june/doll%20%26%20co.jpg"
    (prediction,) = task["predictions"]
    assert prediction["model_version"] == "a/model" and len(prediction["result"]) == len(items)
    for found, item in zip(prediction["result"], items, strict=True):
        size = found["original_height"], found["original_width"]
        assert size == item.size and found["value"]["brushlabels"] == [item.name]
        pixels = np.reshape(decode_rle(found["value"]["rle"]), (*size, 4))
        assert (found["type"], found["from_name"], found["to_name"]) == ("brushlabels", "brush", "image")
        for channel in range(4):
            np.testing.assert_array_equal(pixels[..., channel], item.full_mask() * 255)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 300), st.integers(1, 300))
def test_any_mask_round_trips_through_label_studio_and_cvat(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    mask = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), rng.uniform(0.5, 30)) > rng.normal(0, 0.1)
    pixels = np.reshape(decode_rle(label_studio.brush_rle(mask)), (height, width, 4))
    np.testing.assert_array_equal(pixels[..., 3] > 0, mask)
    encoded = [*cvat.mask_runs(mask), 0, 0, width - 1, height - 1]
    np.testing.assert_array_equal(decode_mask(encoded, image_width=width, image_height=height), mask)
    assert encoded == encode_mask(mask, (0, 0, width, height))


def test_label_studio_polygons_match_the_labelling_interface(items: tuple[Item, ...]) -> None:
    (task,) = json.loads(text("label-studio", items, polygons=True))
    found = task["predictions"][0]["result"]
    assert {each["type"] for each in found} == {"polygonlabels"} and len({each["id"] for each in found}) == len(found)
    for item in items:
        height, width = item.size
        rings = [each["value"]["points"] for each in found if each["id"].startswith(f"{item.index}-")]
        assert all(0 <= number <= 100 for ring in rings for point in ring for number in point)
        pixels = [[[x * width / 100, y * height / 100] for x, y in ring] for ring in rings]
        assert iou(filled(pixels, item.size), item.full_mask()) > 0.9
    view = ElementTree.fromstring(formats.extra_text("label-studio"))
    names = {tag.get("name"): [label.get("value") for label in tag] for tag in view if len(tag)}
    assert names == {"brush": list(ATR.foreground), "polygon": list(ATR.foreground)}
    assert {each["from_name"] for each in found} <= set(names)


def test_cvat_package_reads_masks(items: tuple[Item, ...]) -> None:
    root = ElementTree.fromstring(text("cvat", items))
    assert [label.findtext("name") for label in root.iter("label")] == list(ATR.foreground)
    (image,) = root.iter("image")
    height, width = items[0].size
    assert (image.get("name"), image.get("width")) == ("june/doll & co.jpg", str(width))
    for mask, item in zip(image.iter("mask"), items, strict=True):
        left, top, wide, high = (int(mask.get(key, "")) for key in ("left", "top", "width", "height"))
        runs = [int(number) for number in mask.get("rle", "").split(",")]
        encoded = [*runs, left, top, left + wide - 1, top + high - 1]
        read = decode_mask(encoded, image_width=width, image_height=height)
        np.testing.assert_array_equal(read, item.full_mask())
        assert mask.get("label") == item.name and encoded == encode_mask(item.full_mask())


def test_cvat_polygons_are_grouped_by_item(items: tuple[Item, ...]) -> None:
    root = ElementTree.fromstring(text("cvat", items, polygons=True))
    shapes = list(root.iter("polygon"))
    assert len(shapes) == sum(len(item.polygons) for item in items) and not list(root.iter("mask"))
    for item in (item for item in items if len(item.polygons) > 1):
        group = [shape for shape in shapes if shape.get("group_id") == str(item.index)]
        points = [
            [[float(n) for n in pair.split(",")] for pair in shape.get("points", "").split(";")] for shape in group
        ]
        assert iou(filled(points, item.size), item.full_mask()) > 0.9


def test_svg_outlines_keep_holes(items: tuple[Item, ...]) -> None:
    root = ElementTree.fromstring(text("svg", items))
    paths = list(root)
    height, width = items[0].size
    assert root.get("viewBox") == f"0 0 {width} {height}" and root.get("fill-rule") == "evenodd"
    for path, item in zip(paths, items, strict=True):
        assert (path.get("data-class"), path.get("fill")) == (item.name, ATR.hex_color(item.name))
        rings = [
            [[float(number) for number in point.split()] for point in ring.split("L")]
            for ring in re.findall(r"M([^Z]+)Z", path.get("d", ""))
        ]
        assert iou(filled(rings, item.size), item.full_mask()) > 0.85
    assert max(path.get("d", "").count("M") for path in paths) > 1


@pytest.mark.parametrize("kind", ["coco", "label-studio", "cvat"])
def test_write_merged_combines_photos(kind: str, items: tuple[Item, ...]) -> None:
    photos = ["a.jpg", "june/b & c.jpg", "f\udcfcr.jpg"]
    found = [list(items), [], list(items[:2])]
    parts = [
        formats.encode(kind, each, items[0].size, photo).decode() for each, photo in zip(found, photos, strict=True)
    ]
    stream = io.StringIO()
    formats.write_merged(kind, stream, lambda: iter(parts), "a/model")
    stream.getvalue().encode("utf-8")
    if kind == "cvat":
        images = list(ElementTree.fromstring(stream.getvalue()).iter("image"))
        assert [image.get("id") for image in images] == ["0", "1", "2"]
        assert [image.get("name") for image in images] == ["a.jpg", "june/b & c.jpg", "f_r.jpg"]
        assert [len(list(image)) for image in images] == [len(each) for each in found]
    elif kind == "label-studio":
        tasks = json.loads(stream.getvalue())
        assert [len(task["predictions"][0]["result"]) for task in tasks] == [len(each) for each in found]
    else:
        assert len(json.loads(stream.getvalue())["images"]) == 3
    nothing = io.StringIO()
    formats.write_merged(kind, nothing, lambda: iter(()))
    assert (
        ElementTree.fromstring(nothing.getvalue()) is not None
        if kind == "cvat"
        else json.loads(nothing.getvalue()) is not None
    )


def test_export_writes_every_format(result: Segmentation, items: tuple[Item, ...], tmp_path: Path) -> None:
    for kind in formats.FORMATS.keys() - {"psd"}:
        result.export(tmp_path / kind, kind)
        expected = formats.encode(kind, items, items[0].size, "doll & co.jpg", False, "a/model")
        assert (tmp_path / kind).read_bytes() == expected
    result.export(tmp_path / "hair.svg", "svg", "Hair")
    assert (tmp_path / "hair.svg").read_text().count("<path") == len(result.items("Hair"))
    with pytest.raises(ConfigError, match="The format can be coco, yolo"):
        result.export(tmp_path / "x", "voc")
    with pytest.raises(ConfigError, match="There is no folder"):
        result.export(tmp_path / "no" / "x", "svg")
