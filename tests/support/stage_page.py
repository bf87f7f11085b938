"""A page that contains only the stage, and actions on it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import gradio as gr
import numpy as np
from browsing import stage_point
from chromium import SharedPage
from paper_dolls import draw
from playwright.sync_api import CDPSession, Locator, Page, TimeoutError, expect

from clothseg import Segmentation
from clothseg.app.blocks import launch_options
from clothseg.app.components.parts import find_parts
from clothseg.app.components.stage import cutout_value, save_photo, stage, stage_news, stage_value
from clothseg.app.downloads import save_preview
from clothseg.app.server.gradio_internals import WITHOUT_REQUEST
from clothseg.labels import LABEL2ID


PICKED = ("Dress", "Hat")
START_OPACITY = 0.6


@dataclass
class StageApp:
    """An app whose page contains only the stage: its address, and the result that it shows."""

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


@contextmanager
def serving_stage() -> Iterator[StageApp]:
    """Serve the stage with buttons that show the result anew, or a result without parts."""
    drawn = draw(1, 600, 400)
    result = Segmentation(drawn.image, drawn.mask, name="doll.jpg")
    nothing = Segmentation(result.photo, np.zeros_like(result.label_map), name="doll.jpg")
    photo = save_photo(result)
    red = save_preview(result, result.photo.point(lambda _: 0).point([255] * 256 + [0] * 512))
    number = iter(range(1, 1000))

    def begin() -> dict[str, Any]:
        download = {
            "url": "/gradio_api/file=cut.png",
            "name": "doll-cutout.png",
            "type": "image/png",
            "picked": PICKED,
        }
        return stage_value(
            result, photo, next(number), picked=PICKED, download=download, view="cutout", opacity=START_OPACITY
        )

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
        again, empty = gr.Button("Begin again", elem_id="again"), gr.Button("Nothing found", elem_id="nothing")
        demo.load(begin, None, component)
        again.click(lambda: (begin(), "", ""), None, [component, picks, edits], show_progress="hidden")
        empty.click(lambda: stage_value(nothing, photo, next(number)), None, component, show_progress="hidden")
        as_in_the_app: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "always_last"}
        component.picked(picked, None, [component, picks], **as_in_the_app)
        component.edit(edit, None, [component, edits], **as_in_the_app)
    kept = ("theme", "css_paths", "ssr_mode", "js", *WITHOUT_REQUEST)
    options = {name: value for name, value in launch_options().items() if name in kept}
    _, url, _ = demo.launch(quiet=True, prevent_thread_lock=True, server_name="127.0.0.1", **options)
    yield StageApp(url, result)
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

    def __init__(self, page: Page, app: StageApp) -> None:
        self.page, self.app = page, app
        self.frame = page.locator(".stage .frame")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Position of a pixel of the photo on the page."""
        box, point = (
            self.page.locator(".stage .list").bounding_box(),
            stage_point(self.page, self.app.result, (x, y)),
        )
        return box["x"] + point["x"], box["y"] + point["y"]

    def of(self, key: str) -> tuple[float, float]:
        return self.at(*self.app.points[key])

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


class StagePage(SharedPage):
    """The page that shows the stage's first result."""

    def prepare(self, page: Page) -> None:
        page.goto(self.url)
        expect(page.locator(".stage .frame")).to_be_visible()

    def reset(self, page: Page) -> bool:
        return False  # late answers to a test's events would reach the next test


def begin_again(page: Page) -> None:
    """Let the server send the first result once more, and wait until it is shown.

    The answer to an earlier event may replace it; then it is requested again.
    """
    number = page.evaluate("window.clothseg.choice().number")
    for _ in range(20):
        page.evaluate("document.querySelector('#again').click()")
        with suppress(TimeoutError):
            page.wait_for_function(
                """(before) => {
                  const {number, picked, edits} = window.clothseg.choice();
                  const said = ['picks', 'edits'].map((id) => document.querySelector(`#${id} textarea`).value);
                  return number > before && picked.length === 2 && !edits.length && !said.join('');
                }""",
                arg=number,
                timeout=3000,
            )
            return
    raise AssertionError("the stage does not show the first result again")


def near(color: np.ndarray, other: Any) -> bool:
    """Whether two colours (r, g, b) are alike."""
    return bool(np.abs(color - np.asarray(other, int)[:3]).max() < 40)
