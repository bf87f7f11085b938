"""What the browser tests do on the page, and what they look at."""

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from clothseg import Segmentation
from clothseg.images.decode import load_photo
from clothseg.labels import LABEL2ID


CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# A browser asks its makers' hosts for updates and the like; only the page's own requests are of interest here.
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
    """Flags for a browser whose camera shows one picture, which is written to `path`, at `CAMERA_SIZE`."""
    file = BytesIO()
    picture.resize(CAMERA_SIZE).save(file, "JPEG", quality=95)
    path.write_bytes(file.getvalue() * 5)
    return [*CAMERA, f"--use-file-for-fake-video-capture={path}"]


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


def await_cutout(page: Page, before: str | None) -> str:
    """Wait until another cut-out than `before` (the address of its picture) is shown and can be downloaded."""
    page.wait_for_function("old => ![old, undefined].includes(document.querySelector('#cutout img')?.src)", arg=before)
    expect(page.locator("#save")).to_be_enabled()
    return page.locator("#cutout img").get_attribute("src")


def picked(page: Page) -> list[str]:
    return page.locator("#picker label.selected").all_inner_texts()


def inner_point(mask: np.ndarray) -> tuple[int, int]:
    """The x, y that lie deepest in the mask."""
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
