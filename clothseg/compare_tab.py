"""The tab that sets two models, or one model's two ways of looking, side by side on one photo."""

from functools import lru_cache
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
from PIL import Image

from clothseg import panels, zerogpu
from clothseg.choices import LOOK, look_inputs, look_options
from clothseg.comparison import compare
from clothseg.errors import ClothsegError, ConfigError
from clothseg.intake import MODEL_LIMIT, MODEL_QUEUE, photo_input
from clothseg.preview import before_and_after, difference, reduced
from clothseg.segmenter import Segmenter


OPACITY = 0.75
"""Of the regions: here they matter more than the photo."""


class Models(NamedTuple):
    """Which models can be compared with the one that is served.

    Attributes:
        names: Hub ids and folders on offer.
        free: whether any other can be named, too: only where all visitors may use the server as their own, since each
            name is downloaded, or read from the server's disk.
    """

    names: tuple[str, ...] = ()
    free: bool = False

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
    served = segmenter.name
    names = list(dict.fromkeys((served, *models.names)))
    other = names[1] if len(names) > 1 else served

    @lru_cache(maxsize=2)
    def load(name: str) -> Segmenter:
        return Segmenter.from_pretrained(name, device="cpu" if zerogpu.here() else None)

    def chosen(name: str) -> Segmenter:
        if name == served:
            return segmenter
        models.check(name)
        return load(name)

    with gr.Row(elem_classes="two", elem_id="compare"):
        with gr.Column():
            photo = photo_input(
                label="Photo",
                sources=["upload", "clipboard"],
                height=400,
                buttons=[],
                elem_id="compare-photo",
                placeholder="Drop a photo here\nor click to choose one",
            )
        with gr.Column(elem_classes="card"):
            gr.HTML(f"<h2>Two looks at one photo</h2><p>{_hint(models)}</p>")
            with gr.Row():
                sides = [_side("First", names, served, models), _side("Second", names, other, models)]
            go = gr.Button("Compare", variant="primary", interactive=False, elem_id="compare-go")
    if other == served:  # or both sides would say the same
        sides[1][1].value = sides[1][2].value = False
    message = gr.HTML(visible=False, elem_id="compare-message")
    with gr.Row(visible=False, elem_id="compared") as compared:
        options: dict[str, Any] = {"interactive": False, "height": 460, "buttons": ["fullscreen"], "format": "webp"}
        first = gr.Image(label="First", **options)
        second = gr.Image(label="Second", **options)
        apart = gr.Image(label="Where they differ", elem_id="compare-difference", **options)
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
            shown = gr.update(value=panels.problem(str(error), "This cannot be compared"), visible=True)
            return {message: shown, **{card: gr.update(visible=False) for card in cards}}
        found = compare(one.label_map, two.label_map)
        small = reduced(one)
        differs = np.asarray(Image.fromarray(found.differs).resize(small.photo.size, Image.Resampling.NEAREST))
        return {
            message: gr.update(visible=False),
            **{card: gr.update(visible=True) for card in cards},
            first: before_and_after(one, OPACITY)[1],
            second: before_and_after(two, OPACITY)[1],
            apart: difference(np.asarray(small.photo), differs),
            table: panels.agreement(found),
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


def _side(title: str, names: list[str], value: str, models: Models) -> list[Any]:
    with gr.Column(min_width=240):
        model = gr.Dropdown(
            names,
            value=value,
            label=f"{title} model",
            allow_custom_value=models.free,
            elem_id=f"{title.lower()}-model",
        )
        with gr.Accordion("How it looks", open=False):
            look = look_inputs()
    return [model, *look]


def _hint(models: Models) -> str:
    if models.free:
        return "Choose a model, or name one: on the Hub, such as <code>owner/model</code>, or a folder."
    return "The same model with other settings, or another model, where the app offers one."
