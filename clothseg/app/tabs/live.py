"""The Live tab: the camera's picture with coloured regions, smoothed over time."""

import base64
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from clothseg.app import html
from clothseg.app.i18n import decimal, tr
from clothseg.app.messages import localized
from clothseg.app.photo_input import photo_input
from clothseg.errors import ClothsegError
from clothseg.images.decode import load_photo
from clothseg.segmenter import Segmenter
from clothseg.video.stream import Stream


SIDE = 720
"""Longest side of the frames that are segmented and shown, in pixels."""

EVERY = 0.05
"""Seconds between frames from the page. While one is being segmented, only the newest of the others is kept."""

LIVE_QUEUE = "live"
"""Concurrency id of cameras, separate from that of photos, so that photos wait for one frame at most."""

CAMERAS = 2
"""Cameras served at the same time; others wait."""

LIMIT = 120
"""Seconds after which a camera's stream ends, so that others get a turn."""

_PAUSE = 2.0
"""After this many seconds without a frame, smoothing and frame rate start again."""


@dataclass
class Live:
    """State of a session's camera.

    Attributes:
        stream: smooths over time; holds the last frame.
        smooth: whether it does.
        times: when the last frames were done, in seconds.
    """

    stream: Stream
    smooth: bool
    times: deque[float] = field(default_factory=lambda: deque(maxlen=20))

    @property
    def rate(self) -> float:
        """Frames per second; 0 after a single frame."""
        passed = self.times[-1] - self.times[0] if self.times else 0.0
        return (len(self.times) - 1) / passed if passed else 0.0


def live_tab(segmenter: Segmenter) -> None:
    """Add the tab's components and events to the Blocks being built."""
    live = gr.State()
    with gr.Row(elem_classes="two"):
        with gr.Column(elem_classes="card"):
            camera = photo_input(
                label=tr("Camera"),
                elem_id="live-camera",
                sources=["webcam"],
                streaming=True,
                height=480,
                # A mirrored picture would swap the wearer's left and right.
                webcam_options=gr.WebcamOptions(mirror=False),
            )
            smooth = gr.Checkbox(value=True, label=tr("Reduce flicker"), elem_id="live-smooth")
        with gr.Column(elem_classes="card"):
            # Not a gr.Image, which would write a file for every frame to the server's disk.
            shown = gr.HTML(elem_id="live-regions")
            said = gr.HTML(start(), elem_id="live-said", js_on_load=_script())
    camera.stream(
        watcher(segmenter),
        [camera, smooth, live],
        [shown, said, live],
        stream_every=EVERY,
        time_limit=LIMIT,
        concurrency_id=LIVE_QUEUE,
        concurrency_limit=CAMERAS,
        show_progress="hidden",
        api_visibility="private",
    )


def _script() -> str:
    """Return the page's script for this tab, with the texts of gradio's buttons by the titles of their icons."""
    texts = {
        "grant webcam access": tr("Allow camera"),
        "start recording": tr("Start camera"),
        "spinner": tr("Please wait…"),
        "stop recording": tr("Stop camera"),
    }
    listed = ", ".join(f"'{title}': `{text}`" for title, text in texts.items())
    return Path(__file__).with_suffix(".js").read_text(encoding="utf-8").replace("TEXTS;", f"{{{listed}}};")


def watcher(
    segmenter: Segmenter, clock: Callable[[], float] = time.monotonic
) -> Callable[[str | bytes | None, bool, Live | None], tuple[Any, str, Live | None]]:
    """Return the event handler: from a frame, the option and the state to picture, message and new state."""

    def watch(source: str | bytes | None, smooth: bool, live: Live | None) -> tuple[Any, str, Live | None]:
        if source is None:
            return "", start(), None
        if live is None or live.smooth != smooth or clock() - live.times[-1] > _PAUSE:
            live = Live(Stream(segmenter, smooth=smooth), smooth)
        try:
            frame = load_photo(source, max_side=SIDE)
            result = live.stream(frame)
        except ClothsegError as error:
            return gr.skip(), f"<p role='alert'>{escape(localized(str(error)))}</p>", None
        live.times.append(clock())
        rate = tr("{rate} frames per second", rate=decimal(live.rate)) if live.rate else "…"
        size = tr("{width} × {height} pixels", width=frame.width, height=frame.height)
        return picture(result.overlay()), f"<p>{rate}, {size}</p>", live

    return watch


def start() -> str:
    """Return the text shown before the first frame."""
    hint = tr(
        "Garments are coloured in the camera’s picture. Nothing is stored, and the camera stops when you leave this "
        "tab."
    )
    return html.heading(tr("Live camera"), hint)


def picture(image: Image.Image) -> str:
    """Return an RGB image as an HTML element that contains its data."""
    file = BytesIO()
    image.save(file, "JPEG", quality=85)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="{tr("Regions")}" style="width:100%" src="data:image/jpeg;base64,{data}">'
