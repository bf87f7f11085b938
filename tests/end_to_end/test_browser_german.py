"""The page in a German browser: every text that has a translation is translated."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import await_result, download, upload
from chromium import Visits
from paper_dolls import draw
from PIL import Image
from playwright.sync_api import Page, expect

from clothseg import Segmenter
from clothseg.app.components.parts import find_parts
from clothseg.app.i18n import NAME, catalogue
from clothseg.app.settings import DEFAULT_OPTIONS
from clothseg.labels import NAMES


TABS = ["Freistellen", "Stapel", "Live", "Vergleichen", "Info"]

TEXTS = """() => {
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (parent.checkVisibility() && !parent.closest('script, style, #figures, #manual')) {
      found.push(walker.currentNode.textContent.trim());
    }
  }
  document.querySelectorAll('[aria-label], [placeholder], img[alt]').forEach((element) => {
    if (element.checkVisibility()) {
      found.push(element.ariaLabel, element.placeholder, element.alt);
    }
  });
  return found.filter(Boolean);
}"""


@pytest.fixture
def german(served: str, visits: Visits) -> Iterator[Page]:
    with visits.page(served, locale="de-DE", viewport={"width": 1280, "height": 844}) as page:
        page.goto(served)
        yield page


def assert_german(page: Page, *, without: int) -> None:
    """No text that has a translation is shown in English, and more than `without` translations are shown."""
    said = catalogue("de")
    shown = {*page.evaluate(TEXTS)}
    english = {text for text, german in said.items() if text != german} - {*said.values(), NAME}
    assert shown & english == set()
    assert len(shown & {*said.values()}) > without
    assert not any("\ue000" in text for text in shown)


def test_segment_tab_is_translated_before_and_after_a_photo(german: Page, tiny_model: Path, tmp_path: Path) -> None:
    photo = tmp_path / "urlaub.png"
    Image.fromarray(draw(1, 300, 200).image).save(photo)
    expect(german.get_by_role("tab")).to_have_text(TABS)
    expect(german).to_have_title("clothseg: Kleidung, freigestellt")
    expect(german.locator("html")).to_have_attribute("lang", "de")
    expect(german.get_by_role("heading", name=catalogue("de")["Drop a photo to begin"])).to_be_visible()
    assert_german(german, without=10)

    upload(german, photo)
    await_result(german)
    parts, said = find_parts(Segmenter.from_pretrained(tiny_model)(photo, DEFAULT_OPTIONS)), catalogue("de")
    assert german.locator("#items .thing b").all_inner_texts() == [said[part.name] for part in parts]
    german.locator('#items [data-pick=""]', has_text="Nichts").click()
    expect(german.locator("#save")).to_be_disabled()
    german.locator("#items [data-key]").first.click()
    assert download(german, "#save", tmp_path).name == "urlaub-cutout.png"
    german.locator("#more > button").click()
    assert download(german, "#save-labels", tmp_path).name == "urlaub-labels.png"
    assert_german(german, without=25)


def test_other_tabs_are_translated_and_language_can_be_changed(german: Page, served: str) -> None:
    for name in TABS[1:]:
        german.get_by_role("tab", name=name).click()
        for closed in german.locator("button.label-wrap:visible:not(.open)").element_handles():
            closed.click()
        assert_german(german, without=10)
    rows = german.locator(".found tbody th").all_inner_texts()
    assert rows == [f"{class_id}{catalogue('de')[name]}" for class_id, name in enumerate(NAMES)]
    german.get_by_role("link", name="English").click()
    expect(german.get_by_role("tab").first).to_have_text("Segment")
    german.get_by_role("tab", name="Segment").click()
    german.locator("#examples button").first.click()
    await_result(german)
    expect(german.locator("#items h2")).to_contain_text("Items found")
