"""The tab for one photo: its regions, the garments picked as a cut-out, and a list of everything in it."""

from pathlib import Path
from typing import Any

import gradio as gr

from clothseg.app import html
from clothseg.app.downloads import save_labels, save_summary
from clothseg.app.i18n import tr
from clothseg.app.limits import KEEP_SECONDS, MODEL_LIMIT, MODEL_QUEUE
from clothseg.app.messages import localized
from clothseg.app.photo_input import photo_input
from clothseg.app.previews import colors_of_legends, names_found
from clothseg.app.selection import (
    VIEWS,
    CutoutRequest,
    PhotoResult,
    coco_file,
    cut,
    describe,
    each_item,
    link_to,
    of_group,
    pick_at,
    pick_named,
    picks,
    preset,
    request_cutout,
    show,
)
from clothseg.app.settings import (
    LOOK,
    OPACITY,
    cutout_inputs,
    cutout_options,
    look_inputs,
    look_options,
    polygons_input,
)
from clothseg.errors import ClothsegError
from clothseg.labels import GROUPS
from clothseg.segmenter import Segmenter


EXAMPLES = ("astronaut.jpg", "doll-skirt.jpg", "doll-trousers.jpg", "photographer.jpg")


def segment_tab(segmenter: Segmenter, examples: Path | None) -> list[Any]:
    """Add the tab's components and events to the Blocks being built; give those that `from_link` sets.

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
                label=tr("Photo"),
                elem_id="photo",
                sources=["upload", "clipboard", "webcam"],
                height=480,
                # A mirrored picture would swap the wearer's left and right.
                webcam_options=gr.WebcamOptions(mirror=False),
                placeholder=tr("Drop a photo here\nor click to choose one"),
                buttons=["fullscreen"],
            )
            if examples is not None:
                paths = [str(examples / name) for name in EXAMPLES]
                gr.Examples(paths, photo, label=tr("Or try one of these"), elem_id="examples")
            with gr.Accordion(tr("How to look at the photo"), open=False, elem_id="look"):
                look = look_inputs()
        with gr.Column(elem_id="regions-card"):
            start = gr.HTML(html.start(), elem_id="start")
            regions = gr.AnnotatedImage(
                label=tr("Regions"),
                elem_id="regions",
                visible=False,
                height=480,
                color_map=colors_of_legends(),
                buttons=["fullscreen"],
            )
            slider = gr.ImageSlider(
                label=tr("Photo, and its regions"),
                elem_id="before-after",
                visible=False,
                interactive=False,
                type="pil",
                max_height=480,
                height=480,
                buttons=["fullscreen"],
            )
            with gr.Row(elem_id="view", visible=False) as view_row:
                view = gr.Radio(
                    [(tr(name), name) for name in VIEWS], value=VIEWS[0], label=tr("Show"), elem_id="view-choice"
                )
                opacity = gr.Slider(0, 1, OPACITY, step=0.05, label=tr("Strength of the colours"), elem_id="opacity")
        with gr.Column(elem_id="picker-card", elem_classes="card", visible=False) as picker_card:
            gr.HTML(
                html.heading(tr("Pick what to keep"), tr("Click garments here, in the photo or under the regions."))
            )
            with gr.Row(elem_id="presets"):
                presets = {name: gr.Button(tr(name), size="sm", min_width=60) for name in GROUPS}
                clear = gr.Button(tr("Clear"), size="sm", min_width=60, elem_id="clear")
            picker = gr.CheckboxGroup(
                label=tr("Garments and body parts found"), show_label=False, container=False, elem_id="picker"
            )
            with gr.Accordion(tr("Edges, crop and what lies behind"), open=False, elem_id="cutout-options"):
                cutout_settings = cutout_inputs()
            save = gr.DownloadButton(tr("Download cut-out"), variant="primary", interactive=False, elem_id="save")
            with gr.Row(elem_id="more"):
                each = gr.Button(tr("One file per item (ZIP)"), size="sm", elem_id="save-each")
                labels_file = gr.DownloadButton(tr("Label map (PNG)"), size="sm", elem_id="save-labels")
                summary_file = gr.DownloadButton(tr("Summary (JSON)"), size="sm", elem_id="save-summary")
                each_file = gr.DownloadButton("ZIP", visible="hidden", elem_id="each-file")
            link = gr.Button(tr("Copy a link to these settings"), size="sm", elem_id="link")
            link_text = gr.Textbox(
                label=tr("Link to these settings"),
                visible=False,
                interactive=False,
                buttons=["copy"],
                elem_id="link-text",
            )
        with gr.Column(elem_id="cutout-card", visible=False) as cutout_card:
            cutout = gr.Image(
                label=tr("Cut-out"),
                elem_id="cutout",
                format="png",
                interactive=False,
                height=520,
                buttons=["fullscreen"],
            )
        with gr.Column(elem_id="items-card", elem_classes="card", visible=False) as items_card:
            table = gr.HTML()
            with gr.Row(elem_id="items-files"):
                items_file = gr.DownloadButton(tr("Items (JSON)"), size="sm", elem_id="save-items")
                coco = gr.DownloadButton(tr("COCO annotations (JSON)"), size="sm", elem_id="save-coco")
                polygons = polygons_input("polygons")

    cards = [picker_card, cutout_card, items_card, view_row]

    def analyse(path: str | bytes | None, before: PhotoResult | None, *values: Any) -> dict[Any, Any]:
        picked, kept, shown_as, strength, *rest = values
        found, message = None, html.start()
        if path is not None:
            try:
                options = cutout_options(*rest[len(LOOK) :])
                found = PhotoResult(path, segmenter(path, **look_options(rest[: len(LOOK)])))
            except ClothsegError as error:
                message = html.problem(localized(str(error)))
        shown: dict[Any, Any] = {card: gr.update(visible=found is not None) for card in cards}
        said = html.notes(found.result.notes) if found else message
        shown |= {start: gr.update(value=said, visible=bool(said)), seen: found}
        if found is None:
            hidden = {picker: gr.update(choices=[], value=[]), wish: CutoutRequest()}
            return shown | hidden | {regions: gr.update(visible=False), slider: gr.update(visible=False)}
        present = names_found(found.result)
        names = picks(present, kept, picked if before and before.path == path else None)
        for name, button in presets.items():
            shown[button] = gr.update(interactive=bool(of_group(name, present)))
        as_regions, as_slider = show(found, shown_as, strength)
        if not present:  # the photo twice would say nothing that the note does not
            as_regions = as_slider = gr.update(visible=False)
            shown |= {card: gr.update(visible=False) for card in (picker_card, cutout_card, view_row)}
        return shown | {
            regions: as_regions,
            slider: as_slider,
            picker: gr.update(choices=[(tr(name), name) for name in present], value=names),
            wish: CutoutRequest(found, tuple(names), options),
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
        concurrency_limit=MODEL_LIMIT,
        trigger_mode="always_last",
        **private,
    )
    # Two lists of one result, so that the slow one keeps nobody waiting for the quick one.
    seen.change(
        describe,
        [seen, polygons],
        [table, items_file, coco],
        show_progress_on=table,
        concurrency_limit=2,
        trigger_mode="always_last",
        **private,
    )
    polygons.input(
        coco_file,
        [seen, polygons],
        coco,
        show_progress_on=coco,
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
    opacity.change(None, opacity, None, js=SET_OPACITY, **private)
    photo.select(pick_at, [seen, picker], picker, **instant)
    regions.select(pick_named, picker, picker, **instant)
    # In the page alone: a pick that follows at once would be undone by the server's answer.
    clear.click(None, None, picker, js="() => [[]]", api_visibility="private")
    for name, button in presets.items():
        button.click(preset(name), seen, picker, **instant)
    # Queued, unlike those above: gradio reports a state's change only from there.
    gr.on(
        [picker.change, *(part.release if isinstance(part, gr.Slider) else part.change for part in cutout_settings)],
        request_cutout,
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
    link.click(
        link_to,
        [seen, picker, opacity, *look, *cutout_settings],
        link_text,
        show_progress="hidden",
        concurrency_limit=None,
        **private,
    ).success(None, link_text, link_text, js=_COPY_LINK, **private)
    return [*look, *cutout_settings, opacity, keep]


# Only the browser knows the page's address: behind proxies the server is called by another.
_COPY_LINK = """(query) => {
  const link = location.origin + location.pathname + query;
  navigator.clipboard?.writeText(link).catch(() => {});
  return link;
}"""
SET_OPACITY = "(value) => document.documentElement.style.setProperty('--regions-opacity', value)"
_TAKE_EACH = "() => setTimeout(() => document.querySelector('#each-file').click(), 200)"
