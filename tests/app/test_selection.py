"""Picks and cut-outs of the page, without a browser."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gradio.utils import deep_hash
from paper_dolls import draw
from PIL import Image

from clothseg import Segmentation
from clothseg.app.components.parts import find_parts, mask_of_parts
from clothseg.app.downloads import new_file
from clothseg.app.previews import PREVIEW
from clothseg.app.selection import (
    Choice,
    PhotoResult,
    carried,
    cutout_of,
    first_picks,
    items_of,
    of_group,
    preview_of,
)
from clothseg.labels import ATR, GROUPS
from clothseg.options import CutoutOptions, SegmentOptions


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))


@pytest.fixture
def doll() -> Segmentation:
    """A result from the doll's true mask, larger than the page's previews."""
    image, mask, _ = draw(3, 1600, 1100)
    return Segmentation(Image.fromarray(image), mask, name="doll.webp")


@pytest.fixture
def pair() -> Segmentation:
    """Two dolls side by side with a person map."""
    dolls = [draw(seed, 400, 260) for seed in (3, 4)]
    people = np.hstack([(doll.mask > 0) * np.uint8(number) for number, doll in enumerate(dolls, start=1)])
    image = np.hstack([doll.image for doll in dolls])
    return Segmentation(Image.fromarray(image), np.hstack([doll.mask for doll in dolls]), person_map=people)


def seen_of(result: Segmentation) -> PhotoResult:
    return PhotoResult("", SegmentOptions(), result, result)


def test_each_result_has_its_own_hash(doll: Segmentation) -> None:
    # Gradio detects changed states by this hash; hashes of memory addresses would repeat.
    seen = seen_of(doll)
    later = [replace(seen) for _ in range(20)]
    assert len({deep_hash(each) for each in later}) == 20
    assert {each.started for each in later} == {seen.number} and {each.preview for each in later} == {seen.preview}


def test_choice_from_the_browser_is_validated() -> None:
    said = {
        "number": 3,
        "picked": ["Hat", 5, None],
        "edits": [{"kind": "click"}, "x"],
        "classes": ["Hat", "Cape"],
        "opacity": 0.25,
        "restoring": True,
    }
    assert Choice.of(said) == Choice(3, ("Hat",), ({"kind": "click"},), ("Hat", "Cape"), 0.25, True)
    for nonsense in (None, 3, "x", [], {}, {"number": "3", "picked": "Hat", "edits": 1, "opacity": 7, "restoring": 1}):
        assert Choice.of(nonsense) == Choice()


def test_first_picks_are_garments_or_everything(doll: Segmentation) -> None:
    parts = find_parts(doll)
    garments = [part.key for part in parts if part.name in GROUPS["All garments"]]
    assert first_picks(parts, (), ATR) == garments and garments
    assert first_picks(parts, ("Face", "Sunglasses"), ATR) == ["Face"]
    assert first_picks(parts, ("Sunglasses",), ATR) == garments
    body = [part for part in parts if part.name in GROUPS["Body"]]
    assert first_picks(body, (), ATR) == [part.key for part in body], "everything, if there is no garment"


def test_picks_are_carried_over_to_people(doll: Segmentation, pair: Segmentation) -> None:
    several, single = find_parts(pair), find_parts(Segmentation(pair.photo, pair.label_map))
    hair = ["Hair/1", "Hair/2"]
    assert carried(several, ["Hair"]) == hair and carried(single, hair[:1]) == ["Hair"]
    assert carried(several, hair[1:]) == hair[1:] and carried(several, []) == []


def test_groups_select_present_parts(doll: Segmentation) -> None:
    parts = find_parts(doll)
    for group, names in GROUPS.items():
        assert of_group(group, parts, ATR) == [part.key for part in parts if part.name in names]


def test_cutout_of_parts_equals_cutout_of_classes(doll: Segmentation) -> None:
    options = CutoutOptions(background="#ff0000", grow=8, feather=4)
    expected = doll.cutout("Skirt", "Hat", options=options)
    assert np.array_equal(np.asarray(cutout_of(doll, ["Skirt", "Hat"], options)), np.asarray(expected))


def test_cutout_of_one_person_excludes_the_other(pair: Segmentation) -> None:
    keys = [part.key for part in find_parts(pair) if part.person == 2]
    alpha = np.asarray(cutout_of(pair, keys, CutoutOptions()))[..., 3]
    assert np.array_equal(alpha > 0, mask_of_parts(pair, keys))
    assert not alpha[:, :260].any() and np.array_equal(alpha[:, 260:] > 0, pair.label_map[:, 260:] > 0)


@pytest.mark.parametrize("background", ["none", "#ff0000"])
def test_preview_is_a_reduced_uncropped_cutout(doll: Segmentation, background: str) -> None:
    with Image.open(
        preview_of(seen_of(doll), ["Skirt", "Hat"], CutoutOptions(background, crop=True, margin=9, grow=4))
    ) as shown:
        assert shown.mode == "RGBA" and max(shown.size) == PREVIEW
        whole = doll.cutout("Skirt", "Hat", options=CutoutOptions(grow=4)).resize(shown.size)
        assert np.abs(np.asarray(whole, np.int16) - np.asarray(shown)).mean() < 3


def test_preview_of_a_single_person(pair: Segmentation) -> None:
    keys = [part.key for part in find_parts(pair) if part.person == 2]
    with Image.open(preview_of(seen_of(pair), keys, CutoutOptions())) as shown:
        alpha = np.asarray(shown)[..., 3]
    assert np.array_equal(alpha > 0, mask_of_parts(pair, keys))  # the photo is no larger than a preview


def test_background_picture_is_shown_in_the_preview(doll: Segmentation) -> None:
    wall = Image.new("RGB", (20, 20), "#123456")
    with Image.open(preview_of(seen_of(doll), ["Skirt"], CutoutOptions(background=wall))) as shown:
        assert shown.mode == "RGB" and shown.getpixel((0, 0)) == (0x12, 0x34, 0x56)


def test_items_follow_the_picked_parts(doll: Segmentation, pair: Segmentation) -> None:
    assert [item.name for item in items_of(doll, ["Left-shoe", "Right-shoe"])] == ["Left-shoe", "Right-shoe"]
    shoes = items_of(pair, ["Left-shoe/2", "Right-shoe/2"])
    assert [(item.index, item.wearer) for item in shoes] == [(1, 2), (2, 2)]
    assert len(items_of(pair)) > len(items_of(pair, [part.key for part in find_parts(pair) if part.person == 1]))


def test_files_have_unguessable_folders(doll: Segmentation) -> None:
    one, other = new_file(doll, "-a.png"), new_file(doll, "-a.png")
    assert one.name == other.name == "doll-a.png"
    assert one.parent != other.parent and len(one.parent.name) == 40
