"""The search field in Chromium."""

from pathlib import Path

from browsing import await_result, picked, upload
from paper_dolls import draw
from PIL import Image
from playwright.sync_api import Page, expect


def test_search_words_pick_items(page: Page, tmp_path: Path) -> None:
    for seed in (1, 2):
        Image.fromarray(draw(seed, 300, 200).image).save(tmp_path / f"{seed}.png")
    upload(page, tmp_path / "1.png")
    number = await_result(page)
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
    choosing.value.set_files(tmp_path / "2.png")
    await_result(page, number)
    expect(words).to_have_value("")
    expect(told).to_have_text("")
