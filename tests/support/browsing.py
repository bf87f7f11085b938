"""Actions and look-ups on the page, shared by the browser tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from chromium import DESKTOP, PHONE
from PIL import Image
from playwright.sync_api import Locator, Page, Position, expect

from clothseg import Segmentation
from clothseg.app.selection import cutout_of
from clothseg.options import CutoutOptions


on_desktop, on_phone = (
    pytest.mark.parametrize("window", [window], ids=[name], indirect=True)
    for name, window in {"desktop": DESKTOP, "phone": PHONE}.items()
)


def open_app(page: Page, url: str) -> None:
    """Open the app's page and wait until it can be used."""
    page.goto(url)
    expect(page.get_by_role("heading", name="Drop a photo to begin")).to_be_visible()


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def upload(page: Page, path: Path) -> None:
    page.locator("#photo input[type=file]").set_input_files(path)


def download(page: Page, button: str, folder: Path) -> Path:
    """Click a download button and return the file, under the name that the browser would give it."""
    with page.expect_download() as waiting:
        page.locator(button).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def await_result(page: Page, before: int | None = None) -> int:
    """Wait until the stage and the cards show a result other than number `before`; returns its number."""
    page.wait_for_function(
        "before => ![0, before].includes(window.clothseg?.choice().number) && document.querySelector('#items .thing')",
        arg=before,
    )
    return int(page.evaluate("window.clothseg.choice().number"))


def picked(page: Page) -> list[str]:
    """Keys of the parts picked on the stage, after checking that the cards agree."""
    # Cards are updated after the stage: for a moment, those of the previous photo remain.
    keys = page.wait_for_function("""() => {
      const pressed = document.querySelectorAll('#items [data-key][aria-pressed="true"]');
      const keys = window.clothseg.choice().picked;
      return String([...pressed].map((each) => each.dataset.key)) === String(keys) && keys;
    }""").json_value()
    return list(keys)


def card(page: Page, key: str) -> Locator:
    """The card of the part with this key."""
    return page.locator(f'#items [data-key="{key}"]')


def only(page: Page, key: str) -> None:
    """Pick only this part."""
    card(page, key).dblclick()


def stage_point(page: Page, result: Segmentation, at: tuple[float, float]) -> Position:
    """Position in the stage's frame of a pixel (x, y) of the photo."""
    left, top, width, height = page.evaluate(
        """async () => {
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          return JSON.parse(document.querySelector('.stage .frame').dataset.photo);
        }"""
    )
    across, down = width / result.photo.width, height / result.photo.height
    return {"x": left + (at[0] + 0.5) * across, "y": top + (at[1] + 0.5) * down}


def inner_point(mask: np.ndarray) -> tuple[int, int]:
    """The x, y of the mask's pixel farthest from its border."""
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return int(x) - 1, int(y) - 1


def open_more(page: Page) -> None:
    """Open the section with further files, unless it is open."""
    if not page.locator("#save-labels").is_visible():
        page.locator("#more > button").click()


def assert_file(path: Path, result: Segmentation, keys: Sequence[str], options: CutoutOptions) -> None:
    """The file is the library's cut-out of these parts."""
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), np.asarray(cutout_of(result, keys, options)))


def assert_labels(page: Page, label_map: np.ndarray, folder: Path) -> None:
    """The page gives this label map for download."""
    open_more(page)
    with Image.open(download(page, "#save-labels", folder)) as image:
        assert np.array_equal(np.asarray(image), label_map)


def accessibility_problems(page: Page, rules: Sequence[str] = (), within: str | None = None) -> list[dict[str, Any]]:
    """Violations that axe reports of the named rules, or of all rules, in the page or the element `within`."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE_SCRIPT)
    options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    return page.evaluate(
        "async ([place, options]) => (await axe.run(place || document, options)).violations", [within, options]
    )
