"""Picking parts of a photo on the page in a real browser: by card, click, group, words and keys.

Covers `clothseg.app.tabs.segment`, `clothseg/app/page/cards.js`, `clothseg/app/page/find.js`.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
from browsing import (
    assert_file,
    await_result,
    card,
    download,
    inner_point,
    on_desktop,
    on_phone,
    only,
    open_more,
    picked,
    stage_point,
    upload,
)
from paper_dolls import draw
from PIL import Image
from playwright.sync_api import Page, expect

from clothseg import Segmentation, Segmenter
from clothseg.app.components.parts import find_parts, mask_of_parts
from clothseg.app.settings import DEFAULT_CUTOUT, DEFAULT_OPTIONS
from clothseg.labels import GROUPS


def test_parts_can_be_picked_by_card_click_and_group(shown: Page, expected: Segmentation, tmp_path: Path) -> None:
    page = shown
    one, two, three = sorted(expected.areas, key=lambda name: -expected.areas[name])[:3]
    assert "Background" not in (one, two, three), "the tiny model finds background in the photo"
    page.locator('#items [data-pick=""]').click()
    expect(page.locator("#save")).to_be_disabled()
    open_more(page)
    expect(page.locator("#save-each")).to_be_disabled()
    only(page, one)
    assert picked(page) == [one]
    card(page, two).click()
    page.locator(".stage .list").click(position=stage_point(page, expected, inner_point(expected.mask(three))))
    assert {*picked(page)} == {one, two, three}
    # The download starts before the server has received the last pick.
    card(page, two).click()
    assert_file(
        download(page, "#save", tmp_path),
        expected,
        [part.key for part in find_parts(expected) if part.name in (one, three)],
        DEFAULT_CUTOUT,
    )
    page.get_by_role("button", name="Body", exact=True).click()
    assert picked(page) == [part.key for part in find_parts(expected) if part.name in GROUPS["Body"]]


@on_desktop
def test_picks_are_kept_for_the_next_photo(
    shown: Page, photos: list[Path], library: Segmenter, tmp_path: Path
) -> None:
    page = shown
    both = [library(photo, DEFAULT_OPTIONS) for photo in photos]
    name = next(part.key for part in find_parts(both[0]) if part.key in {each.key for each in find_parts(both[1])})
    only(page, name)
    number = await_result(page)
    upload(page, photos[1])
    await_result(page, number)
    assert picked(page) == [name]
    path = download(page, "#save", tmp_path)
    assert path.name == "evening-cutout.png"
    assert_file(path, both[1], [name], DEFAULT_CUTOUT)


@on_phone
def test_search_words_pick_items(shown: Page, photos: list[Path]) -> None:
    page, number = shown, await_result(shown)
    keys = page.locator("#items [data-key]").evaluate_all("cards => cards.map((card) => card.dataset.key)")
    words, told = page.locator("#find input"), page.locator("#find-told")
    words.press_sequentially(f"everything but the velvet {keys[0]}")
    expect(told).to_contain_text("Ignored: “velvet”.")
    page.wait_for_function("keys => String(window.clothseg.choice().picked) === String(keys)", arg=keys[1:])
    assert picked(page) == keys[1:]
    words.fill("velvet")
    expect(told).to_contain_text("Nothing of “velvet” was understood.")
    assert picked(page) == keys[1:], "unknown words must not change the picks"
    page.locator("#new-photo").wait_for()
    with page.expect_file_chooser() as choosing:
        page.locator("#new-photo").click()
    choosing.value.set_files(photos[1])
    await_result(page, number)
    expect(words).to_have_value("")
    expect(told).to_have_text("")


@on_desktop
def test_download_button_is_reached_with_few_tab_presses(shown: Page) -> None:
    page = shown
    page.locator(".stage .views input").first.focus()
    keys = []
    while page.evaluate("document.activeElement.id") != "save":
        page.keyboard.press("Tab")
        keys.append(page.evaluate("document.activeElement.dataset.key"))
        assert len(keys) <= 11, keys
    (first,) = filter(None, keys)
    before = picked(page)
    card(page, first).focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.key") not in (None, first)
    expect(card(page, first)).to_have_attribute("aria-pressed", str(first not in before).lower())


@on_phone
def test_one_of_three_people_can_be_cut_out(page: Page, library: Segmenter, tmp_path: Path) -> None:
    path = tmp_path / "three.png"
    Image.fromarray(np.hstack([draw(seed, 400, 260).image for seed in (1, 2, 3)])).save(path)
    page.get_by_role("button", name="Detection settings").first.click()
    page.locator("#look").get_by_label("Separate people").check()
    upload(page, path)
    await_result(page)
    result = library(path, DEFAULT_OPTIONS, people="all")
    parts = find_parts(result)
    assert page.locator("#items [data-key]").evaluate_all("all => all.map((each) => each.dataset.key)") == [
        part.key for part in parts
    ]
    with page.expect_response(lambda answer: answer.url.endswith("-preview.png")) as refined:
        only(page, parts[0].key)
    with Image.open(BytesIO(refined.value.body())) as image:
        assert np.asarray(image)[..., 3].any(), "the preview of one person's cut-out is empty"
    with Image.open(download(page, "#save", tmp_path)) as image:
        alpha = np.asarray(image)[..., 3]
    assert alpha.any() and not alpha[~mask_of_parts(result, [parts[0].key])].any()
