"""The tab for one photo: its regions, the garments picked as a cut-out, and a list of everything in it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from clothseg import panels
from clothseg.choices import LOOK, OPACITY, cutout_inputs, cutout_options, look_inputs, look_options, scaled
from clothseg.downloads import save_coco, save_cutout, save_each_item, save_items, save_labels, save_summary
from clothseg.errors import ClothsegError
from clothseg.intake import MODEL_QUEUE, photo_input, plain_errors
from clothseg.labels import BACKGROUND, GROUPS, NAMES, hex_color
from clothseg.preview import LEGEND, annotate, before_and_after, named, names_found, reduced, reduction
from clothseg.refine import PLAIN, CutoutOptions
from clothseg.segmentation import Segmentation
from clothseg.segmenter import Segmenter


KEEP_SECONDS = 3600
"""Photos, files and a session's result are deleted after this time."""

EXAMPLES = ("astronaut.jpg", "doll-skirt.jpg", "doll-trousers.jpg", "photographer.jpg")

VIEWS = ("Regions", "Before and after")
"""How a result is shown."""


class Parts(NamedTuple):
    """Components that a link sets.

    Attributes:
        look: boxes of `look_inputs`.
        cutout: components of `cutout_inputs`.
        opacity: slider.
        keep: state with the classes that are picked in a new photo.
        picker: boxes of the classes found.
    """

    look: list[gr.Checkbox]
    cutout: list[Any]
    opacity: gr.Slider
    keep: gr.State
    picker: gr.CheckboxGroup


@dataclass(frozen=True, eq=False)
class Seen:
    """A result, and the stored photo that it is of."""

    path: str | bytes
    result: Segmentation


@dataclass(frozen=True, eq=False)
class Wish:
    """What the cut-out shows, or soon will."""

    seen: Seen | None = None
    names: tuple[str, ...] = ()
    options: CutoutOptions = PLAIN

    def same_as(self, other: "Wish | None") -> bool:
        """Whether the other asks for the very same picture."""
        if other is None or self.seen is not other.seen:
            return False
        return (self.names, self.options) == (other.names, other.options)


