"""What the stage shows in a real browser: its views, names under the pointer, and its accessibility.

Covers `clothseg.app.components.stage` and its scripts.
"""

import cv2
import numpy as np
import pytest
from browsing import accessibility_problems
from playwright.sync_api import expect
from stage_page import Stage, begin_again, near

from clothseg import Segmentation
from clothseg.app.i18n import tr
from clothseg.labels import LABEL2ID, PALETTE


def smooth_points(result: Segmentation, count: int) -> list[tuple[int, int, str]]:
    """Pixels inside uniform regions, spread over photo and classes, with their class."""
    rng = np.random.default_rng(0)
    found = []
    while len(found) < count:
        name = rng.choice(list(result.areas))
        inside = cv2.erode(np.pad(result.mask(str(name)).astype(np.uint8), 1), np.ones((7, 7), np.uint8))[1:-1, 1:-1]
        rows, columns = np.nonzero(inside)
        if len(rows):
            index = rng.integers(len(rows))
            found.append((int(columns[index]), int(rows[index]), str(name)))
    return found


def test_views_show_cutout_regions_and_comparison(desktop: Stage) -> None:
    photo = np.asarray(desktop.app.result.photo)
    pixel = {key: photo[point[1], point[0]] for key, point in desktop.app.points.items()}
    assert near(desktop.color(*desktop.of("Dress")), pixel["Dress"])
    assert desktop.color(*desktop.of("Face")).min() > 220  # the checkerboard

    desktop.view("Regions")
    desktop.page.locator(".opacity input").fill("1")
    number = desktop.of("Dress")  # with the class's number on it
    assert near(desktop.color(number[0] + 14, number[1]), PALETTE[LABEL2ID["Dress"]])
    desktop.page.locator(".opacity input").fill("0")
    assert near(desktop.color(*desktop.of("Face")), pixel["Face"])

    desktop.view("Compare")
    divider = desktop.page.get_by_role("slider", name="Divider between photo and cut-out")
    box, (x, y) = divider.bounding_box(), desktop.of("Face")
    desktop.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    desktop.page.mouse.down()
    desktop.page.mouse.move(x + 40, y, steps=3)
    desktop.page.mouse.up()
    assert near(desktop.color(x, y), pixel["Face"])
    divider.press("Home")
    assert divider.get_attribute("aria-valuenow") == "0"
    assert desktop.color(x, y).min() > 220
    for _ in range(3):
        divider.press("PageUp")
    assert divider.get_attribute("aria-valuenow") == "30"


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_background_of_a_new_photo_fades_unless_motion_is_reduced(desktop: Stage, motion: str) -> None:
    page, photo = desktop.page, np.asarray(desktop.app.result.photo)
    page.emulate_media(reduced_motion=motion)
    page.evaluate("performance.now = () => 1000")  # stop the fading at its start
    begin_again(page)
    ground = desktop.color(*desktop.at(20, 300))
    page.evaluate("delete performance.now")
    page.emulate_media(reduced_motion="reduce")
    assert near(ground, photo[300, 20]) == (motion == "no-preference")
    assert (ground.min() > 220) == (motion == "reduce")


def test_hovering_shows_the_class_of_the_label_map(desktop: Stage) -> None:
    tip = desktop.page.locator(".tip span")
    for x, y, name in smooth_points(desktop.app.result, 24):
        desktop.page.mouse.move(*desktop.at(x, y))
        if name == "Background":
            expect(tip).to_be_hidden()
        else:
            expect(tip).to_have_text(tr(name))
    # After zooming and panning, the pointer is still over the same pixels.
    x, y = desktop.of("Hat")
    desktop.page.mouse.move(x, y)
    for _ in range(6):
        desktop.page.mouse.wheel(0, -200)
    expect(desktop.frame).to_contain_class("zoomed")
    desktop.page.mouse.move(x + 1, y)
    expect(tip).to_have_text("Hat")
    desktop.page.mouse.down()
    desktop.page.mouse.move(x + 120, y + 40, steps=4)
    desktop.page.mouse.up()
    desktop.page.mouse.move(x + 121, y + 40)
    expect(tip).to_have_text("Hat")
    assert desktop.picked == ["Hat", "Dress"], "dragging does not pick"
    desktop.page.get_by_role("button", name="Fit", exact=True).click()
    expect(desktop.frame).not_to_contain_class("zoomed")
    desktop.page.mouse.move(*desktop.of("Dress"))
    expect(tip).to_have_text("Dress")


@pytest.mark.usefixtures("chromium")
@pytest.mark.parametrize("window", ["desktop", "phone"])
def test_stage_has_no_accessibility_violations(window: str, request: pytest.FixtureRequest) -> None:
    shown: Stage = request.getfixturevalue(window)
    page = shown.page

    def clean(where: str) -> None:
        found = accessibility_problems(page, within=".stage")
        assert not found, (where, [(rule["id"], node["html"][:200]) for rule in found for node in rule["nodes"]])

    clean("cut-out")
    shown.view("Compare")
    clean("compare")
    page.get_by_role("button", name="Correct", exact=True).click()
    shown.view("Regions")
    shown.tool("Brush")
    clean("correct")
    page.mouse.click(*shown.of("Dress"), button="right")
    clean("menu")
    page.get_by_role("menuitem", name="This is …").click()
    clean("classes")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    clean("sheet")
