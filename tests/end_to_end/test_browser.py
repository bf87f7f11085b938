"""The page in a real browser: what people see, click and carry away.

Covers `clothseg.app.theme`, `clothseg.app.tabs.segment`.
"""

import json
import re
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from browsing import (
    DESKTOP,
    PHONE,
    assert_cutout,
    await_cutout,
    download,
    inner_point,
    picked,
    upload,
)
from paper_dolls import draw
from PIL import Image
from playwright.sync_api import Page, expect

from clothseg import Segmenter
from clothseg.app.previews import legend
from clothseg.labels import GROUPS, NAMES
from clothseg.options import CutoutOptions


@pytest.fixture(scope="module")
def library(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(tiny_model)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / "holiday.jpg", folder / "evening.png"]
    for seed, path in enumerate(paths, start=1):
        Image.fromarray(draw(seed, 600, 400).image).save(path)
    return paths


def test_from_photo_to_cutout(page: Page, photos: list[Path], library: Segmenter, tmp_path: Path) -> None:
    photo, expected = photos[0], library(photos[0])
    present = [name for name in expected.areas if name != "Background"]
    upload(page, photo)
    expect(page.locator("#save")).to_have_text("Download holiday-cutout.png")
    page.locator("#cutout").scroll_into_view_if_needed()
    expect(page.locator("#cutout img")).to_be_visible()
    assert page.locator("#picker label").all_inner_texts() == present
    assert page.locator("#regions .legend-item").all_inner_texts() == [legend(name) for name in present]
    items = expected.items(*NAMES[1:])
    expect(page.locator(".found tbody tr")).to_have_count(len(items))
    listed = page.locator(".found tbody th").all_inner_texts()
    assert listed == [f"{item.class_id}{item.name}" for item in items]
    assert picked(page) == [name for name in present if name in GROUPS["All garments"]]

    labels = download(page, "#save-labels", tmp_path)
    assert labels.name == "holiday-labels.png"
    with Image.open(labels) as image:
        assert np.array_equal(np.asarray(image), expected.label_map)
    assert download(page, "#save-summary", tmp_path).name == "holiday.json"
    cutout = download(page, "#save", tmp_path)
    assert cutout.name == "holiday-cutout.png"
    assert_cutout(cutout, photo, expected, picked(page))


def test_every_way_to_pick(page: Page, photos: list[Path], library: Segmenter, tmp_path: Path) -> None:
    photo, expected = photos[0], library(photos[0])
    first, second, third = sorted(expected.areas, key=lambda name: -expected.areas[name])[:3]
    assert "Background" not in (first, second, third), "the tiny model sees a person everywhere"
    upload(page, photo)
    save = page.locator("#save")
    expect(save).to_have_text("Download holiday-cutout.png")

    page.get_by_role("button", name="Clear", exact=True).click()
    expect(save).to_have_text("Pick something to cut out")
    expect(save).to_be_disabled()

    page.locator("#picker label", has_text=first).click()
    before = await_cutout(page, None)
    page.locator("#regions .legend-item", has_text=legend(second)).click()
    before = await_cutout(page, before)
    shown = page.locator("#photo img").first
    x, y = inner_point(expected.mask(third))
    box = shown.bounding_box()
    scale = box["height"] / expected.photo.height
    left = (box["width"] - scale * expected.photo.width) / 2
    shown.click(position={"x": left + (x + 0.5) * scale, "y": (y + 0.5) * scale})
    await_cutout(page, before)
    assert set(picked(page)) == {first, second, third}
    assert_cutout(download(page, "#save", tmp_path), photo, expected, [first, second, third])

    page.get_by_role("button", name="Body").click()
    body = [name for name in GROUPS["Body"] if name in expected.areas]
    expect(page.locator("#picker label.selected")).to_have_count(len(body))
    assert set(picked(page)) == set(body)


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_a_pick_right_after_clear_stays(page: Page, photos: list[Path]) -> None:
    upload(page, photos[0])
    expect(page.locator("#save")).to_have_text("Download holiday-cutout.png")
    # The network is slow from now on.
    page.evaluate(
        "() => { const quick = window.fetch; window.fetch = (...call) => "
        "new Promise((done) => setTimeout(done, 400)).then(() => quick(...call)); }"
    )
    page.get_by_role("button", name="Clear", exact=True).click()
    page.locator("#picker label", has_text="Hair").click()
    await_cutout(page, page.locator("#cutout img").get_attribute("src"))
    assert picked(page) == ["Hair"]


