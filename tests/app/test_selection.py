"""What the tab for one photo answers, without a browser."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.utils import deep_hash
from paper_dolls import draw
from PIL import Image

from clothseg import Segmentation
from clothseg.app import selection
from clothseg.app.downloads import new_file
from clothseg.app.previews import PREVIEW, names_found
from clothseg.app.settings import cutout_values
from clothseg.app.tabs.segment import CutoutRequest, PhotoResult
from clothseg.labels import GROUPS, LABEL2ID
from clothseg.options import CutoutOptions


@pytest.fixture
def doll() -> Segmentation:
    """A result without a model: the doll's own mask, larger than the page's previews."""
    image, mask, _ = draw(3, 1600, 1100)
    return Segmentation(Image.fromarray(image), mask, name="doll.webp")


@pytest.fixture
def seen(doll: Segmentation) -> PhotoResult:
    return PhotoResult("doll.webp", doll)


def read(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_cut_shows_a_preview_first_and_then_offers_the_file(
    seen: PhotoResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    options = CutoutOptions(background="#ff0000", grow=8, feather=4)
    (preview, waiting), (_, ready) = selection.cut(CutoutRequest(seen, ("Skirt", "Hat"), options))
    shown = read(preview)
    assert shown.shape[2] == 3 and max(shown.shape) == PREVIEW
    assert waiting["value"] is None and not waiting["interactive"]
    assert Path(ready["value"]).name == "doll-cutout.png" and ready["interactive"]
    expected = seen.result.cutout("Skirt", "Hat", options=options)
    assert np.array_equal(read(ready["value"]), np.asarray(expected))
    small = np.asarray(expected.resize(shown.shape[1::-1]), np.int16)
    assert np.abs(small - shown).mean() < 3, "the preview is the file, but smaller"


def test_no_wish_is_taken_for_an_earlier_one(seen: PhotoResult) -> None:
    # As gradio does, to tell whether a state has changed; by their places in memory, these would be but two or three.
    assert len({deep_hash(CutoutRequest(seen)) for _ in range(50)}) == len(
        {deep_hash(PhotoResult("", seen.result)) for _ in range(50)}
    )
    assert len({deep_hash(CutoutRequest(seen)) for _ in range(50)}) == 50


@pytest.mark.parametrize("names", [(), ("Hat",)])
def test_cut_without_photo_or_pick_offers_nothing(seen: PhotoResult, names: tuple[str, ...]) -> None:
    ((preview, button),) = selection.cut(CutoutRequest(None if names else seen, names))
    assert preview is None and button["value"] is None and not button["interactive"]


def test_want_withdraws_the_old_file_only_if_something_else_is_wanted(seen: PhotoResult) -> None:
    plain, other = cutout_values(CutoutOptions()), cutout_values(CutoutOptions(crop=True))
    before = CutoutRequest(seen, ("Hat",))
    assert selection.request_cutout(seen, ["Hat"], before, *plain) == (gr.skip(), gr.skip())
    for names, values in ((["Skirt"], plain), (["Hat"], other)):
        wish, button = selection.request_cutout(seen, names, before, *values)
        assert (wish.seen, wish.names, wish.options.crop) == (seen, tuple(names), values is other)
        assert button["interactive"] is False


def test_a_click_on_the_photo_adds_and_takes_away(seen: PhotoResult) -> None:
    y, x = np.argwhere(seen.result.label_map == LABEL2ID["Skirt"])[0].tolist()

    def click(names: list[str], x: int, y: int) -> Any:
        return selection.pick_at(seen, names, gr.SelectData(None, {"index": [x, y], "value": None}))

    assert click(["Hat"], x, y) == ["Hat", "Skirt"]
    assert click(["Skirt", "Hat"], x, y) == ["Hat"]
    for nowhere in ((0, 0), (9999, 5), (-1, 5)):
        assert click(["Hat"], *nowhere) == gr.skip()


def test_a_click_on_a_name_adds_and_takes_away() -> None:
    event = gr.SelectData(None, {"index": 0, "value": "5 Skirt"})
    assert selection.pick_named(["Hat"], event) == ["Hat", "Skirt"]
    assert selection.pick_named(["Skirt"], event) == []


@pytest.mark.parametrize(
    ("kept", "before", "expected"),
    [
        ([], None, ["Hat", "Dress"]),
        (["Face", "Bag"], None, ["Face"]),
        (["Bag"], None, ["Hat", "Dress"]),
        (["Face"], ["Dress", "Bag"], ["Dress"]),
        ([], [], []),
    ],
)
def test_what_is_picked_at_first(kept: list[str], before: list[str] | None, expected: list[str]) -> None:
    assert selection.picks(["Hat", "Dress", "Face"], kept, before) == expected
    assert selection.picks(["Face"], [], None) == ["Face"], "everything, if there is no garment"


def test_presets_name_what_is_there() -> None:
    present = ["Hat", "Dress", "Left-shoe", "Face"]
    assert {group: selection.of_group(group, present) for group in GROUPS} == {
        "All garments": ["Hat", "Dress", "Left-shoe"],
        "Upper": ["Dress"],
        "Lower": ["Dress"],
        "Shoes and accessories": ["Hat", "Left-shoe"],
        "Body": ["Face"],
    }


def test_the_list_and_its_files_say_the_same(
    seen: PhotoResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    table, items, coco = selection.describe(seen, False)
    listed = re.findall(r"</i>([\w-]+)</th>", table)
    assert {*listed} == {*names_found(seen.result)}
    told = json.loads(Path(items).read_text())
    assert [item["name"] for item in told["items"]] == listed
    assert all(color["name"] in table for item in told["items"] for color in item["colors"][:3])
    assert len(json.loads(Path(coco).read_text())["annotations"]) == len(listed)


def test_each_item_of_the_classes_picked_is_a_file(
    seen: PhotoResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    path = selection.each_item(seen, CutoutRequest(seen, ("Left-shoe", "Right-shoe"), CutoutOptions(crop=True)))
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert names == ["items.json", "coco.json", "01-Left-shoe.png", "02-Right-shoe.png"]
    with pytest.raises(gr.Error, match="Pick something first"):
        selection.each_item(seen, CutoutRequest(seen))


def test_files_lie_in_folders_that_cannot_be_guessed(
    doll: Segmentation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    one, other = new_file(doll, "-a.png"), new_file(doll, "-a.png")
    assert one.name == other.name == "doll-a.png"
    assert one.parent != other.parent and len(one.parent.name) == 40
