"""clothseg.outputs.items on hand-painted label maps and on paper dolls."""

import dataclasses
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, CutoutOptions, Segmentation, UnknownClassError
from clothseg.labels import GROUPS, LABEL2ID, NAMES
from clothseg.outputs.item_files import item_cutout
from clothseg.outputs.items import Item, items_to_dict


def painted(*boxes: tuple[str, int, int, int, int], person_map: np.ndarray | None = None) -> Segmentation:
    """A 400 x 300 map with boxes (class, top, left, bottom, right), later ones over earlier ones."""
    label_map = np.zeros((400, 300), np.uint8)
    for name, top, left, bottom, right in boxes:
        label_map[top:bottom, left:right] = LABEL2ID[name]
    photo = np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8)
    return Segmentation(photo, label_map, person_map=person_map)  # type: ignore[arg-type]


def listed(result: Segmentation, *names: str) -> list[tuple[str, tuple[int, int, int, int]]]:
    return [(item.name, item.box) for item in result.items(*names)]


FIGURE = ("Upper-clothes", 50, 100, 350, 200)  # a figure 300 pixels high: a head is 37, an arm 18


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        pytest.param([], [], id="empty"),
        pytest.param(
            [FIGURE, ("Bag", 200, 60, 240, 100), ("Bag", 200, 200, 240, 240)],
            [("Bag", (60, 200, 40, 40)), ("Bag", (200, 200, 40, 40))],
            id="a bag on each side",
        ),
        pytest.param(
            [FIGURE, ("Bag", 200, 100, 240, 160), ("Left-arm", 190, 120, 260, 135)],
            [("Bag", (100, 200, 60, 40))],
            id="a bag behind an arm",
        ),
        pytest.param(
            [FIGURE, ("Bag", 200, 100, 240, 160), ("Bag", 150, 130, 170, 137)],
            [("Bag", (100, 150, 60, 90))],
            id="a bag with a bit of its strap",
        ),
        pytest.param(
            [FIGURE, ("Belt", 200, 100, 210, 140), ("Belt", 200, 170, 210, 200)],
            [("Belt", (100, 200, 100, 10))],
            id="a belt behind a hand",
        ),
        pytest.param(
            [FIGURE, ("Pants", 250, 100, 350, 140), ("Pants", 250, 160, 350, 200), ("Bag", 200, 120, 300, 180)],
            [("Pants", (100, 250, 100, 100)), ("Bag", (120, 200, 60, 100))],
            id="trousers behind a bag",
        ),
        pytest.param(
            [FIGURE, ("Left-shoe", 340, 160, 350, 200), ("Right-shoe", 340, 100, 350, 140)],
            [("Left-shoe", (160, 340, 40, 10)), ("Right-shoe", (100, 340, 40, 10))],
            id="shoes",
        ),
        pytest.param(
            [FIGURE, ("Scarf", 100, 120, 104, 124), ("Scarf", 150, 120, 160, 130), ("Hat", 60, 150, 61, 153)],
            [("Scarf", (120, 150, 10, 10))],
            id="specks",
        ),
        pytest.param(
            [("Dress", 100, 50, 300, 100), ("Dress", 100, 110, 300, 160)],
            [("Dress", (50, 100, 50, 200)), ("Dress", (110, 100, 50, 200))],
            id="two figures near each other",
        ),
    ],
)
def test_pieces_are_grouped_into_items(boxes: list, expected: list) -> None:
    garments = [name for name in GROUPS["All garments"] if name != "Upper-clothes"]
    assert listed(painted(*boxes), *garments) == expected


def test_person_map_separates_garments_of_touching_people() -> None:
    boxes = [("Dress", 100, 50, 300, 200), ("Bag", 180, 50, 220, 70)]
    assert len(painted(*boxes).items("Dress")) == 1
    person_map = np.zeros((400, 300), np.uint8)
    person_map[100:300, 50:120], person_map[100:300, 120:200] = 1, 2
    items = painted(*boxes, person_map=person_map).items()
    assert [(item.name, item.wearer, item.box[0]) for item in items] == [
        ("Dress", 1, 50),
        ("Dress", 2, 120),
        ("Bag", 1, 50),
    ]
    assert {item.wearer for item in painted(*boxes).items()} == {None}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("separated", [False, True])
