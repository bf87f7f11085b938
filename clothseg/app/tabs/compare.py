"""The tab that sets two models, or one model's two ways of looking, side by side on one photo."""

from functools import lru_cache
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
from PIL import Image

from clothseg.app import html
from clothseg.app.i18n import tr
from clothseg.app.limits import MODEL_LIMIT, MODEL_QUEUE
from clothseg.app.photo_input import photo_input
from clothseg.app.previews import before_and_after, difference, reduced
from clothseg.app.settings import LOOK, look_inputs, look_options
from clothseg.errors import ClothsegError, ConfigError
from clothseg.outputs.comparison import compare
from clothseg.segmenter import Segmenter


OPACITY = 0.75
"""Of the regions: here they matter more than the photo."""

SIDES = ("First model", "Second model")

SERVED = "served"
"""Stands for the model that is served, whatever its name."""


class Models(NamedTuple):
    """Which models can be compared with the one that is served.

    Attributes:
        names: Hub ids and folders on offer.
        free: whether any other can be named, too: only where all visitors may use the server as their own, since each
            name is downloaded, or read from the server's disk.
        device: where they compute, as in `Segmenter.from_pretrained`.
    """

    names: tuple[str, ...] = ()
    free: bool = False
    device: str | None = None

    def check(self, name: str) -> None:
        """Refuse what is not on offer, whatever the page sends.

        Raises:
            ConfigError: the model may not be loaded.
        """
        if name not in self.names and not self.free:
            offered = ", ".join(self.names) or "none but the one it serves"
            raise ConfigError(f"This app does not offer the model {name!r}; it offers {offered}.")


def compare_tab(segmenter: Segmenter, models: Models) -> None:
    """Add the tab's components and events to the Blocks being built.

    Args:
        segmenter: The model that is served.
        models: Others that can be chosen.
    """
    names = [(tr("This app’s model"), SERVED), *((name, name) for name in models.names)]
    other = names[1][1] if models.names else SERVED

    @lru_cache(maxsize=2)
    def load(name: str) -> Segmenter:
        return Segmenter.from_pretrained(name, device=models.device)

    def chosen(name: str) -> Segmenter:
        if name == SERVED:
            return segmenter
        models.check(name)
        return load(name)

    with gr.Row(elem_classes="two", elem_id="compare"):
        with gr.Column():
            photo = photo_input(
                label=tr("Photo"),
                sources=["upload", "clipboard"],
                height=400,
                buttons=[],
                elem_id="compare-photo",
                placeholder=tr("Drop a photo here\nor click to choose one"),
            )
        with gr.Column(elem_classes="card"):
            gr.HTML(html.heading(tr("Two looks at one photo"), _hint(models)))
            with gr.Row():
                sides = [_side(SIDES[0], names, SERVED, models), _side(SIDES[1], names, other, models)]
            go = gr.Button(tr("Compare"), variant="primary", interactive=False, elem_id="compare-go")
    if other == SERVED:  # or both sides would say the same
        sides[1][1].value = sides[1][2].value = False
    message = gr.HTML(visible=False, elem_id="compare-message")
    with gr.Row(visible=False, elem_id="compared") as compared:
        options: dict[str, Any] = {"interactive": False, "height": 460, "buttons": ["fullscreen"], "format": "webp"}
        first = gr.Image(label=tr("First"), **options)
        second = gr.Image(label=tr("Second"), **options)
        apart = gr.Image(label=tr("Where they differ"), elem_id="compare-difference", **options)
    with gr.Column(elem_classes="card", visible=False) as table_card:
        table = gr.HTML(elem_id="compare-table")

    def run(path: str | bytes | None, name: str, other_name: str, *ticks: bool) -> dict[Any, Any]:
        cards = [compared, table_card]
        if path is None:
            return {message: gr.update(visible=False), **{card: gr.update(visible=False) for card in cards}}
        try:
            one = chosen(name)(path, **look_options(ticks[: len(LOOK)]))
            two = chosen(other_name)(path, **look_options(ticks[len(LOOK) :]))
        except ClothsegError as error:
            shown = gr.update(value=html.problem(str(error), tr("This cannot be compared")), visible=True)
            return {message: shown, **{card: gr.update(visible=False) for card in cards}}
        found = compare(one.label_map, two.label_map)
        small = reduced(one)
        differs = np.asarray(Image.fromarray(found.differs).resize(small.photo.size, Image.Resampling.NEAREST))
        return {
            message: gr.update(visible=False),
            **{card: gr.update(visible=True) for card in cards},
            first: before_and_after(one, OPACITY)[1],
            second: before_and_after(two, OPACITY)[1],
            apart: difference(np.asarray(small.on_white), differs),
            table: html.agreement(found),
        }

    photo.change(
        lambda path: gr.update(interactive=path is not None),
        photo,
        go,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    go.click(
        run,
        [photo, sides[0][0], sides[1][0], *sides[0][1:], *sides[1][1:]],
        [message, compared, table_card, first, second, apart, table],
        show_progress_on=go,
        concurrency_id=MODEL_QUEUE,
        concurrency_limit=MODEL_LIMIT,
        trigger_mode="once",
        api_visibility="private",
    )


def _side(title: str, names: list[tuple[str, str]], value: str, models: Models) -> list[Any]:
    with gr.Column(min_width=240):
        model = gr.Dropdown(
            names,
            value=value,
            label=tr(title),
            allow_custom_value=models.free,
            elem_id=f"{title.partition(' ')[0].lower()}-model",
        )
        with gr.Accordion(tr("How it looks"), open=False):
            look = look_inputs()
    return [model, *look]


def _hint(models: Models) -> str:
    if models.free:
        return tr("Choose a model, or name one: on the Hub, such as <code>owner/model</code>, or a folder.")
    return tr("The same model with other settings, or another model, where the app offers one.")
