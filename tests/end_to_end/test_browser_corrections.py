"""Corrections on the page in a real browser, and what survives a reload."""

from pathlib import Path

import numpy as np
from browsing import assert_labels, await_result, inner_point, on_desktop, on_phone, only, stage_point, upload
from playwright.sync_api import Page, expect

from clothseg import Click, Segmentation, Segmenter
from clothseg.postprocess.strokes import Stroke


@on_phone
def test_regions_can_be_corrected_by_click_brush_and_eraser(
    shown: Page, library: Segmenter, expected: Segmentation, tmp_path: Path
) -> None:
    page, number = shown, await_result(shown)
    largest = max(expected.areas, key=lambda name: expected.areas[name])
    x, y = inner_point(expected.mask(largest))
    page.locator('.stage [data-do="correct"]').click()
    page.locator(".stage .tools select").select_option("Scarf")
    page.locator(".stage .list").click(position=stage_point(page, expected, (x, y)))
    number = await_result(page, number)
    (click,) = page.evaluate("window.clothseg.choice().edits")
    assert click["label"] == "Scarf" and np.hypot(click["x"] - x, click["y"] - y) < 8
    corrected = library.refine(expected, [Click(click["x"], click["y"], "Scarf")])
    assert corrected.mask("Scarf").sum() > expected.mask("Scarf").sum()
    assert_labels(page, corrected.label_map, tmp_path)

    for tool, label in (("brush", "Bag"), ("erase", "Background")):
        page.locator(f".stage .tools [value={tool}]").check(force=True)
        if tool == "brush":
            page.locator(".stage .tools select").select_option(label)
        box, point = page.locator(".stage .list").bounding_box(), stage_point(page, expected, (x, y))
        page.mouse.move(box["x"] + point["x"] - 20, box["y"] + point["y"])
        page.mouse.down()
        page.mouse.move(box["x"] + point["x"] + 20, box["y"] + point["y"] + 5, steps=5)
        page.mouse.up()
        number = await_result(page, number)
        stroke = page.evaluate("window.clothseg.choice().edits.at(-1)")
        assert (stroke["kind"], stroke["label"], len(stroke["points"]) > 1) == ("stroke", label, True)
        covered = Stroke(stroke["points"], stroke["radius"], label).mask(corrected.label_map.shape)
        corrected = corrected.paint(covered, label)
        assert covered.sum() > 100
        assert_labels(page, corrected.label_map, tmp_path)
    for left in (2, 1, 0):
        page.keyboard.press("Control+z")
        number = await_result(page, number)
        assert len(page.evaluate("window.clothseg.choice().edits")) == left
    assert_labels(page, expected.label_map, tmp_path)
    page.keyboard.press("Control+Shift+z")
    await_result(page, number)
    assert page.evaluate("window.clothseg.choice().edits[0]") == click


@on_desktop
def test_work_survives_reload_language_change_and_back(page: Page, photos: list[Path], expected: Segmentation) -> None:
    upload(page, photos[0])
    await_result(page)
    only(page, "Hair")
    page.locator("#ground").get_by_label("White").check(force=True)
    page.locator('.stage [data-do="correct"]').click()
    page.locator(".stage .tools select").select_option("Scarf")
    largest = max(expected.areas, key=lambda name: expected.areas[name])
    page.locator(".stage .list").click(position=stage_point(page, expected, inner_point(expected.mask(largest))))
    page.wait_for_function("window.clothseg.choice().edits.length")
    page.wait_for_url("**/?background=*")
    (edit,) = page.evaluate("window.clothseg.choice().edits")
    page.wait_for_timeout(1500)

    def away_and_back() -> None:
        page.goto("about:blank")
        page.go_back()

    for again in (page.reload, page.get_by_role("link", name="Deutsch").click, away_and_back):
        again()
        await_result(page)
        said = page.evaluate("window.clothseg.choice()")
        assert "Hair" in said["picked"] and said["edits"] == [edit]
        expect(page.locator("#ground [value=White]")).to_be_checked()
