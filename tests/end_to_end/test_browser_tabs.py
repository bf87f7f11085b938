"""The other tabs in a real browser, and the accessibility of all tabs.

Covers `clothseg.app.tabs.about`, `clothseg.app.tabs.batch`.
"""

from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from browsing import accessibility_problems, await_result, on_desktop, on_phone, open_tab, upload
from paper_dolls import draw
from PIL import Image
from playwright.sync_api import Page, expect

from clothseg import Segmenter
from clothseg.app.i18n import tr
from clothseg.app.settings import DEFAULT_OPTIONS, SWITCHES
from clothseg.labels import NAMES
from clothseg.outputs.comparison import compare
from clothseg.video.stream import Stream


@on_phone
def test_compare_tab_compares_two_settings_on_the_segmented_photo(
    page: Page, photos: list[Path], library: Segmenter
) -> None:
    open_tab(page, "Compare")
    expect(page.locator("#compare-go")).to_be_disabled()
    open_tab(page, "Segment")
    upload(page, photos[0])
    await_result(page)
    open_tab(page, "Compare")
    expect(page.locator("#compare-photo img")).to_be_visible()
    page.locator("#compare-go").click()
    expect(page.locator("#compare-table table")).to_be_visible()
    found = compare(
        library(photos[0], DEFAULT_OPTIONS).label_map,
        library(photos[0], DEFAULT_OPTIONS, edges="plain", zoom="off").label_map,
    )
    assert 0.5 < found.agreement < 1
    expect(page.locator("#compare-table caption")).to_contain_text(f"{found.agreement:.1%} of the pixels")
    expect(page.locator("#compare-table tbody tr")).to_have_count(len(found.classes))
    off = [switch.label for switch in SWITCHES if switch.option in ("edges", "zoom")]
    expect(page.locator("#compare-first")).to_contain_text("A: Default settings")
    expect(page.locator("#compare-second")).to_contain_text(f"B: {off[0]}: off, {off[1]}: off")
    page.locator("#compare-difference").scroll_into_view_if_needed()
    expect(page.locator("#compare-difference img")).to_be_visible()


@on_desktop
def test_compare_tab_takes_any_model_in_a_private_app(shown: Page, tiny_model: Path) -> None:
    page = shown
    open_tab(page, "Compare")
    expect(page.locator("#compare-photo img")).to_be_visible()
    other = page.locator("#model-b input")
    for name in (str(tiny_model), "./nothing"):
        other.fill(name)
        other.press("Enter")
        page.locator("#compare-go").click()
        if name == "./nothing":
            expect(page.get_by_role("alert")).to_contain_text("There is no folder ./nothing")
        else:
            expect(page.locator("#compare-table table")).to_be_visible()


@on_desktop
def test_camera_stops_when_the_tab_is_left(shown: Page) -> None:
    page = shown
    open_tab(page, "Live")
    camera, tracks = page.locator("#live-camera"), "v => v.srcObject.getTracks().map((track) => track.readyState)"
    camera.get_by_role("button", name="Allow camera").click()
    camera.get_by_role("button", name="Start camera").click()
    expect(page.locator("#live-said")).to_contain_text("frames per second")
    assert camera.locator("video").evaluate(tracks) == ["live"]
    open_tab(page, "About")
    page.wait_for_function(
        "document.querySelector('#live-camera video').srcObject.getTracks()[0].readyState == 'ended'"
    )
    page.wait_for_timeout(500)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.wait_for_timeout(500)
    assert not sent, "frames are sent after the camera was stopped"
    open_tab(page, "Live")
    camera.get_by_role("button", name="Start camera").click()
    expect(camera.get_by_role("button", name="Stop camera")).to_be_visible()
    while len(sent) <= 3:
        page.wait_for_timeout(50)
    assert camera.locator("video").evaluate(tracks) == ["live"]
    camera.get_by_role("button", name="Stop camera").click()
    expect(camera.get_by_role("button", name="Start camera")).to_be_visible()
    assert camera.locator("video").evaluate(tracks) == ["ended"], "the camera still records"
    camera.get_by_role("button", name="Start camera").click()
    page.wait_for_function(
        "document.querySelector('#live-camera video').srcObject.getTracks()[0].readyState == 'live'"
    )
    before = len(sent)
    while len(sent) <= before:
        page.wait_for_timeout(50)
    open_tab(page, "About")


@on_desktop
def test_about_tab_lists_all_classes(shown: Page) -> None:
    page = shown
    open_tab(page, "About")
    rows = page.locator(".found tbody th").all_inner_texts()
    assert rows == [f"{class_id}{tr(name)}" for class_id, name in enumerate(NAMES)]
    expect(page.get_by_text("must not be used to make decisions about a person")).to_be_visible()


def assert_regions_over(frame: Image.Image, camera: Image.Image, library: Segmenter) -> None:
    """The frame shows the camera's picture with its regions rather than the plain picture, up to JPEG losses."""
    assert frame.size == camera.size
    expected = Stream(library)(camera).overlay()
    bare, coloured = (np.abs(np.asarray(frame, int) - np.asarray(other)).mean() for other in (camera, expected))
    assert coloured < bare / 2, (coloured, bare)


def assert_accessible(page: Page, where: str) -> None:
    """axe reports no serious or critical violation.

    Light colours are checked for all rules, dark ones for contrast, the only rule that colours can violate.
    """
    for scheme, rules in (("dark", ["color-contrast"]), ("light", [])):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function("dark => document.body.classList.contains('dark') === dark", arg=scheme == "dark")
        serious = [rule for rule in accessibility_problems(page, rules) if rule["impact"] in ("serious", "critical")]
        told = [(rule["id"], node["html"][:200]) for rule in serious for node in rule["nodes"]]
        assert not serious, (where, scheme, told)


@on_desktop
def test_tabs_have_no_serious_accessibility_violations(page: Page, photos: list[Path], library: Segmenter) -> None:
    page.add_style_tag(content="* { transition: none !important }")  # no colours between those of the schemes

    def segment() -> None:
        assert_accessible(page, "before a photo")
        upload(page, photos[0])
        await_result(page)
        page.locator("#look > button").click()
        page.locator("#more > button").click()

    def batch() -> None:
        page.locator("#batch-files input[type=file]").set_input_files(photos[0])
        page.locator("#batch-start").click()
        expect(page.locator("#batch-save")).to_be_visible()

    def live() -> None:
        camera = page.locator("#live-camera")
        camera.get_by_role("button", name="Allow camera").click()
        camera.get_by_role("button", name="Start camera").click()
        expect(page.locator("#live-said")).to_contain_text("frames per second")
        shown = page.locator("#live-regions img").get_attribute("src")
        frame = Image.open(BytesIO(b64decode(shown.partition("base64,")[2]))).convert("RGB")
        assert_regions_over(frame, Image.fromarray(draw(1, 480, 640).image), library)
        assert_accessible(page, "a running camera")
        camera.get_by_role("button", name="Stop camera").click()
        expect(camera.get_by_role("button", name="Start camera")).to_be_visible()

    def compare() -> None:
        page.locator("#compare-photo input[type=file]").set_input_files(photos[0])
        page.locator("#compare-go").click()
        expect(page.locator("#compare-table table")).to_be_visible()

    tabs: dict[str, Callable[[], None]] = {
        "Segment": segment,
        "Batch": batch,
        "Live": live,
        "Compare": compare,
        "About": lambda: None,
    }
    for name, work in tabs.items():
        open_tab(page, name)
        work()
        assert_accessible(page, name)
