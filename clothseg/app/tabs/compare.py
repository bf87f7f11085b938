"""The Compare tab: two models, or one model with two settings, on one photo."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
from PIL import Image

from clothseg.app import html
from clothseg.app.i18n import tr
from clothseg.app.limits import MODEL_LIMIT, MODEL_QUEUE
from clothseg.app.messages import localized
from clothseg.app.model_loader import pending
from clothseg.app.photo_input import photo_input
from clothseg.app.previews import before_and_after, difference, reduced
from clothseg.app.settings import SWITCHES, switch_inputs, switch_options
from clothseg.errors import ClothsegError, ConfigError
from clothseg.outputs.comparison import compare
from clothseg.segmenter import Segmenter


OPACITY = 0.75
"""Opacity of the regions, higher than elsewhere."""

SIDES = ("A", "B")

SERVED = "served"
"""Value of the served model in the list, whatever its name."""

SAME = "Both sides are the same; choose another model or other settings for one of them."

FAST = ("edges", "zoom")
"""Options that are off by default on side B if it has the same model as side A."""


class Models(NamedTuple):
    """Models that can be compared with the served one.

    Attributes:
        names: Hub ids and folders on offer.
        free: whether visitors may name any other model. Each is downloaded, or read from the server's disk, so this is
            only for servers whose visitors may do that.
        device: where they run, as in `Segmenter.from_pretrained`.
    """

    names: tuple[str, ...] = ()
    free: bool = False
    device: str | None = None

    def check(self, name: str) -> None:
        """Check that a model is on offer, whatever the page sends.

        Raises:
            ConfigError: the model may not be loaded.
        """
        if name not in self.names and not self.free:
            offered = ", ".join(self.names) or "none but the one it serves"
            raise ConfigError(f"This app does not offer the model {name!r}; it offers {offered}.")


def compare_tab(segmenter: Segmenter, models: Models) -> gr.Image:
    """Add the tab's components and events to the Blocks being built, and return its photo.

    Args:
        segmenter: The model that is served.
        models: Others that can be chosen.
    """
    served = tr("This app’s model")
    if pending(segmenter) is None:
        served = tr("This app’s model ({name})", name=segmenter.name)
    names = [(served, SERVED), *((name, name) for name in models.names)]
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
            gr.HTML(html.heading(tr("Compare two settings or models"), _hint(models)))
            with gr.Row():
                sides = [
                    _side(SIDES[0], names, SERVED, models, ()),
                    _side(SIDES[1], names, other, models, FAST if other == SERVED else ()),
                ]
            go = gr.Button(tr("Compare"), variant="primary", interactive=False, elem_id="compare-go")
    message = gr.HTML(visible=False, elem_id="compare-message")
    with gr.Row(visible=False, elem_id="compared") as compared:
        options: dict[str, Any] = {"interactive": False, "height": 460, "buttons": ["fullscreen"], "format": "webp"}
        options |= {"min_width": 260}  # one below the other on a phone
        first = gr.Image(label=SIDES[0], elem_id="compare-first", **options)
        second = gr.Image(label=SIDES[1], elem_id="compare-second", **options)
        apart = gr.Image(label=tr("Differences"), elem_id="compare-difference", **options)
    with gr.Column(elem_classes="card", visible=False) as table_card:
        table = gr.HTML(elem_id="compare-table")

    def run(path: str | bytes | None, name: str, other_name: str, *ticks: bool) -> dict[Any, Any]:
        cards = [compared, table_card]
        nothing = {message: gr.update(visible=False), **{card: gr.update(visible=False) for card in cards}}
        if path is None:
            return nothing
        ticks_of = ticks[: len(SWITCHES)], ticks[len(SWITCHES) :]
        try:
            models_of = chosen(name), chosen(other_name)
            if models_of[0] is models_of[1] and ticks_of[0] == ticks_of[1]:
                raise ConfigError(SAME)
            one, two = (model(path, **switch_options(t)) for model, t in zip(models_of, ticks_of, strict=True))
        except ClothsegError as error:
            problem = html.problem(localized(str(error)), tr("This cannot be compared"))
            return nothing | {message: gr.update(value=problem, visible=True)}
        found = compare(one.label_map, two.label_map, (one.labels, two.labels))
        names_shown = titles((models_of[0].name, models_of[1].name), ticks_of)
        small = reduced(one)
        differs = np.asarray(Image.fromarray(found.differs).resize(small.photo.size, Image.Resampling.NEAREST))
        return {
            message: gr.update(visible=False),
            **{card: gr.update(visible=True) for card in cards},
            first: gr.update(value=before_and_after(one, OPACITY)[1], label=names_shown[0]),
            second: gr.update(value=before_and_after(two, OPACITY)[1], label=names_shown[1]),
            apart: difference(np.asarray(small.on_white), differs),
            table: html.agreement(found, *SIDES),
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
    return photo


def follow_photo(tab: gr.Tab, source: gr.Image, photo: gr.Image) -> None:
    """Put the photo of another tab into this one when it is opened, unless the visitor has chosen another here.

    Args:
        tab: The tab that is opened.
        source: The photo of the other tab.
        photo: This tab's photo.
    """
    taken = gr.State()

    def take(path: Any, here: Any, before: str | None) -> tuple[Any, Any]:
        if not isinstance(path, str) or path == before or here not in (None, before):
            return gr.skip(), gr.skip()
        return path, path

    tab.select(take, [source, photo, taken], [photo, taken], show_progress="hidden", api_visibility="private")


def settings_text(ticks: Sequence[bool]) -> str:
    """Name the settings that are not the default."""
    changed = [
        tr("{setting}: on", setting=tr(switch.label)) if tick else tr("{setting}: off", setting=tr(switch.label))
        for switch, tick in zip(SWITCHES, ticks, strict=True)
        if tick != switch.ticked
    ]
    return ", ".join(changed) or tr("Default settings")


def titles(names: tuple[str, str], ticks: tuple[Sequence[bool], Sequence[bool]]) -> list[str]:
    """Return titles for both results that name their differences: the models, the settings, or both."""
    parts = [[side] for side in SIDES]
    for part, name, chosen in zip(parts, names, ticks, strict=True):
        part += [name] if names[0] != names[1] else []
        part += [settings_text(chosen)] if ticks[0] != ticks[1] else []
    return [f"{side}: {', '.join(rest)}" if rest else side for side, *rest in parts]


def _side(title: str, names: list[tuple[str, str]], value: str, models: Models, off: Sequence[str]) -> list[Any]:
    """Add the inputs of one side: the model and its settings, of which those named `off` are off at first."""
    with gr.Column(min_width=240):
        model = gr.Dropdown(
            names,
            value=value,
            label=tr("Model {side}", side=title),
            allow_custom_value=models.free,
            elem_id=f"model-{title.lower()}",
        )
        ticks = [switch.ticked and switch.option not in off for switch in SWITCHES]
        summary = gr.HTML(_summary(*ticks))
        with gr.Accordion(tr("Detection settings"), open=False):
            boxes = switch_inputs()
    for box, tick in zip(boxes, ticks, strict=True):
        box.value = tick
    events = [box.change for box in boxes]
    gr.on(events, _summary, boxes, summary, queue=False, show_progress="hidden", api_visibility="private")
    return [model, *boxes]


def _summary(*ticks: bool) -> str:
    return f"<p>{settings_text(ticks)}</p>"


def _hint(models: Models) -> str:
    if models.free:
        return tr(
            "Choose two models or two settings. Models can be from the Hub, such as <code>owner/model</code>, or "
            "folders."
        )
    return tr("Choose two settings, or two models where the app offers more than one.")
