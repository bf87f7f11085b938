"""Picking on the stage in a real browser: by mouse, keys, touch and other scripts, and what the server is told."""

import numpy as np
from playwright.sync_api import expect
from stage_page import Stage, near

from clothseg.app.components.parts import find_parts


def test_picks_are_shown_at_once_and_sent_once(desktop: Stage) -> None:
    number = desktop.page.evaluate("window.clothseg.choice().number")
    desktop.page.mouse.click(*desktop.of("Face"))
    assert desktop.picked == ["Hat", "Dress", "Face"]
    pixel = np.asarray(desktop.app.result.photo)[desktop.app.points["Face"][::-1]]
    assert near(desktop.color(*desktop.of("Face")), pixel)
    desktop.page.mouse.click(*desktop.of("Hat"))
    assert desktop.said("picks", picked=["Dress", "Face"])["number"] == number
    desktop.page.mouse.dblclick(*desktop.of("Dress"))
    assert desktop.picked == ["Dress"]
    desktop.said("picks", picked=["Dress"])
    desktop.page.mouse.click(*desktop.of("Dress"))
    expect(desktop.page.get_by_text("Click a garment to pick it")).to_be_visible()
    desktop.said("picks", picked=[])

    # The server's own cut-out, all red here, is shown as long as it matches the picks.
    desktop.page.mouse.click(*desktop.of("Hat"))
    desktop.page.mouse.move(5, 5)
    desktop.until_red(*desktop.of("Dress"))
    desktop.page.mouse.click(*desktop.of("Face"))
    assert not near(desktop.color(*desktop.of("Dress")), (255, 0, 0))


def test_stage_can_be_controlled_by_events_of_other_scripts(desktop: Stage) -> None:
    page = desktop.page
    page.evaluate("""() => {
      document.addEventListener('stage:state', ({detail}) => { window.heard = detail; });
      window.ask = (detail) => document.dispatchEvent(new CustomEvent('stage:do', {detail}));
    }""")
    page.evaluate("window.ask({pick: ['Face', 'Hat', 'Unknown']})")
    assert page.evaluate("window.heard.picked") == ["Hat", "Face"]
    page.evaluate("window.ask({toggle: 'Hat'}); window.ask({toggle: 'Unknown'})")
    assert page.evaluate("window.heard.picked") == ["Face"]
    desktop.said("picks", picked=["Face"])
    page.evaluate("window.ask({only: 'Dress'}); window.ask({hover: 'Hat', view: 'compare'})")
    heard = page.evaluate("window.heard")
    assert (heard["picked"], heard["hover"], heard["view"]) == (["Dress"], "Hat", "compare")
    expect(page.get_by_role("radio", name="Compare")).to_be_checked()
    desktop.said("picks", picked=["Dress"])
    # Dragging the cut-out out of the browser gives the full-size file.
    page.evaluate("window.ask({view: 'cutout'})")
    dragged = page.evaluate("""() => {
      const dataTransfer = new DataTransfer();
      document.querySelector('.stage .list').dispatchEvent(new DragEvent('dragstart', {dataTransfer}));
      return dataTransfer.getData('DownloadURL');
    }""")
    assert dragged == f"image/png:doll-cutout.png:{desktop.app.url}gradio_api/file=cut.png"


def test_stage_can_be_used_by_keyboard(desktop: Stage) -> None:
    page, regions = desktop.page, desktop.page.get_by_role("listbox")
    regions.focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    active = page.locator(f"#{regions.get_attribute('aria-activedescendant')}")
    assert active.inner_text() == find_parts(desktop.app.result)[1].name == "Hair"
    expect(page.locator(".tip span")).to_have_text("Hair")
    page.keyboard.press("Enter")
    expect(active).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("status").filter(has_text="Hair added to the cut-out")).to_be_attached()
    page.keyboard.press("o")
    assert desktop.picked == ["Hair"]
    desktop.said("picks", picked=["Hair"])
    page.keyboard.press("End")
    page.keyboard.press("ArrowDown")
    assert page.locator(f"#{regions.get_attribute('aria-activedescendant')}").inner_text() == "Hat"

    for key, name in (("2", "Regions"), ("3", "Compare"), ("1", "Cut-out")):
        page.keyboard.press(key)
        expect(page.get_by_role("radio", name=name, exact=True)).to_be_checked()
    page.keyboard.press("+")
    expect(desktop.frame).to_contain_class("zoomed")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("0")
    expect(desktop.frame).not_to_contain_class("zoomed")
    page.keyboard.press("m")
    expect(page.get_by_role("menu", name="Hat", exact=True)).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="Not in this photo")).to_be_focused()
    page.keyboard.press("Escape")
    expect(regions).to_be_focused()

    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet).to_be_visible()
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate(
        "document.querySelector('.sheet').contains(document.activeElement) || !document.hasFocus()"
        " || document.activeElement === document.body"
    )
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Correct", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("radio", name="Click", exact=True).focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Brush", exact=True)).to_be_checked()


def test_touch_picks_zooms_paints_and_opens_the_menu(phone: Stage) -> None:
    page = phone.page
    page.touchscreen.tap(*phone.of("Face"))
    assert phone.picked == ["Hat", "Dress", "Face"]
    page.locator(".tip").get_by_role("button", name="Only this", include_hidden=True).tap()
    assert phone.picked == ["Face"]
    x, y = phone.of("Dress")
    phone.touch("touchStart", (x, y))
    expect(page.get_by_role("menu", name="Dress", exact=True)).to_be_visible()
    phone.touch("touchEnd")
    assert phone.picked == ["Face"], "a long press does not pick"
    page.keyboard.press("Escape")
    expect(phone.frame).not_to_contain_class("zoomed")
    phone.touch("touchStart", (x - 20, y), (x + 20, y))
    phone.touch("touchMove", (x - 60, y), (x + 60, y))
    phone.touch("touchEnd")
    expect(phone.frame).to_contain_class("zoomed")
    assert phone.picked == ["Face"], "pinching does not pick"
    page.get_by_role("button", name="Fit", exact=True).tap()
    page.get_by_role("button", name="Correct", exact=True).tap()
    phone.tool("Brush")
    (x, y), (right, down) = phone.at(60, 300), phone.at(110, 320)
    phone.touch("touchStart", (x, y))
    phone.touch("touchMove", (right, down))
    phone.touch("touchEnd")
    assert phone.edits(1)[0]["kind"] == "stroke"