def segment_tab(segmenter: Segmenter, examples: Path | None) -> Parts:
    """Add the tab's components and events to the Blocks being built.

    Args:
        segmenter: Runs one photo at a time.
        examples: Folder of example photos; their names are in `EXAMPLES`.
    """
    seen = gr.State(time_to_live=KEEP_SECONDS)
    wish = gr.State(time_to_live=KEEP_SECONDS)
    keep = gr.State([])
    with gr.Row(elem_id="work"):
        with gr.Column(elem_id="photo-card"):
            photo = photo_input(
                label="Photo",
                elem_id="photo",
                sources=["upload", "clipboard", "webcam"],
                height=480,
                # A mirrored picture would swap the wearer's left and right.
                webcam_options=gr.WebcamOptions(mirror=False),
                placeholder="Drop a photo here\nor click to choose one",
                buttons=["fullscreen"],
            )
            if examples is not None:
                paths = [str(examples / name) for name in EXAMPLES]
                gr.Examples(paths, photo, label="Or try one of these", elem_id="examples")
            with gr.Accordion("How to look at the photo", open=False, elem_id="look"):
                look = look_inputs()
        with gr.Column(elem_id="regions-card"):
            start = gr.HTML(panels.start(), elem_id="start")
            regions = gr.AnnotatedImage(
                label="Regions",
                elem_id="regions",
                visible=False,
                height=480,
                color_map={LEGEND[name]: hex_color(name) for name in NAMES},
                buttons=["fullscreen"],
            )
            slider = gr.ImageSlider(
                label="Photo, and its regions",
                elem_id="before-after",
                visible=False,
                interactive=False,
                type="pil",
                max_height=480,
                height=480,
                buttons=["fullscreen"],
            )
            with gr.Row(elem_id="view", visible=False) as view_row:
                view = gr.Radio(VIEWS, value=VIEWS[0], label="Show", elem_id="view-choice")
                opacity = gr.Slider(0, 1, OPACITY, step=0.05, label="Strength of the colours", elem_id="opacity")
        with gr.Column(elem_id="picker-card", elem_classes="card", visible=False) as picker_card:
            gr.HTML("<h2>Pick what to keep</h2><p>Click garments here, in the photo or under the regions.</p>")
            with gr.Row(elem_id="presets"):
                presets = {name: gr.Button(name, size="sm", min_width=60) for name in GROUPS}
                clear = gr.Button("Clear", size="sm", min_width=60, elem_id="clear")
            picker = gr.CheckboxGroup(
                label="Garments and body parts found", show_label=False, container=False, elem_id="picker"
            )
            with gr.Accordion("Edges, crop and what lies behind", open=False, elem_id="cutout-options"):
                cutout_settings = cutout_inputs()
            save = gr.DownloadButton("Download cut-out", variant="primary", interactive=False, elem_id="save")
            with gr.Row(elem_id="more"):
                each = gr.Button("One file per item (ZIP)", size="sm", elem_id="save-each")
                labels_file = gr.DownloadButton("Label map (PNG)", size="sm", elem_id="save-labels")
                summary_file = gr.DownloadButton("Summary (JSON)", size="sm", elem_id="save-summary")
                each_file = gr.DownloadButton("ZIP", visible="hidden", elem_id="each-file")
        with gr.Column(elem_id="cutout-card", visible=False) as cutout_card:
            cutout = gr.Image(
                label="Cut-out",
                elem_id="cutout",
                format="png",
                interactive=False,
                height=520,
                buttons=["fullscreen"],
            )
        with gr.Column(elem_id="items-card", elem_classes="card", visible=False) as items_card:
            table = gr.HTML()
            with gr.Row(elem_id="items-files"):
                items_file = gr.DownloadButton("Items (JSON)", size="sm", elem_id="save-items")
                coco_file = gr.DownloadButton("COCO annotations (JSON)", size="sm", elem_id="save-coco")

    cards = [picker_card, cutout_card, items_card, view_row]

    def analyse(path: str | bytes | None, before: Seen | None, *values: Any) -> dict[Any, Any]:
        picked, kept, shown_as, strength, *rest = values
        found, message = None, panels.start()
        if path is not None:
            try:
                options = cutout_options(*rest[len(LOOK) :])
                found = Seen(path, segmenter(path, **look_options(rest[: len(LOOK)])))
            except ClothsegError as error:
                message = panels.problem(str(error))
        shown: dict[Any, Any] = {card: gr.update(visible=found is not None) for card in cards}
        shown |= {start: gr.update(value=message, visible=found is None), seen: found}
        if found is None:
            hidden = {picker: gr.update(choices=[], value=[]), wish: Wish()}
            return shown | hidden | {regions: gr.update(visible=False), slider: gr.update(visible=False)}
        present = names_found(found.result)
        names = picks(present, kept, picked if before and before.path == path else None)
        for name, button in presets.items():
            shown[button] = gr.update(interactive=bool(of_group(name, present)))
        as_regions, as_slider = show(found, shown_as, strength)
        return shown | {
            regions: as_regions,
            slider: as_slider,
            picker: gr.update(choices=present, value=names),
            wish: Wish(found, tuple(names), options),
            labels_file: save_labels(found.result),
            summary_file: save_summary(found.result),
        }

    private: dict[str, Any] = {"api_visibility": "private"}
    instant = private | {"queue": False, "show_progress": "hidden"}
    files = [labels_file, summary_file]
    gr.on(
        [photo.change, *(box.input for box in look)],
        analyse,
        [photo, seen, picker, keep, view, opacity, *look, *cutout_settings],
        [seen, wish, start, regions, slider, *cards, *presets.values(), picker, *files],
        show_progress_on=[start, regions, slider],
        concurrency_id=MODEL_QUEUE,
        concurrency_limit=1,
        trigger_mode="always_last",
        **private,
    )
    # Two lists of one result, so that the slow one keeps nobody waiting for the quick one.
    seen.change(
        describe,
        seen,
        [table, items_file, coco_file],
        show_progress_on=table,
        concurrency_limit=2,
        trigger_mode="always_last",
        **private,
    )
    gr.on(
        [view.input, opacity.release],
        show,
        [seen, view, opacity],
        [regions, slider],
        show_progress="hidden",
        concurrency_limit=None,
        trigger_mode="always_last",
        **private,
    )
    # The regions themselves follow the slider at once: their masks' opacity is the style sheet's.
    opacity.change(None, opacity, None, js=_SET_OPACITY, **private)
    photo.select(pick_at, [seen, picker], picker, **instant)
    regions.select(pick_named, picker, picker, **instant)
    clear.click(lambda: [], None, picker, **instant)
    for name, button in presets.items():
        button.click(_preset(name), seen, picker, **instant)
    # Queued, unlike those above: gradio reports a state's change only from there.
    gr.on(
        [picker.change, *(part.release if isinstance(part, gr.Slider) else part.change for part in cutout_settings)],
        want,
        [seen, picker, wish, *cutout_settings],
        [wish, save],
        show_progress="hidden",
        concurrency_limit=None,
        trigger_mode="always_last",
        **private,
    )
    # One event for every cause, so that of quick picks the last one wins, and a new photo is cut out but once.
    wish.change(
        cut,
        wish,
        [cutout, save],
        show_progress_on=cutout,
        trigger_mode="always_last",
        concurrency_limit=2,
        **private,
    )
    each.click(
        each_item, [seen, wish], each_file, show_progress_on=each, concurrency_limit=2, trigger_mode="once", **private
    ).success(None, None, None, js=_TAKE_EACH, **private)
    return Parts(look, cutout_settings, opacity, keep, picker)