def test_items_partition_their_classes(seed: int, separated: bool) -> None:
    doll = draw(seed)
    person_map = np.where(np.arange(256) < 128, 1, 2).astype(np.uint8) * (doll.mask > 0) if separated else None
    result = Segmentation(doll.image, doll.mask, person_map=person_map)
    items = result.items(*NAMES[1:], min_share=0)
    taken = np.zeros(doll.mask.shape, int)
    for number, item in enumerate(items, 1):
        full = item.full_mask()
        assert (doll.mask[full] == item.class_id).all() and NAMES[item.class_id] == item.name
        x, y, width, height = item.box
        np.testing.assert_array_equal(full[y : y + height, x : x + width], item.mask)
        assert item.mask[0].any() and item.mask[-1].any() and item.mask[:, 0].any() and item.mask[:, -1].any()
        assert item.area == np.count_nonzero(full) and item.share == item.area / full.size
        assert item.index == number and not item.mask.flags.writeable
        if separated:
            assert person_map is not None and (person_map[full] == item.wearer).all()
        taken += full
    np.testing.assert_array_equal(taken, doll.mask > 0)  # with min_share=0 every pixel belongs to an item
    for name, share in result.areas.items():
        if name != "Background":
            assert sum(item.share for item in items if item.name == name) == pytest.approx(share)
    larger = result.items(*NAMES[1:], min_share=0.01)
    assert all(item.share >= 0.01 for item in larger) and 0 < len(larger) < len(items)


@pytest.mark.parametrize("seed", range(8))
def test_dolls_have_one_item_per_garment(seed: int) -> None:
    doll = draw(seed)
    names = [item.name for item in Segmentation(doll.image, doll.mask).items()]
    assert len(names) == len(set(names)), names
    large = {NAMES[i] for i in np.flatnonzero(np.bincount(doll.mask.ravel(), minlength=18) > 0.001 * doll.mask.size)}
    assert set(GROUPS["All garments"]) & large <= set(names) <= set(GROUPS["All garments"])


def test_item_confidence_is_the_mean_over_its_pixels() -> None:
    result = painted(("Bag", 0, 0, 100, 150), ("Bag", 200, 200, 300, 300))
    grid = np.zeros((4, 2), np.uint8)  # cells of 100 x 150 pixels
    grid[0, 0], grid[2, 1] = 255, 51
    first, second = dataclasses.replace(result, probability=grid).items()
    assert (first.confidence, second.confidence) == (1.0, pytest.approx(0.2))
    assert result.items()[0].confidence is None


def test_invalid_min_share_and_class_are_rejected() -> None:
    result = painted(FIGURE)
    for value in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            result.items(min_share=value)
    with pytest.raises(UnknownClassError, match="'Sock'"):
        result.items("Sock")


def test_json_items_have_the_same_keys() -> None:
    items = painted(FIGURE, ("Bag", 200, 60, 240, 100), ("Bag", 200, 200, 240, 240)).items()
    listing = json.loads(json.dumps(items_to_dict(items, "gown.jpg")))
    assert (listing["photo"], listing["counts"]) == ("gown.jpg", {"Upper-clothes": 1, "Bag": 2})
    keys = ["index", "id", "name", "area", "share", "box", "confidence", "colors", "wearer"]
    assert [list(item) for item in listing["items"]] == [keys] * 3
    assert listing["items"][1]["box"] == [60, 200, 40, 40] and listing["items"][1]["share"] == round(1600 / 120000, 6)
    assert set(listing["items"][0]["colors"][0]) == {"name", "hex", "share"}
    assert items_to_dict(()) == {"photo": None, "notes": [], "counts": {}, "items": []}


def test_zip_has_a_cutout_for_each_item(tmp_path: Path) -> None:
    doll = draw(2)
    result = Segmentation(doll.image, doll.mask, name="doll.jpg")
    path = tmp_path / "items.zip"
    items = result.save_items(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = ["items.json", "coco.json", *(f"{item.index:02d}-{item.name}.png" for item in items)]
        assert archive.namelist() == names
        assert json.loads(archive.read("items.json")) == items_to_dict(items, "doll.jpg")
        for item, name in zip(items, names[2:], strict=True):
            picture = np.asarray(Image.open(io.BytesIO(archive.read(name))))
            np.testing.assert_array_equal(picture, np.asarray(item_cutout(doll.image, item)))
            np.testing.assert_array_equal(picture[..., 3] > 0, item.full_mask())
    result.save_items(path, "Hair", options=CutoutOptions(crop=True, background="#ffffff"))
    with zipfile.ZipFile(path) as archive:
        hair = next(item for item in result.items("Hair"))
        picture = Image.open(io.BytesIO(archive.read("01-Hair.png")))
        assert (picture.mode, picture.size) == ("RGB", hair.box[2:])


def test_failed_zip_keeps_the_previous_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "items.zip"
    path.write_bytes(b"older file")

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("clothseg.outputs.item_files.item_cutout", full)
    with pytest.raises(OSError, match="disk full"):
        painted(FIGURE).save_items(path)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("items.zip", b"older file")]
    with pytest.raises(ConfigError, match="no folder"):
        painted(FIGURE).save_items(tmp_path / "no" / "items.zip")


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40))
def test_items_cover_any_label_map(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    label_map = rng.integers(0, 18, (height, width), dtype=np.uint8)
    result = Segmentation(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), label_map)  # type: ignore[arg-type]
    items: tuple[Item, ...] = result.items(*NAMES, min_share=0)
    assert sum(item.area for item in items) == label_map.size
    assert [item.class_id for item in items] == sorted(item.class_id for item in items)
