"""The stage in a real browser: what it draws, what it sends to the server, and its input by mouse, keys and touch.

Covers `clothseg.app.components.stage` and its scripts.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import gradio as gr
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import Visits, stage_point
from paper_dolls import draw
from playwright.sync_api import Browser, CDPSession, Locator, Page, expect

from clothseg import Segmentation
from clothseg.app.blocks import launch_options
from clothseg.app.components.parts import find_parts
from clothseg.app.components.stage import cutout_value, save_photo, stage, stage_news, stage_value
from clothseg.app.downloads import save_preview
from clothseg.app.i18n import tr
from clothseg.app.server.gradio_internals import WITHOUT_REQUEST
from clothseg.labels import LABEL2ID, NAMES, PALETTE


PICKED = ("Dress", "Hat")


@dataclass
class Served:
    """A page that contains only the stage: its address, and the result that it shows."""

    url: str
    result: Segmentation

    @property
    def points(self) -> dict[str, tuple[int, int]]:
        """Key -> a pixel deep in the part."""
        return {part.key: part.point for part in find_parts(self.result)}


def corrected(result: Segmentation, edits: list[dict[str, Any]]) -> Segmentation:
    """The result with corrections applied literally, as painted shapes or to whole classes."""
    labels = result.label_map.copy()
    for edit in edits:
        if edit["kind"] == "stroke":
            points = np.round(edit["points"]).astype(np.int32)
            painted = np.zeros_like(labels)
            cv2.polylines(painted, [points], False, 1, max(1, round(2 * edit["radius"])))
            labels[painted > 0] = LABEL2ID[edit["label"]]
        elif edit["kind"] == "click":
            cv2.circle(labels, (round(edit["x"]), round(edit["y"])), 9, LABEL2ID[edit["label"]], -1)
        elif edit["kind"] == "relabel":
            labels[labels == LABEL2ID[edit["part"]]] = LABEL2ID[edit["label"]]
        else:
            labels[labels == LABEL2ID[edit["label"]]] = 0
    return Segmentation(result.photo, labels, name=result.name)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    drawn = draw(1, 600, 400)
    result = Segmentation(drawn.image, drawn.mask, name="doll.jpg")
    photo = save_photo(result)
    red = save_preview(result, result.photo.point(lambda _: 0).point([255] * 256 + [0] * 512))
    number = iter(range(2, 1000))

    nothing = Segmentation(result.photo, np.zeros_like(result.label_map), name="doll.jpg")

    def begin(request: gr.Request) -> dict[str, Any]:
        if "nothing" in request.query_params:
            return stage_value(nothing, photo, 1)
        download = {
            "url": "/gradio_api/file=cut.png",
            "name": "doll-cutout.png",
            "type": "image/png",
            "picked": PICKED,
        }
        return stage_value(result, photo, 1, picked=PICKED, download=download)

    def picked(event: gr.EventData) -> tuple[Any, str]:
        news = stage_news(event._data["number"], cutout=cutout_value(red, ["Hat"]))
        return news, json.dumps(event._data)

    def edit(event: gr.EventData) -> tuple[dict[str, Any], str]:
        data = event._data
        made = corrected(result, data["edits"])
        value = stage_value(
            made, photo, next(number), base=data["base"], picked=PICKED, edits=data["edits"], turn=data["turn"]
        )
        return value, json.dumps(data)

    with gr.Blocks() as demo:
        component = stage(elem_id="stage")
        picks, edits = gr.Textbox(elem_id="picks", label="Picks"), gr.Textbox(elem_id="edits", label="Edits")
        demo.load(begin, None, component)
        as_in_the_app: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "always_last"}
        component.picked(picked, None, [component, picks], **as_in_the_app)
        component.edit(edit, None, [component, edits], **as_in_the_app)
    kept = ("theme", "css_paths", "ssr_mode", "js", *WITHOUT_REQUEST)
    options = {name: value for name, value in launch_options().items() if name in kept}
    _, url, _ = demo.launch(quiet=True, prevent_thread_lock=True, server_name="127.0.0.1", **options)
    yield Served(url, result)
    demo.close()


_DRAWN = "await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));"
_COLOR = """([x, y]) => {
  const canvas = document.querySelector('.stage canvas');
  const box = canvas.getBoundingClientRect();
  const scale = canvas.width / box.width;
  return [...canvas.getContext('2d').getImageData((x - box.left) * scale, (y - box.top) * scale, 1, 1).data];
}"""


class Stage:
    """Actions on the stage, in pixels of the photo."""

    def __init__(self, page: Page, served: Served) -> None:
        self.page, self.served = page, served
        self.frame = page.locator(".stage .frame")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Position of a pixel of the photo on the page."""
        box, point = (
            self.page.locator(".stage .list").bounding_box(),
            stage_point(self.page, self.served.result, (x, y)),
        )
        return box["x"] + point["x"], box["y"] + point["y"]

    def of(self, key: str) -> tuple[float, float]:
        return self.at(*self.served.points[key])

    def color(self, x: float, y: float) -> np.ndarray:
        """(3,) colour of the canvas at a position on the page, after all drawing is done."""
        return np.array(self.page.evaluate(f"async (at) => {{ {_DRAWN} return ({_COLOR})(at); }}", [x, y])[:3], int)

    def until_red(self, x: float, y: float) -> None:
        self.page.wait_for_function(
            f"(at) => {{ const [r, g, b] = ({_COLOR})(at); return r > 240 && g + b < 40; }}", arg=[x, y]
        )

    def view(self, name: str) -> None:
        self.page.get_by_role("radio", name=name, exact=True).check()

    def tool(self, name: str) -> None:
        self.page.locator(".tools").get_by_role("radio", name=name, exact=True).check()

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """Have fingers come down, move or go, as Chromium's "touchStart", "touchMove" and "touchEnd"."""
        places = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self.fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    @cached_property
    def fingers(self) -> CDPSession:
        return self.page.context.new_cdp_session(self.page)

    def region(self, name: str) -> Locator:
        return self.page.get_by_role("listbox", name="Regions of the photo").get_by_role("option", name=name)

    @property
    def picked(self) -> list[str]:
        return self.page.locator(".list [aria-selected=true]").all_inner_texts()

    def said(self, place: str, **wanted: Any) -> dict[str, Any]:
        """The value last sent to the server, after waiting until it has the given content."""
        self.page.wait_for_function(
            """([place, wanted]) => {
              const text = document.querySelector(`#${place} textarea`).value;
              const said = text ? JSON.parse(text) : {};
              return Object.entries(wanted).every(([key, value]) => String(said[key]?.length) === String(value)
                || JSON.stringify(said[key]) === JSON.stringify(value));
            }""",
            arg=[place, wanted],
        )
        return json.loads(self.page.locator(f"#{place} textarea").input_value())

    def edits(self, count: int) -> list[dict[str, Any]]:
        """The corrections last sent to the server, after waiting for this number of them and for its answer."""
        said = self.said("edits", edits=count)
        expect(self.page.locator(f".stage[data-turn='{said['turn']}']")).to_be_attached()
        return said["edits"]