_SET_OPACITY = "(value) => document.documentElement.style.setProperty('--regions-opacity', value)"
_TAKE_EACH = "() => setTimeout(() => document.querySelector('#each-file').click(), 200)"


def show(seen: Seen | None, view: str, opacity: float) -> tuple[Any, Any]:
    """Updates of the regions and of the slider, of which one is to be seen."""
    if seen is None:
        return gr.skip(), gr.skip()
    if view == VIEWS[0]:
        return gr.update(value=annotate(seen.result), visible=True), gr.update(visible=False)
    return gr.update(visible=False), gr.update(value=before_and_after(seen.result, opacity), visible=True)


@plain_errors
def describe(seen: Seen | None) -> tuple[str, Any, Any]:
    """The list of items, and the files that say the same."""
    if seen is None:
        return "", gr.update(value=None), gr.update(value=None)
    items = seen.result.items(*NAMES[BACKGROUND + 1 :])
    return panels.items_table(items, seen.result.people), save_items(seen.result, items), save_coco(seen.result, items)


@plain_errors
def each_item(seen: Seen | None, wish: Wish | None) -> str | None:
    """Path of a ZIP with a cut-out of each item of the classes picked."""
    if seen is None or wish is None:
        return None
    if not wish.names:
        raise gr.Error("Pick something first: the ZIP holds the items of the classes picked.", print_exception=False)
    return save_each_item(seen.result, wish.names, wish.options)


def picks(present: list[str], kept: list[str], before: list[str] | None) -> list[str]:
    """Classes to pick: those `before`, if it is the same photo; else `kept`, all garments, or all there is."""
    if before is not None:
        return [name for name in present if name in before]
    return [name for name in present if name in kept] or of_group("All garments", present) or present


def of_group(group: str, present: list[str]) -> list[str]:
    """Those of the classes `present` that belong to the preset `group`."""
    return [name for name in present if name in GROUPS[group]]


@plain_errors
def want(seen: Seen | None, names: list[str], wish: Wish | None, *settings: Any) -> tuple[Any, Any]:
    """What `cut` is to show next; until it does, the file on offer is the one before and must not be taken."""
    wanted = Wish(seen, tuple(names), cutout_options(*settings))
    if wanted.same_as(wish):
        return gr.skip(), gr.skip()
    return wanted, gr.update(interactive=False)


def cut(wish: Wish | None) -> Iterator[tuple[Any, Any]]:
    """Yield the cut-out's preview at once, and the download when its file, of the photo's own size, is written."""
    if wish is None or wish.seen is None or not wish.names:
        yield None, gr.update(value=None, label="Pick something to cut out", interactive=False)
        return
    result = wish.seen.result
    preview = reduced(result).cutout(*wish.names, options=scaled(wish.options, reduction(result)))
    yield preview, gr.update(value=None, label="Preparing the file…", interactive=False)
    path = save_cutout(result, list(wish.names), wish.options)
    # The preview once more: of two answers in quick succession the page at times shows only the last.
    yield preview, gr.update(value=path, label=f"Download {Path(path).name}", interactive=True)


def pick_at(seen: Seen | None, names: list[str], event: gr.SelectData) -> Any:
    """Add or take away the class at the pixel of the photo that was clicked."""
    x, y = event.index
    height, width = (0, 0) if seen is None else seen.result.label_map.shape
    if seen is None or not (0 <= x < width and 0 <= y < height) or seen.result.label_map[y, x] == BACKGROUND:
        return gr.skip()
    return _toggled(names, NAMES[seen.result.label_map[y, x]])


def pick_named(names: list[str], event: gr.SelectData) -> list[str]:
    """Add or take away the class whose name was clicked under the regions."""
    return _toggled(names, named(event.value))


def _toggled(names: list[str], name: str) -> list[str]:
    return [other for other in names if other != name] if name in names else [*names, name]


def _preset(group: str) -> Callable[[Seen | None], list[str]]:
    return lambda seen: [] if seen is None else of_group(group, names_found(seen.result))
