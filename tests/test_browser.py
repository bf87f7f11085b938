"""The page in a real browser: what people see, click and carry away."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from app_server import running_app
from paper_dolls import draw
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from clothseg import Segmentation, Segmenter
from clothseg.images import load_photo
from clothseg.labels import GROUPS, LABEL2ID, NAMES
from clothseg.preview import LEGEND


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
PATIENCE = 60_000  # milliseconds; a busy machine with one core is slow


@pytest.fixture(scope="module")
def app(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the app, running the tiny model."""
    with running_app(tmp_path_factory.mktemp("app"), CLOTHSEG_MODEL=str(tiny_model)) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.fail(f"The browser tests need Chromium ({', '.join(CHROMIUM)}); the Makefile installs one.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, app: str, browser: Browser) -> Iterator[Page]:
    """The opened page; at the end it must have met no error, asked no other host and fit the window's width."""
    width, scheme = request.param
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    errors: list[str] = []
    strangers: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith((app, "data:", "blob:")) else strangers.append(r.url))
    page.goto(app)
    expect(page.get_by_role("heading", name="Drop a photo to begin")).to_be_visible()
    yield page
    assert not errors
    assert not strangers
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.close()


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


def test_from_photo_to_cutout(page: Page, photos: list[Path], library: Segmenter, tmp_path: Path) -> None:
    photo, expected = photos[0], library(photos[0])
    present = [name for name in expected.areas if name != "Background"]
    upload(page, photo)
    expect(page.locator("#save")).to_have_text("Download holiday-cutout.png")
    page.locator("#cutout").scroll_into_view_if_needed()
    expect(page.locator("#cutout img")).to_be_visible()
    assert page.locator("#picker label").all_inner_texts() == present
    assert page.locator("#regions .legend-item").all_inner_texts() == [LEGEND[name] for name in present]
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
    page.locator("#regions .legend-item", has_text=LEGEND[second]).click()
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