def opened(visits: Visits, served: Served, width: int, scheme: str) -> Iterator[Stage]:
    small = width < 600
    size = {"width": width, "height": 844 if small else 768}
    with visits.page(served.url, viewport=size, color_scheme=scheme, has_touch=small, reduced_motion="reduce") as page:
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(served.url)
        expect(page.locator(".stage .frame")).to_be_visible()
        yield Stage(page, served)
        assert not errors
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.fixture
def desktop(visits: Visits, served: Served) -> Iterator[Stage]:
    yield from opened(visits, served, 1366, "light")


@pytest.fixture
def phone(visits: Visits, served: Served) -> Iterator[Stage]:
    yield from opened(visits, served, 390, "dark")


def near(color: np.ndarray, other: Any) -> bool:
    return bool(np.abs(color - np.asarray(other, int)[:3]).max() < 40)


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
    photo = np.asarray(desktop.served.result.photo)
    pixel = {key: photo[point[1], point[0]] for key, point in desktop.served.points.items()}
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
def test_background_of_a_new_photo_fades_unless_motion_is_reduced(
    browser: Browser, served: Served, motion: str
) -> None:
    page = browser.new_page(viewport={"width": 1366, "height": 768}, reduced_motion=motion)
    page.add_init_script("performance.now = () => 1000")  # stop the fading at its start
    page.goto(served.url)
    expect(page.locator(".stage .frame")).to_be_visible()
    shown, photo = Stage(page, served), np.asarray(served.result.photo)
    ground = shown.color(*shown.at(20, 300))
    assert near(ground, photo[300, 20]) == (motion == "no-preference")
    assert (ground.min() > 220) == (motion == "reduce")
    page.close()


def test_hovering_shows_the_class_of_the_label_map(desktop: Stage) -> None:
    tip = desktop.page.locator(".tip span")
    for x, y, name in smooth_points(desktop.served.result, 24):
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


def test_picks_are_shown_at_once_and_sent_once(desktop: Stage) -> None:
    desktop.page.mouse.click(*desktop.of("Face"))
    assert desktop.picked == ["Hat", "Dress", "Face"]
    pixel = np.asarray(desktop.served.result.photo)[desktop.served.points["Face"][::-1]]
    assert near(desktop.color(*desktop.of("Face")), pixel)
    desktop.page.mouse.click(*desktop.of("Hat"))
    assert desktop.said("picks", picked=["Dress", "Face"])["number"] == 1
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
    assert dragged == f"image/png:doll-cutout.png:{desktop.served.url}gradio_api/file=cut.png"


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
    x, y = desktop.served.points["Dress"]
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


def test_stage_can_be_used_by_keyboard(desktop: Stage) -> None:
    page, regions = desktop.page, desktop.page.get_by_role("listbox")
    regions.focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    active = page.locator(f"#{regions.get_attribute('aria-activedescendant')}")
    assert active.inner_text() == find_parts(desktop.served.result)[1].name == "Hair"
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


def test_regions_can_be_painted_when_nothing_was_found(desktop: Stage) -> None:
    page = desktop.page
    page.goto(f"{desktop.served.url}?nothing")
    expect(page.get_by_text("No clothes found in this photo")).to_be_visible()
    page.get_by_role("button", name="Correct", exact=True).click()
    desktop.tool("Brush")
    page.get_by_label("Class", exact=True).select_option("Bag")
    page.mouse.move(*desktop.at(200, 300))
    page.mouse.down()
    page.mouse.move(*desktop.at(260, 300))
    page.mouse.up()
    assert desktop.edits(1)[0]["label"] == "Bag"


@pytest.mark.parametrize(("width", "scheme"), [(1366, "light"), (390, "dark")])
def test_stage_has_no_accessibility_violations(visits: Visits, served: Served, width: int, scheme: str) -> None:
    for shown in opened(visits, served, width, scheme):
        page = shown.page

        def clean(where: str, page: Page = page) -> None:
            found = Axe().run(page, context=".stage", options={"resultTypes": ["violations"]}).response["violations"]
            assert not found, (where, [(rule["id"], node["html"][:200]) for rule in found for node in rule["nodes"]])

        clean("cut-out")
        shown.view("Compare")
        clean("compare")
        shown.page.get_by_role("button", name="Correct", exact=True).click()
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
