"""The app's page with a segmented photo, which tests share."""

from pathlib import Path
from typing import Any

from browsing import await_result, open_app, open_tab, picked, upload
from chromium import SharedPage, Visits
from playwright.sync_api import Page


class SegmentedPage(SharedPage):
    """The page with the cut-out of a photo, as it is just after the photo's analysis.

    Tests may pick, correct, open other photos, other tabs and further files, but not change settings.
    """

    def __init__(self, visits: Visits, url: str, photo: Path, **options: Any) -> None:
        super().__init__(visits, url, **options)
        self.photo = photo

    def prepare(self, page: Page) -> None:
        open_app(page, self.url)
        upload(page, self.photo)
        self.number = await_result(page)
        self.picks = picked(page)

    def reset(self, page: Page) -> bool:
        if page.evaluate("window.clothseg.choice().edits.length"):
            return False  # the app keeps corrections of a photo that is opened again
        if page.evaluate("window.clothseg.choice().number") != self.number:
            return False  # another photo, or this one again, in which case opening it once more changes nothing
        if not page.locator("#work").is_visible():
            open_tab(page, "Segment")
        page.evaluate(
            """(pick) => {
              const detail = {pick, hover: null, view: 'cutout', opacity: 0.6, correct: false};
              document.dispatchEvent(new CustomEvent('stage:do', {detail}));
              document.querySelector('#more > button.open')?.click();
              document.activeElement?.blur();
              scrollTo(0, 0);
            }""",
            self.picks,
        )
        page.mouse.move(0, 0)
        return picked(page) == self.picks
