"""The live tab: its function, and the tab in a browser with a fake camera."""

import base64
from collections.abc import Iterator
from io import BytesIO
from itertools import count
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from chromium import CAMERA, FLAGS, PATIENCE, find_browser
from moving_pictures import handheld
from paper_dolls import draw
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from clothseg import Segmenter
from clothseg.app.server.gradio_internals import WITHOUT_REQUEST
from clothseg.app.tabs.live import SIDE, live_tab, picture, start, watcher
from clothseg.video.stream import Stream


@pytest.fixture(scope="module")
def segmenter(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(tiny_model, engine="torch", device="cpu")


def jpeg(pixels: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    doll = draw(3, 160, 120)
    return [jpeg(frame) for frame in handheld(doll.image, doll.mask, 4, np.random.default_rng(0)).frames]


def test_live_frames_are_smoothed_and_counted(segmenter: Segmenter, frames: list[bytes]) -> None:
    ticks = count(step=0.125)
    watch, live, stream = watcher(segmenter, lambda: next(ticks)), None, Stream(segmenter)
    said = ""
    for frame in frames:
        shown, said, live = watch(frame, True, live)
        assert shown == picture(stream(Image.open(BytesIO(frame))).overlay())
    assert said == "<p>4.0 frames per second, 96 × 128 pixels</p>"  # the clock is read twice per frame


def test_pause_or_changed_option_restarts_the_stream(segmenter: Segmenter, frames: list[bytes]) -> None:
    now = 0.0
    watch = watcher(segmenter, lambda: now)
    _, _, first = watch(frames[0], True, None)
    _, _, same = watch(frames[1], True, first)
    _, _, plain = watch(frames[2], False, same)
    now = 3.0
    _, _, later = watch(frames[3], False, plain)
    assert first is same and same is not plain and plain is not later


def test_large_frames_are_reduced_and_broken_ones_reported(segmenter: Segmenter) -> None:
    watch = watcher(segmenter)
    shown, said, _ = watch(jpeg(np.zeros((1080, 1920, 3), np.uint8)), True, None)
    data = base64.b64decode(shown.partition("base64,")[2].partition('"')[0])
    assert Image.open(BytesIO(data)).size == (SIDE, SIDE * 1080 // 1920) and "720 × 405" in said
    assert "role='alert'>The photo is not a readable image" in watch(b"none", True, None)[1]
    assert watch(None, True, None) == ("", start(), None)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gradio's temporary folder."""
    return tmp_path_factory.mktemp("gradio")


@pytest.fixture(scope="module")
def page_url(segmenter: Segmenter, kept: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(kept))
        with gr.Blocks() as page:
            live_tab(segmenter)
    page.queue()
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, **WITHOUT_REQUEST)
    yield url
    page.close()


def test_live_tab_works_in_a_browser(page_url: str, kept: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=[*FLAGS, *CAMERA])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(page_url)
        camera = page.locator("#live-camera")
        camera.get_by_role("button", name="Allow camera").click()
        camera.get_by_role("button", name="Start camera").click()
        expect(page.locator("#live-said")).to_contain_text("frames per second")
        first = page.locator("#live-regions img").get_attribute("src")
        page.wait_for_function(
            "old => { const image = document.querySelector('#live-regions img');"
            " return image.src !== old && [640, 720].includes(image.naturalWidth); }",
            arg=first,
        )
        camera.get_by_role("button", name="Stop camera").click()
        expect(camera.get_by_role("button", name="Start camera")).to_be_visible()
        assert not errors
        assert not [path for path in kept.rglob("*") if path.is_file()]
        browser.close()
