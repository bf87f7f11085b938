"""Corrections on the stage in a real browser: what is drawn, sent, undone and redone."""

import numpy as np
from playwright.sync_api import expect
from stage_page import Stage, near

from clothseg.labels import LABEL2ID, NAMES, PALETTE


def test_corrections_are_drawn_sent_undone_and_redone(desktop: Stage) -> None:
    page = desktop.page
    page.get_by_role("button", name="Correct", exact=True).click()
    expect(page.get_by_role("radio", name="Regions")).to_be_checked()
    page.get_by_label("Class", exact=True).select_option("Bag")
    desktop.tool("Brush")
    (x, y), (right, down) = desktop.at(60, 300), desktop.at(110, 320)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(right, down, steps=5)
    middle = (x + right) / 2, (y + down) / 2
    assert near(desktop.color(*middle), PALETTE[LABEL2ID["Bag"]]), "the stroke must be drawn before the server answers"
    page.mouse.up()
    (stroke,) = desktop.edits(1)
    assert (stroke["kind"], stroke["label"]) == ("stroke", "Bag")
    assert np.abs(np.subtract(stroke["points"][0], (60.5, 300.5))).max() < 2
    assert np.abs(np.subtract(stroke["points"][-1], (110.5, 320.5))).max() < stroke["radius"] / 4 + 2
    expect(desktop.region("Bag")).to_be_attached()

    desktop.tool("Erase")
    page.mouse.move(*desktop.of("Hat"))
    page.mouse.down()
    page.mouse.up()
    assert desktop.edits(2)[1]["label"] == "Background"
    desktop.tool("Click")
    page.get_by_label("Class", exact=True).select_option("Scarf")
    page.mouse.click(*desktop.at(200, 560))
    click = desktop.edits(3)[2]
    assert (click["kind"], click["label"]) == ("click", "Scarf")
    assert np.abs(np.subtract((click["x"], click["y"]), (200.5, 560.5))).max() < 2

    page.keyboard.press("Control+z")
    desktop.edits(2)
    expect(desktop.region("Scarf")).to_have_count(0)
    page.keyboard.press("Control+Shift+z")
    assert desktop.edits(3)[2] == click
    page.get_by_role("button", name="Undo", exact=True).click()
    page.get_by_role("button", name="Undo all").click()
    desktop.edits(0)
    expect(desktop.region("Bag")).to_have_count(0)
    page.get_by_role("button", name="Redo", exact=True).click()
    assert desktop.edits(1) == [stroke]
    desktop.tool("Brush")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.up()
    assert desktop.edits(2)[0] == stroke
    expect(page.get_by_role("button", name="Redo", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Correct", exact=True).click()
    expect(page.locator(".tools")).to_be_hidden()
    expect(page.locator(".size")).to_be_hidden()


def test_context_menu_picks_relabels_and_excludes_regions(desktop: Stage) -> None:
    page = desktop.page
    page.mouse.click(*desktop.of("Dress"), button="right")
    menu = page.get_by_role("menu", name="Dress", exact=True)
    expect(menu).to_be_visible()
    expect(page.get_by_role("menuitem", name="Only this")).to_be_focused()
    page.get_by_role("menuitem", name="Only this").click()
    assert desktop.picked == ["Dress"]
    page.mouse.click(*desktop.of("Dress"), button="right")
    page.get_by_role("menuitem", name="This is …").click()
    assert len(page.get_by_role("menuitem").all()) == len(NAMES) - 1
    page.keyboard.type("s")
    expect(page.get_by_role("menuitem", name="Sunglasses")).to_be_focused()
    page.keyboard.type("s")
    expect(page.get_by_role("menuitem", name="Skirt")).to_be_focused()
    page.keyboard.press("Enter")
    (edit,) = desktop.edits(1)
    x, y = desktop.app.points["Dress"]
    assert edit == {"kind": "relabel", "part": "Dress", "x": edit["x"], "y": edit["y"], "label": "Skirt"}
    assert np.abs(np.subtract((edit["x"], edit["y"]), (x + 0.5, y + 0.5))).max() < 2
    expect(desktop.region("Skirt")).to_be_attached()
    page.mouse.click(*desktop.of("Hat"), button="right")
    page.get_by_role("menuitem", name="Not in this photo: Hat").click()
    assert desktop.edits(2)[1] == {"kind": "exclude", "label": "Hat"}
    expect(desktop.region("Hat")).to_have_count(0)
    # In a place without a region, the menu sends a click.
    page.mouse.click(*desktop.at(20, 20), button="right")
    page.get_by_role("menuitem", name="This is …").click()
    page.get_by_role("menuitem", name="Scarf").click()
    assert desktop.edits(3)[2]["kind"] == "click"
    page.mouse.click(*desktop.of("Face"), button="right")
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_be_hidden()
    expect(page.get_by_role("listbox")).to_be_focused()


def test_regions_can_be_painted_when_nothing_was_found(desktop: Stage) -> None:
    page = desktop.page
    page.locator("#nothing").click()
    expect(page.get_by_text("No clothes found in this photo")).to_be_visible()
    page.get_by_role("button", name="Correct", exact=True).click()
    desktop.tool("Brush")
    page.get_by_label("Class", exact=True).select_option("Bag")
    page.mouse.move(*desktop.at(200, 300))
    page.mouse.down()
    page.mouse.move(*desktop.at(260, 300))
    page.mouse.up()
    assert desktop.edits(1)[0]["label"] == "Bag"
