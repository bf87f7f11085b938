"""The cut-out on its way from the page in a real browser: its options, files, clipboard, drag and link."""

import json
import zipfile
from pathlib import Path

import numpy as np
from browsing import (
    assert_file,
    assert_labels,
    await_result,
    download,
    inner_point,
    on_desktop,
    on_phone,
    only,
    open_more,
    picked,
    stage_point,
    upload,
)
from chromium import PATIENCE
from PIL import Image
from playwright.sync_api import Page, expect

from benchmarks import page as page_benchmark
from clothseg import Segmentation, Segmenter
from clothseg.app.components.parts import mask_of_parts
from clothseg.app.selection import cutout_of
from clothseg.app.settings import DEFAULT_CUTOUT, DEFAULT_OPTIONS
from clothseg.options import CutoutOptions


@on_phone
def test_cutout_follows_the_options(page: Page, photos: list[Path], expected: Segmentation, tmp_path: Path) -> None:
    upload(page, photos[0])
    await_result(page)
    page.locator("#ground [value=Transparent]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#ground [value=White]")).to_be_checked()
    page.get_by_label("Crop to the cut-out").first.check()
    keys = picked(page)
    options = CutoutOptions(background="#ffffff", crop=True, drop_specks=True)
    assert_file(download(page, "#save", tmp_path), expected, keys, options)
    open_more(page)
    with zipfile.ZipFile(download(page, "#save-each", tmp_path)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
    assert len(names) == len(expected.items(*[key.partition("/")[0] for key in keys]))
    assert json.loads(download(page, "#save-items", tmp_path).read_text())["items"]
    assert json.loads(download(page, "#save-coco", tmp_path).read_text())["annotations"]
    assert download(page, "#save-summary", tmp_path).name == "holiday.json"


@on_desktop
def test_changing_detection_settings_keeps_the_picks(
    page: Page, photos: list[Path], library: Segmenter, tmp_path: Path
) -> None:
    upload(page, photos[0])
    number = await_result(page)
    only(page, "Hair")
    page.get_by_role("button", name="Detection settings").first.click()
    page.locator("#look").get_by_label("Sharp borders").uncheck()
    await_result(page, number)
    assert picked(page) == ["Hair"]
    result = library(photos[0], DEFAULT_OPTIONS, edges="plain")
    assert_file(download(page, "#save", tmp_path), result, ["Hair"], DEFAULT_CUTOUT)
    assert_labels(page, result.label_map, tmp_path)


@on_desktop
def test_cutout_can_be_copied_to_the_clipboard(shown: Page, expected: Segmentation, tmp_path: Path) -> None:
    page = shown
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#copy").click()
    expect(page.locator("#said-here")).to_have_text("The cut-out was copied.")
    numbers = page.evaluate("""async () => {
      const [item] = await navigator.clipboard.read();
      return [...new Uint8Array(await (await item.getType('image/png')).arrayBuffer())];
    }""")
    path = tmp_path / "copied.png"
    path.write_bytes(bytes(numbers))
    with Image.open(path) as image:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
    whole = np.asarray(cutout_of(expected, picked(page), DEFAULT_CUTOUT))[..., 3]
    assert np.array_equal(alpha, whole)


@on_desktop
def test_dragging_and_the_context_menu_give_the_full_size_cutout(
    shown: Page, expected: Segmentation, tmp_path: Path
) -> None:
    page, keys = shown, picked(shown)
    box, point = (
        page.locator(".stage .list").bounding_box(),
        stage_point(page, expected, inner_point(mask_of_parts(expected, keys[:1]))),
    )
    x, y = box["x"] + point["x"], box["y"] + point["y"]
    page.evaluate(
        "addEventListener('dragstart', (event) => { window.dragged = event.dataTransfer.getData('DownloadURL'); })"
    )
    for _ in range(100):  # until the server has sent the file's address
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 30, y + 20, steps=4)
        page.mouse.up()
        if dragged := page.evaluate("window.dragged"):
            break
        page.wait_for_timeout(100)
    kind, name, url = dragged.split(":", 2)
    assert (kind, name) == ("image/png", "holiday-cutout.png")
    file = page.request.get(url)
    assert file.ok and 'filename="holiday-cutout.png"' in file.headers["content-disposition"]
    path = tmp_path / name
    path.write_bytes(file.body())
    assert_file(path, expected, keys, DEFAULT_CUTOUT)
    assert page.request.get(f"{url}0").status == 404

    page.mouse.click(x, y, button="right")
    with page.expect_download() as waiting:
        page.get_by_role("menuitem", name="Download the cut-out").click()
    assert_file(waiting.value.path(), expected, keys, DEFAULT_CUTOUT)


@on_desktop
def test_page_benchmark_measures_waiting_times(page: Page, tmp_path: Path) -> None:
    page.evaluate(page_benchmark.WATCH)
    for seed in range(2):
        shown, downloaded, picked = page_benchmark.wait(page, page_benchmark.photo(tmp_path, seed, (450, 680)))
        assert 0 < picked and 0.01 < shown < downloaded < PATIENCE / 1000
