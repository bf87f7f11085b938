"""The tab for the camera: its picture with the regions drawn over it, smoothed, as often as the network can."""

import base64
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from typing import Any

import gradio as gr
from PIL import Image

from clothseg.app import html
from clothseg.app.i18n import decimal, tr
from clothseg.app.photo_input import photo_input
from clothseg.errors import ClothsegError
from clothseg.images.decode import load_photo
from clothseg.segmenter import Segmenter
from clothseg.video.stream import Stream


SIDE = 720
"""Longest side of the frames that are looked at and shown, in pixels."""

EVERY = 0.05
"""Seconds between the frames that the page sends; of those that come while one is looked at, the last is taken."""

LIVE_QUEUE = "live"
"""Concurrency id of cameras: not in the way of photos, which wait for one frame at most."""

CAMERAS = 2
"""How many are looked at together; others wait until one has ended."""

LIMIT = 120
"""Seconds after which a camera that others may wait for is let go."""

_PAUSE = 2.0
"""Seconds without a frame after which the next one begins anew."""


@dataclass
class Live:
    """What a session's camera has shown: `stream` remembers the last frame, `times` when the last ones were done."""

    stream: Stream
    smooth: bool
    times: deque[float] = field(default_factory=lambda: deque(maxlen=20))

    @property
    def rate(self) -> float:
        """Frames per second; 0 where one alone is done."""
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
            smooth = gr.Checkbox(value=True, label=tr("Smooth, so that nothing flickers"), elem_id="live-smooth")
        with gr.Column(elem_classes="card"):
            # Not a gr.Image, which would leave a file of every frame on the server's disk.
            shown = gr.HTML(elem_id="live-regions")
            said = gr.HTML(start(), elem_id="live-said")
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


def watcher(
    segmenter: Segmenter, clock: Callable[[], float] = time.monotonic
) -> Callable[[str | bytes | None, bool, Live | None], tuple[Any, str, Live | None]]:
    """A function of a frame, the option and what was before: what to show, what to say, and what is now."""

    def watch(source: str | bytes | None, smooth: bool, live: Live | None) -> tuple[Any, str, Live | None]:
        if source is None:
            return "", start(), None
        if live is None or live.smooth != smooth or clock() - live.times[-1] > _PAUSE:
            live = Live(Stream(segmenter, smooth=smooth), smooth)
        try:
            frame = load_photo(source, max_side=SIDE)
            result = live.stream(frame)
        except ClothsegError as error:
            return gr.skip(), f"<p role='alert'>{escape(str(error))}</p>", None
        live.times.append(clock())
        rate = tr("{rate} frames per second", rate=decimal(live.rate)) if live.rate else "…"
        size = tr("{width} × {height} pixels", width=frame.width, height=frame.height)
        return picture(result.overlay()), f"<p>{rate}, {size}</p>", live

    return watch


def start() -> str:
    """What is said before there is a frame."""
    hint = tr(
        "Start the camera: garments are coloured in its picture, as often as the network can. Nothing of it is kept."
    )
    return html.heading(tr("The camera, with its regions"), hint)


def picture(image: Image.Image) -> str:
    """An RGB image as HTML that holds it itself."""
    file = BytesIO()
    image.save(file, "JPEG", quality=85)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="{tr("Regions")}" style="width:100%" src="data:image/jpeg;base64,{data}">'