def test_the_next_photo_replaces_the_last(page: Page, photos: list[Path], library: Segmenter, tmp_path: Path) -> None:
    upload(page, photos[0])
    expect(page.locator("#save")).to_have_text("Download holiday-cutout.png")
    page.locator("#photo").get_by_label("Remove Image").click()
    expect(page.get_by_role("heading", name="Drop a photo to begin")).to_be_visible()
    expect(page.locator("#save")).to_have_count(0)
    upload(page, photos[1])
    expect(page.locator("#save")).to_have_text("Download evening-cutout.png")
    assert_cutout(download(page, "#save", tmp_path), photos[1], library(photos[1]), picked(page))


def test_what_is_not_a_photo_is_said_so_and_the_next_one_works(page: Page, photos: list[Path], tmp_path: Path) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    upload(page, text)
    expect(page.get_by_role("alert")).to_contain_text("notes.jpg is not a readable image; use JPEG, PNG")
    page.locator("#photo").get_by_label("Remove Image").click()
    upload(page, photos[0])
    expect(page.locator("#save")).to_have_text("Download holiday-cutout.png")


def test_examples_are_one_click_away(page: Page) -> None:
    page.locator("#examples button").first.click()
    expect(page.locator("#save")).to_have_text("Download astronaut-cutout.png")


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_another_way_to_look_keeps_what_is_picked(
    page: Page, photos: list[Path], library: Segmenter, tmp_path: Path
) -> None:
    upload(page, photos[0])
    before = await_cutout(page, None)
    page.get_by_role("button", name="Clear", exact=True).click()
    page.locator("#picker label", has_text="Hair").click()
    before = await_cutout(page, before)
    page.get_by_role("button", name="How to look at the photo").click()
    page.get_by_label("Follow the photo’s edges").first.uncheck()
    await_cutout(page, before)
    assert picked(page) == ["Hair"]
    expected = library(photos[0], edges="plain")
    with Image.open(download(page, "#save-labels", tmp_path)) as image:
        assert np.array_equal(np.asarray(image), expected.label_map)
    assert_cutout(download(page, "#save", tmp_path), photos[0], expected, ["Hair"])


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_regions_can_be_weaker_and_be_drawn_aside(page: Page, photos: list[Path]) -> None:
    upload(page, photos[0])
    mask = page.locator("#regions .mask").first
    expect(mask).to_be_visible()
    page.locator("#opacity input[type=number]").fill("0.2")
    page.locator("#opacity input[type=number]").press("Enter")
    page.wait_for_function("getComputedStyle(document.querySelector('#regions .mask')).opacity < 0.35")
    page.get_by_label("Before and after").check()
    expect(page.locator("#before-after img").first).to_be_visible()
    expect(page.locator("#regions")).to_be_hidden()
    page.get_by_label("Regions", exact=True).check()
    expect(mask).to_be_visible()


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_a_cutout_as_it_is_wanted(page: Page, photos: list[Path], library: Segmenter, tmp_path: Path) -> None:
    upload(page, photos[0])
    expect(page.locator("#save")).to_be_enabled()
    page.get_by_role("button", name="Edges, crop and what lies behind").first.click()
    page.locator("#ground").get_by_label("Colour").check()
    page.locator("#cutout-options").get_by_role("checkbox", name="Crop").check()
    page.locator("#cutout-options").get_by_role("checkbox", name="Drop specks").check()
    page.wait_for_timeout(500)
    expect(page.locator("#save")).to_be_enabled()
    options = CutoutOptions(background="#ffffff", crop=True, drop_specks=True)
    names = picked(page)
    with Image.open(download(page, "#save", tmp_path)) as image:
        assert np.array_equal(np.asarray(image), np.asarray(library(photos[0]).cutout(*names, options=options)))
    with page.expect_download() as waiting:
        page.locator("#save-each").click()
    assert waiting.value.suggested_filename == "holiday-items.zip"
    items = library(photos[0]).items(*names)
    with zipfile.ZipFile(BytesIO(waiting.value.path().read_bytes())) as archive:
        assert sum(name.endswith(".png") for name in archive.namelist()) == len(items)
    listed = json.loads(download(page, "#save-items", tmp_path).read_text())
    assert len(listed["items"]) == len(library(photos[0]).items(*NAMES[1:]))
    assert json.loads(download(page, "#save-coco", tmp_path).read_text())["annotations"]


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_a_link_brings_its_settings(page: Page, served: str, photos: list[Path], library: Segmenter) -> None:
    query = "?edges=plain&keep=Hair,Face&opacity=0.4&background=%23ff8800&crop=true"
    page.goto(served + query)
    page.wait_for_function("getComputedStyle(document.documentElement).getPropertyValue('--regions-opacity') == '0.4'")
    upload(page, photos[0])
    expect(page.locator("#save")).to_be_enabled()
    expect(page.locator("#opacity input[type=number]")).to_have_value("0.4")
    assert picked(page) == ["Hair", "Face"]
    expected = library(photos[0], edges="plain")
    with page.expect_download() as waiting:
        page.locator("#save").click()
    with Image.open(waiting.value.path()) as image:
        options = CutoutOptions(background="#ff8800", crop=True)
        assert np.array_equal(np.asarray(image), np.asarray(expected.cutout("Hair", "Face", options=options)))
    page.locator("#link").click()
    expect(page.locator("#link-text textarea, #link-text input")).to_have_value(f"{served}/{query}")


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_a_click_counts_in_fullscreen_too(page: Page, photos: list[Path], library: Segmenter) -> None:
    expected = library(photos[0])
    name = max(GROUPS["All garments"], key=lambda name: expected.areas.get(name, 0))
    upload(page, photos[0])
    expect(page.locator("#save")).to_be_enabled()
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.locator("#picker label.selected")).to_have_count(0)
    page.locator("#photo").get_by_label("Fullscreen").click()
    page.wait_for_timeout(500)
    shown = page.locator("#photo img").first
    box = shown.bounding_box()
    scale = min(box["width"] / expected.photo.width, box["height"] / expected.photo.height, 1)
    left = (box["width"] - scale * expected.photo.width) / 2
    top = (box["height"] - scale * expected.photo.height) / 2
    x, y = inner_point(expected.mask(name))
    shown.click(position={"x": left + (x + 0.5) * scale, "y": top + (y + 0.5) * scale})
    expect(page.locator("#picker label.selected")).to_have_count(1)
    assert picked(page) == [name]


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_regions_lie_over_the_photo_in_fullscreen_too(page: Page, photos: list[Path]) -> None:
    upload(page, photos[0])
    expect(page.locator("#save")).to_be_enabled()
    before = picked(page)
    page.locator("#regions").get_by_label("Fullscreen").click()
    page.wait_for_timeout(500)
    places = page.locator("#regions .image-container > img").evaluate_all(
        "images => images.map((image) => JSON.stringify(image.getBoundingClientRect()))"
    )
    assert len(places) > 2 and len({*places}) == 1
    assert json.loads(places[0])["height"] > 600
    name = page.locator("#regions .legend-item").first
    expect(name).to_be_in_viewport()
    name.click()
    page.keyboard.press("Escape")
    expect(page.locator("#regions")).not_to_have_class(re.compile("fullscreen"))
    expect(page.locator("#picker label.selected")).not_to_have_count(len(before))


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_garments_can_be_picked_from_the_keyboard(page: Page, photos: list[Path]) -> None:
    upload(page, photos[0])
    expect(page.locator("#save")).to_be_enabled()
    box = page.locator("#picker input").first
    was = box.is_checked()
    page.locator("#clear").focus()
    page.keyboard.press("Tab")
    assert box.evaluate("box => box === document.activeElement")
    page.keyboard.press("Space")
    expect(box).to_be_checked(checked=not was)
