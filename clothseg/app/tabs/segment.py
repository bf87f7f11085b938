"""The Segment tab: drop a photo, pick its garments on the stage, correct them, and download the cut-out."""

from pathlib import Path
from typing import Any

import gradio as gr

from clothseg.app import html, links
from clothseg.app.answers import Answers
from clothseg.app.components.stage import stage
from clothseg.app.i18n import tr
from clothseg.app.limits import KEEP_SECONDS, MODEL_LIMIT, MODEL_QUEUE
from clothseg.app.photo_input import photo_input
from clothseg.app.result_files import EXPORTS, ResultFiles
from clothseg.app.settings import background_inputs, edge_inputs, polygons_input, switch_inputs
from clothseg.segmenter import Segmenter


EXAMPLES = ("president.jpg", "officer.jpg", "suit.jpg")

PRIVATE: dict[str, Any] = {"api_visibility": "private"}

PAGE_READY = "while (!window.clothseg) await new Promise((done) => setTimeout(done, 20));"
"""Script of an async function that waits for the page's own script: gradio runs that after the page can be used."""


def segment_tab(segmenter: Segmenter, examples: Path | None, save_corrections: Path | None = None) -> list[Any]:
    """Add the tab's components and events to the Blocks being built; return those that `from_link` sets.

    Args:
        segmenter: Runs one photo at a time.
        examples: Folder of example photos; their names are in `EXAMPLES`.
        save_corrections: Data set folder for "Save as training example"; None hides the button.
    """
    seen = gr.State(time_to_live=KEEP_SECONDS)
    keep = gr.State([])
    choice = gr.JSON(visible=False)  # the parts picked in the browser; `_asking` fills it in
    taken = gr.File(visible=False)  # the file that a button asked for
    address = gr.Textbox(visible=False)
    found_keys = gr.JSON(visible=False)  # the parts found by words, for the browser to pick
    with gr.Row(elem_id="work"):
        with gr.Column(elem_id="stage-card"):
            message = gr.HTML(elem_id="message", visible=False)
            photo = photo_input(
                label=tr("Photo"),
                show_label=False,
                elem_id="photo",
                sources=["upload", "clipboard", "webcam"],
                # A mirrored picture would swap the wearer's left and right.
                webcam_options=gr.WebcamOptions(mirror=False),
                placeholder=tr("Drop a photo of a dressed person here,\npaste it, or click to choose one"),
                buttons=[],
            )
            canvas = stage(elem_id="stage")
        with gr.Column(elem_id="side-card", elem_classes="card"):
            with gr.Column(elem_id="before") as before:
                gr.HTML(html.start())
                if examples is not None:
                    paths = [str(examples / name) for name in EXAMPLES]
                    gr.Examples(paths, photo, label=tr("Or try an example"), elem_id="examples")
            with gr.Column(elem_id="after", visible=False) as after:
                gr.HTML(html.result_bar(), elem_id="result-bar")
                words = gr.Textbox(
                    label=tr("Find by words"),
                    show_label=False,
                    container=False,
                    max_lines=1,
                    placeholder=tr("Find: red dress, largest bag"),
                    elem_id="find",
                )
                go = gr.Button(elem_id="find-go")
                told_found = gr.HTML(elem_id="find-told", padding=False)
                items = gr.HTML(elem_id="items", padding=False)
                with gr.Row(elem_id="look-of-cutout"):
                    ground = background_inputs()
            # Comes first in the order of the keyboard; the style sheet places it below.
            with gr.Row(elem_id="take", visible=False) as take:
                save = gr.Button(tr("Download"), variant="primary", elem_id="save")
                copy = gr.Button(tr("Copy"), elem_id="copy")
            with gr.Accordion(tr("More: files, edges, link"), open=False, elem_id="more", visible=False) as more:
                with gr.Row(elem_id="files"):
                    each = gr.Button(tr("One file per item (ZIP)"), size="sm", elem_id="save-each")
                    kinds = {
                        "mask": gr.Button(tr("Mask (PNG)"), size="sm", elem_id="save-mask"),
                        "masks": gr.Button(tr("Masks, one per class (ZIP)"), size="sm", elem_id="save-masks"),
                        "labels": gr.Button(tr("Label map (PNG)"), size="sm", elem_id="save-labels"),
                        "summary": gr.Button(tr("Summary (JSON)"), size="sm", elem_id="save-summary"),
                        "items": gr.Button(tr("Items (JSON)"), size="sm", elem_id="save-items"),
                        "coco": gr.Button(tr("COCO annotations (JSON)"), size="sm", elem_id="save-coco"),
                    }
                with gr.Row(elem_id="export"):
                    exported = gr.Dropdown(
                        [(tr(name), kind) for name, kind in EXPORTS],
                        value=EXPORTS[0][1],
                        label=tr("More files"),
                        elem_id="export-kind",
                    )
                    color = gr.ColorPicker(
                        "#a03050", label=tr("New colour"), info=tr("For the recoloured photo."), elem_id="new-color"
                    )
                    export = gr.Button(tr("Download this file"), size="sm", elem_id="save-export")
                keep_example = gr.Button(
                    tr("Save as training example"),
                    size="sm",
                    elem_id="save-example",
                    visible=save_corrections is not None,
                )
                polygons = polygons_input("polygons")
                edges = edge_inputs()
                link = gr.Button(tr("Copy a link to these settings"), size="sm", elem_id="link")
                link_text = gr.Textbox(
                    label=tr("Link to these settings"),
                    visible=False,
                    interactive=False,
                    buttons=["copy"],
                    elem_id="link-text",
                )
            with gr.Accordion(tr("Detection settings"), open=False, elem_id="look"):
                look = switch_inputs()
    said = gr.HTML(html.announcement(""), elem_id="said")
    gr.HTML(html.toast())  # separate, so that a result does not end it

    answers, files = Answers(segmenter), ResultFiles(segmenter)
    cutout_settings = [*ground, *edges]
    result_parts = [before, after, more, take]

    def shown(found: bool) -> dict[Any, Any]:
        return {part: gr.update(visible=found != (part is before)) for part in result_parts}

    def analyse(said_choice: Any, path: str | bytes | None, was: Any, kept: list[str], *values: Any) -> dict[Any, Any]:
        found = answers.analyse(said_choice, path, was, kept, values[: len(look)], values[len(look) :])
        if found is None and was is answers.refused:  # the photo could not be used, and the page shows why
            return {seen: None}
        if found is None:
            return shown(False) | {
                seen: None,
                message: gr.update(value="", visible=False),
                said: html.announcement(""),
                canvas: None,
            }
        if not found:
            return {said: gr.skip()}
        if isinstance(found, str):
            return shown(False) | {
                seen: answers.refused,
                message: gr.update(value=html.problem(found), visible=True),
                canvas: None,
            }
        result, value = found
        same_photo = getattr(was, "path", None) == result.path
        return shown(True) | {
            words: gr.skip() if same_photo else "",
            told_found: gr.skip() if same_photo else "",
            seen: result,
            canvas: value,
            message: gr.update(value=html.notes(result.notes), visible=bool(result.notes)),
            said: html.announcement(answers.told(result)),
        }

    analysed = gr.on(
        [photo.change, *(box.input for box in look)],
        analyse,
        [choice, photo, seen, keep, *look, *cutout_settings],
        [seen, message, said, canvas, words, told_found, *result_parts],
        js=_asking(4 + len(look) + len(cutout_settings), "analyse"),
        show_progress_on=[photo, canvas],
        concurrency_id=MODEL_QUEUE,
        concurrency_limit=MODEL_LIMIT,
        trigger_mode="always_last",
        **PRIVATE,
    )
    # Not by the server: an update of the input would restore Gradio's own way to read files.
    analysed.then(None, None, None, js="() => window.clothseg.discard()", **PRIVATE)
    canvas.edit(
        answers.correct,
        [choice, seen, *cutout_settings],
        [seen, canvas, said],
        js=_asking(2 + len(cutout_settings)),
        show_progress="hidden",
        concurrency_id=MODEL_QUEUE,
        concurrency_limit=MODEL_LIMIT,
        trigger_mode="always_last",
        **PRIVATE,
    )
    # After the cut-out, so that it does not wait for these.
    seen.change(
        answers.describe,
        seen,
        items,
        js="async (seen) => [(await window.clothseg.later(), seen)]",
        show_progress="hidden",
        concurrency_limit=2,
        trigger_mode="always_last",
        **PRIVATE,
    )
    go.click(  # by `page/find.js`, after a pause in the typing
        answers.search,
        [choice, seen, words],
        [found_keys, told_found],
        js=_asking(3),
        show_progress="hidden",
        concurrency_limit=2,
        trigger_mode="always_last",
        **PRIVATE,
    ).success(None, found_keys, None, js=_PICK, **PRIVATE)
    refined: dict[str, Any] = {
        "fn": answers.preview,
        "inputs": [choice, seen, *cutout_settings],
        "outputs": canvas,
        "js": _asking(2 + len(cutout_settings), "later"),
        "show_progress": "hidden",
        "concurrency_limit": 2,
        "trigger_mode": "always_last",
    } | PRIVATE
    settled = [part.release if isinstance(part, gr.Slider) else part.change for part in cutout_settings]
    gr.on([seen.change, *settled], **refined)
    canvas.picked(**refined)

    # Files are created on request, for the current state of the browser.
    asked: dict[str, Any] = {"show_progress": "minimal", "trigger_mode": "once", "concurrency_limit": 2} | PRIVATE
    wanted = [choice, seen, polygons, *cutout_settings]
    for kind, button in {"cutout": save, "each": each, **kinds}.items():
        made = button.click(files.file(kind), wanted, taken, js=_asking(len(wanted)), show_progress_on=button, **asked)
        made.success(None, taken, None, js=_taking(button), **PRIVATE)
    wanted_export = [choice, seen, exported, color, polygons, *cutout_settings]
    made = export.click(
        files.for_tool, wanted_export, taken, js=_asking(len(wanted_export)), show_progress_on=export, **asked
    )
    made.success(None, taken, None, js=_taking(export), **PRIVATE)
    copied = copy.click(files.file("cutout"), wanted, taken, js=_asking(len(wanted)), show_progress_on=copy, **asked)
    copied.then(None, taken, None, js="(file) => window.clothseg.copied(file)", **PRIVATE)
    if save_corrections is not None:
        keep_example.click(
            files.training_example(save_corrections),
            [choice, seen],
            canvas,
            js=_asking(2),
            show_progress_on=keep_example,
            **asked,
        )
    link.click(
        links.link,
        [choice, seen, *look, *cutout_settings],
        link_text,
        js=_asking(2 + len(look) + len(cutout_settings)),
        show_progress="hidden",
        concurrency_limit=None,
        **PRIVATE,
    ).success(None, link_text, link_text, js=_COPY_LINK, **PRIVATE)
    # The address contains the settings, so that a reload or a change of the language keeps them.
    gr.on(
        [*(box.input for box in look), *settled],
        links.address,
        [*look, *cutout_settings],
        address,
        queue=False,
        show_progress="hidden",
        trigger_mode="always_last",
        **PRIVATE,
    ).success(None, address, None, js="(query) => window.clothseg.settle(query)", **PRIVATE)
    return [*look, *cutout_settings, keep]


def _asking(count: int, kind: str = "choice") -> str:
    """Return a script that puts the browser's choice into the first of an event's `count` inputs."""
    return f"""async (...values) => {{
      {PAGE_READY}
      return [await window.clothseg.{kind}(values), ...values.slice(1, {count})];
    }}"""


def _taking(button: gr.Button) -> str:
    """Return a script that downloads the file requested by a button, and presses it again if the server had lost the
    photo."""
    return f"(file) => window.clothseg.take(file, '#{button.elem_id}')"


_PICK = """(keys) => {
  if (keys) document.dispatchEvent(new CustomEvent('stage:do', {detail: {pick: keys}}));
}"""

# Only the browser knows the page's address: behind a proxy, the server has another one.
_COPY_LINK = """(query) => {
  const link = window.clothseg.link(query);
  navigator.clipboard?.writeText(link).catch(() => {});
  return link;
}"""
