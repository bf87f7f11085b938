"""The page in a browser whose owner reads German: no English is left on it but that of programs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import PATIENCE, download, upload
from paper_dolls import draw
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from clothseg import Segmenter
from clothseg.app.i18n import NAME, catalogue, use_language
from clothseg.app.previews import legend, names_found
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
def german(served: str, browser: Browser) -> Iterator[Page]:
    page = browser.new_page(locale="de-DE", viewport={"width": 1280, "height": 844})
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.goto(served)
    yield page
    page.close()


def assert_german(page: Page, *, without: int) -> None:
    """None of the texts that have a translation is to be seen, but many translations are."""
    said = catalogue("de")
    shown = {*page.evaluate(TEXTS)}
    english = {text for text, german in said.items() if text != german} - {*said.values(), NAME}
    assert shown & english == set()
    assert len(shown & {*said.values()}) > without
    assert not any("\ue000" in text for text in shown)


def test_a_photo_in_german(german: Page, tiny_model: Path, tmp_path: Path) -> None:
    photo = tmp_path / "urlaub.png"
    Image.fromarray(draw(1, 300, 200).image).save(photo)
    expect(german.get_by_role("tab")).to_have_text(TABS)
    expect(german).to_have_title("clothseg: Kleidung, freigestellt")
    expect(german.locator("html")).to_have_attribute("lang", "de")
    assert_german(german, without=10)

    upload(german, photo)
    expect(german.locator("#save")).to_have_text("urlaub-cutout.png herunterladen")
    present, said = names_found(Segmenter.from_pretrained(tiny_model)(photo)), catalogue("de")
    assert german.locator("#picker label").all_inner_texts() == [said[name] for name in present]
    with use_language("de"):
        assert german.locator("#regions .legend-item").all_inner_texts() == [legend(name) for name in present]
    german.get_by_role("button", name="Leeren").click()
    german.locator("#regions .legend-item").first.click()
    expect(german.locator("#picker label.selected")).to_have_text([said[present[0]]])
    expect(german.locator("#save")).to_be_enabled()
    assert download(german, "#save-labels", tmp_path).name == "urlaub-labels.png"
    assert "," in german.locator(".found td").filter(has_text="%").first.inner_text()
    german.locator("#examples button").first.click()
    expect(german.locator("#save")).to_have_text("astronaut-cutout.png herunterladen")
    assert_german(german, without=25)


def test_the_other_tabs_in_german_and_the_way_to_english(german: Page, served: str) -> None:
    for name in TABS[1:]:
        german.get_by_role("tab", name=name).click()
        for closed in german.locator("button.label-wrap:visible:not(.open)").element_handles():
            closed.click()
        assert_german(german, without=10)
    rows = german.locator(".found tbody th").all_inner_texts()
    assert rows == [f"{class_id}{catalogue('de')[name]}" for class_id, name in enumerate(NAMES)]
    german.get_by_role("link", name="English").click()
    expect(german.get_by_role("tab").first).to_have_text("Segment")
    german.locator("#examples button").first.click()
    expect(german.locator("#save")).to_have_text("Download astronaut-cutout.png")
    expect(german.locator(".found caption")).to_contain_text("What was found")
