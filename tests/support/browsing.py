"""Actions and look-ups on the page, shared by the browser tests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Position, expect

from clothseg import Segmentation
from clothseg.images.decode import load_photo
from clothseg.labels import LABEL2ID


CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
HEADLESS = "chromium-headless-shell"
"""The same browser without windows, preferred if installed: a page takes two thirds of the time."""
# Keep the browser from contacting its maker, for example for updates; only the page's own requests matter here.
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
CAMERA_SIZE = 640, 480
PATIENCE = 60_000  # milliseconds; a busy machine with one core is slow
DESKTOP, PHONE = (1280, "light"), (390, "dark")


def camera_shows(picture: Image.Image, path: Path) -> list[str]:
    """Flags for a browser whose camera shows one picture of `CAMERA_SIZE`, which is written to `path`."""
    file = BytesIO()
    picture.resize(CAMERA_SIZE).save(file, "JPEG", quality=95)
    path.write_bytes(file.getvalue() * 5)
    return [*CAMERA, f"--use-file-for-fake-video-capture={path}"]


def find_browser() -> str:
    """Path of the browser for tests."""
    names = HEADLESS, *CHROMIUM
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.fail(f"The browser tests need Chromium ({', '.join(names)}); the Makefile installs one.")
    return path


class Visits:
    """Opens pages: the app sees a new visitor for each, but pages of one size share the browser's file cache."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.contexts: dict[str, BrowserContext] = {}

    @contextmanager
    def page(self, url: str, **options: Any) -> Iterator[Page]:
        """An empty page for the app at `url` in a context with these options; its storage is cleared at the end."""
        key = repr(sorted(options.items()))
        if key not in self.contexts:
            self.contexts[key] = self.browser.new_context(**options)
        context = self.contexts[key]
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        try:
            yield page
        finally:
            stored = {"origin": url.rstrip("/"), "storageTypes": "cookies,local_storage,indexeddb"}
            context.new_cdp_session(page).send("Storage.clearDataForOrigin", stored)
            context.clear_permissions()
            page.close()


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


def assert_cutout(path: Path, photo: Path, result: Segmentation, names: list[str]) -> None:
    with Image.open(path) as image:
        pixels = np.asarray(image)
    mask = np.isin(result.label_map, [LABEL2ID[name] for name in names])
    assert np.array_equal(pixels[..., 3], np.where(mask, 255, 0))
    assert np.array_equal(pixels[mask][:, :3], np.asarray(load_photo(photo))[mask])
    assert not pixels[~mask].any()
