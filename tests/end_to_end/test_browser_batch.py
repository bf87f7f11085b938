"""The batch tab in a real browser: ZIPs in and out, invalid photos, cancelling and output options."""

import csv
import re
import zipfile
from io import BytesIO, TextIOWrapper
from pathlib import Path

import numpy as np
from browsing import on_desktop, on_phone, open_tab
from paper_dolls import draw
from PIL import Image
from playwright.sync_api import Page, expect

from clothseg import PackshotOptions, Segmenter
from clothseg.app.settings import DEFAULT_CUTOUT, DEFAULT_OPTIONS


def packed(folder: Path, photos: int) -> Path:
    """A ZIP of the given number of identical photos, and one file that is not a photo."""
    photo = BytesIO()
    Image.fromarray(draw(1, 300, 200).image).save(photo, "PNG")
    path = folder / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(photos):
            archive.writestr(f"photo-{number:03d}.png", photo.getvalue())
        archive.writestr("broken.jpg", b"no picture")
    return path


def open_batch(page: Page) -> None:
    """Open the tab, without the files of an earlier test."""
    open_tab(page, "Batch")
    clear = page.locator("#batch-files").get_by_label("Clear")
    if clear.is_visible():
        clear.click()
    page.get_by_label("Or find by words").fill("")


@on_phone
def test_batch_of_a_zip_gives_a_zip_and_lists_invalid_photos(shown: Page, library: Segmenter, tmp_path: Path) -> None:
    page = shown
    open_batch(page)
    start = page.locator("#batch-start")
    expect(start).to_be_disabled()
    single = tmp_path / "single.jpg"
    Image.fromarray(draw(2, 120, 80).image).save(single)
    page.locator("#batch-files input[type=file]").set_input_files([packed(tmp_path, 2), single])
    page.get_by_label("Or find by words").fill("third bag, everything but the velvet hair")
    start.click()
    expect(page.get_by_role("heading", name="3 of 4 photos done")).to_be_visible()
    expect(page.get_by_role("heading", name="Found in 3 of 4 photos")).to_be_visible()
    expect(page.locator("#batch-status .matches li")).to_contain_text(
        [
            re.compile(rf"{name}: .*; not found: “third bag”")
            for name in ("photo-000.png", "photo-001.png", "single.jpg")
        ]
    )
    expect(page.locator("#batch-status .search-notes")).to_have_text("Ignored: “velvet”.")
    expect(page.locator("#batch-status .problems li")).to_have_count(1)
    expect(page.locator("#batch-status .problems li")).to_contain_text("broken.jpg")
    with page.expect_download() as waiting:
        page.locator("#batch-save").click()
    assert waiting.value.suggested_filename == "clothseg.zip"
    with zipfile.ZipFile(waiting.value.path()) as archive:
        rows = list(csv.DictReader(TextIOWrapper(archive.open("results.csv"), "utf-8")))
        assert [row["photo"] for row in rows if row["error"]] == ["broken.jpg"] and len(rows) == 4
        with Image.open(archive.open("labels/single.png")) as labels:
            assert np.array_equal(np.asarray(labels), library(single).label_map)
        result = library(single, DEFAULT_OPTIONS)
        with Image.open(archive.open("cutouts/single.png")) as cutout:
            made = result.cutout_mask(result.find("everything but the hair").mask, DEFAULT_CUTOUT)
            assert np.array_equal(np.asarray(cutout), np.asarray(made))
        assert "cutouts/photo-000.png" in archive.namelist()


@on_desktop
def test_cancelled_batch_keeps_its_results_and_another_can_start(
    shown: Page, library: Segmenter, tmp_path: Path
) -> None:
    page = shown
    open_batch(page)
    page.locator("#batch-files input[type=file]").set_input_files(packed(tmp_path, 400))
    page.locator("#batch-start").click()
    expect(page.locator("#batch-status progress")).to_be_visible()
    expect(page.locator("#batch-status")).to_contain_text("left")
    page.locator("#batch-cancel").click()
    expect(page.locator("#batch-status")).to_contain_text("Cancelled.")
    page.wait_for_timeout(1000)
    expect(page.locator("#batch-status")).to_contain_text("Cancelled."), "the batch continues after it was cancelled"
    with page.expect_download() as waiting:
        page.locator("#batch-save").click()
    with zipfile.ZipFile(waiting.value.path()) as archive:
        rows = list(csv.DictReader(TextIOWrapper(archive.open("results.csv"), "utf-8")))
        done = len([row for row in rows if not row["error"]])
        assert 0 < len(rows) < 401 and len([n for n in archive.namelist() if n.startswith("labels/")]) == done
    expect(page.get_by_role("heading", name=f"{done} of 401 photos done")).to_be_visible()
    page.locator("#batch-files").get_by_label("Clear").click()
    page.locator("#batch-files input[type=file]").set_input_files(packed(tmp_path, 1))
    page.locator("#batch-start").click()
    expect(page.get_by_role("heading", name="1 of 2 photos done")).to_be_visible()
    for kind in ("Cut-outs (PNG)", "Label maps (PNG)"):
        page.get_by_label(kind).uncheck()
    for kind in ("Packshots (PNG)", "Try-on masks (PNG)"):
        page.get_by_label(kind).check()
    page.get_by_role("button", name="Packshots and try-on masks").click()
    page.locator("#batch-shape").get_by_label("4:5").check()
    page.locator("#batch-part").get_by_label("Whole outfit").check()
    page.locator("#batch-files").get_by_label("Clear").click()
    page.locator("#batch-files input[type=file]").set_input_files(packed(tmp_path, 2))  # another count than before
    page.locator("#batch-start").click()
    expect(page.get_by_role("heading", name="2 of 3 photos done")).to_be_visible()
    with page.expect_download() as waiting:
        page.locator("#batch-save").click()
    result = library(draw(1, 300, 200).image, DEFAULT_OPTIONS)
    shot = PackshotOptions(aspect="4:5", shadow=True)
    folders = {
        "packshots": result.packshot(packshot=shot, options=DEFAULT_CUTOUT),
        "tryon/agnostic-mask": result.tryon("overall").mask,
        "tryon/agnostic": result.tryon("overall").picture,
    }
    expected = {f"{folder}/photo-00{n}.png": picture for folder, picture in folders.items() for n in range(2)}
    with zipfile.ZipFile(waiting.value.path()) as archive:
        assert set(archive.namelist()) == {*expected, "results.csv"}
        for name, picture in expected.items():
            with Image.open(archive.open(name)) as image:
                assert np.array_equal(np.asarray(image), np.asarray(picture)), name
    for kind in ("Packshots (PNG)", "Try-on masks (PNG)"):
        page.get_by_label(kind).uncheck()
    page.locator("#batch-start").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose at least one kind of output file.")


@on_phone
def test_invalid_zip_shows_an_error(shown: Page, tmp_path: Path) -> None:
    page = shown
    open_batch(page)
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"no archive")
    page.locator("#batch-files input[type=file]").set_input_files(bad)
    page.locator("#batch-start").click()
    expect(page.get_by_role("alert")).to_contain_text("bad.zip")
    expect(page.locator("#batch-start")).to_be_visible()
