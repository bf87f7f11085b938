"""The Batch tab: photos or ZIPs in, one ZIP out, with progress."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from clothseg.app import batch_html, html
from clothseg.app.downloads import FORMATS, new_path
from clothseg.app.i18n import tr
from clothseg.app.limits import BATCH_QUEUE
from clothseg.app.messages import localized
from clothseg.app.settings import (
    SWITCHES,
    cutout_inputs,
    cutout_options,
    polygons_input,
    switch_inputs,
    switch_options,
)
from clothseg.batch.photo_files import CHOSEN, OutputSpec
from clothseg.batch.to_zip import Progress, segment_to_zip
from clothseg.errors import ClothsegError, ConfigError
from clothseg.labels import ALL_GARMENTS
from clothseg.options import PackshotOptions, TryonOptions
from clothseg.outputs.find.reader import read_query
from clothseg.segmenter import Segmenter


KINDS = (
    ("Cut-outs (PNG)", "cutouts"),
    ("Masks (PNG)", "masks"),
    ("Packshots (PNG)", "packshots"),
    ("Try-on masks (PNG)", "tryon"),
    ("Label maps (PNG)", "labels"),
    ("Photos with regions (JPEG)", "overlays"),
    ("Item lists (JSON)", "items"),
    ("COCO annotations of all photos (JSON)", "coco"),
    *FORMATS,
)
"""The page's names of the output files, and their names in `clothseg.batch.photo_files.KINDS`."""


PARTS = (("Upper garment", "upper"), ("Lower garment", "lower"), ("Whole outfit", "overall"))
"""The page's names of what try-on masks replace, and their names in `TryonOptions.part`."""

SHAPES = (("Square", "1:1"), ("4:5", "4:5"), ("3:4", "3:4"))
"""The page's names of packshots' shapes, and their names in `PackshotOptions.aspect`."""

NO_OUTPUT = "Choose at least one kind of output file."

NO_CLASS = "Choose at least one class for the cut-outs and masks."

NO_FILE_OF_SEARCH = "A search needs cut-outs, masks, packshots, item lists or annotations among the output files."


def batch_tab(segmenter: Segmenter) -> None:
    """Add the tab's components and events to the Blocks being built."""
    with gr.Row(elem_classes="two"):
        with gr.Column(elem_classes="card"):
            gr.HTML(
                html.heading(
                    tr("Many photos at once"),
                    tr(
                        "Add photos or ZIPs of photos. You get one ZIP with the files and a table of results. Photos "
                        "that cannot be used are skipped and listed."
                    ),
                )
            )
            files = gr.File(
                label=tr("Photos or ZIPs"),
                file_count="multiple",
                height=190,
                elem_id="batch-files",
            )
            kinds = gr.CheckboxGroup(
                [(tr(name), kind) for name, kind in KINDS],
                value=["cutouts", "labels"],
                label=tr("Output files"),
                elem_id="batch-kinds",
            )
            polygons = polygons_input("batch-polygons")
            classes = gr.Dropdown(
                [(tr(name), name) for name in (*segmenter.labels.groups, *segmenter.labels.foreground)],
                value=[ALL_GARMENTS],
                multiselect=True,
                label=tr("Keep in the cut-outs and masks"),
                elem_id="batch-classes",
            )
            words = gr.Textbox(
                label=tr("Or find by words"),
                info=tr(
                    "In place of the classes. Photos without a match get no cut-outs, masks or annotations; the table "
                    "lists them."
                ),
                max_lines=1,
                placeholder=tr("red dress, largest bag"),
                elem_id="batch-find",
            )
            with gr.Accordion(tr("Detection settings"), open=False):
                boxes = switch_inputs()
            with gr.Accordion(tr("Background and edges"), open=False):
                settings = cutout_inputs("batch-")
            with gr.Accordion(tr("Packshots and try-on masks"), open=False):
                shape = gr.Radio(
                    [(tr(name), value) for name, value in SHAPES],
                    value=SHAPES[0][1],
                    label=tr("Shape of packshots"),
                    elem_id="batch-shape",
                )
                shadow = gr.Checkbox(True, label=tr("Shadow in packshots"), elem_classes="tight")
                part = gr.Radio(
                    [(tr(name), value) for name, value in PARTS],
                    value=PARTS[0][1],
                    label=tr("What try-on masks replace"),
                    elem_id="batch-part",
                )
        with gr.Column(elem_classes="card"):
            status = gr.HTML(batch_html.batch_start(), elem_id="batch-status")
            save = gr.DownloadButton(tr("Download ZIP"), variant="primary", visible=False, elem_id="batch-save")
            with gr.Row():
                start = gr.Button(tr("Start"), variant="primary", interactive=False, elem_id="batch-start")
                cancel = gr.Button(tr("Cancel"), visible=False, elem_id="batch-cancel")

    cancelled: dict[str | None, bool] = {}  # by session, while its batch is running

    # Gradio's `cancels` is not used, since the answer of a step that is still running would replace the final message.
    def request_cancel(request: gr.Request) -> Any:
        if request.session_hash in cancelled:
            cancelled[request.session_hash] = True
        return gr.update(value=tr("Stopping…"), interactive=False)

    def run(
        request: gr.Request,
        paths: list[str] | None,
        written: list[str],
        as_polygons: bool,
        kept: list[str],
        searched: str,
        aspect: str,
        with_shadow: bool,
        replaced: str,
        *values: Any,
    ) -> Iterator[tuple[Any, ...]]:
        session = request.session_hash
        cancelled[session] = False
        none = gr.update(visible=False, value=None)
        busy = gr.update(visible=False), gr.update(visible=True), none
        gone = gr.update(visible=False, value=tr("Cancel"), interactive=True)
        idle = gr.update(visible=True, variant="primary"), gone, none
        problems: list[str] = []
        searched = searched.strip()
        search: batch_html.BatchSearch | None = None
        began, progress = time.monotonic(), Progress(0, 0)
        try:
            yield batch_html.batch_progress(progress, "", []), *busy
            if not written:
                raise ConfigError(NO_OUTPUT)
            if searched and not set(CHOSEN) & set(written):
                raise ConfigError(NO_FILE_OF_SEARCH)
            if not searched and not kept and {"cutouts", "masks", "packshots"} & set(written):
                raise ConfigError(NO_CLASS)
            if searched:
                search = batch_html.BatchSearch(read_query(searched, segmenter.labels).notes)
            wanted = OutputSpec(
                tuple(written),
                tuple(kept),
                cutout_options(*values[len(SWITCHES) :]),
                as_polygons,
                tryon=TryonOptions.of({"part": replaced}),
                packshot=PackshotOptions.of({"aspect": aspect, "shadow": with_shadow}),
                labels=segmenter.labels,
                find=searched,
            )
            out = new_path("clothseg.zip")
            options = switch_options(values[: len(SWITCHES)])
            steps = segment_to_zip(segmenter, paths or [], out, wanted, stop=lambda: cancelled[session], **options)
            with closing(steps):
                for progress in steps:
                    if cancelled[session] and not progress.done:  # nothing to keep
                        yield batch_html.batch_start(tr("Cancelled.")), *idle
                        return
                    problems += [progress.error] if progress.error else []
                    if search and progress.found:
                        search.matches.append((progress.name, progress.found, progress.missing))
                    left = batch_html.time_left(progress, time.monotonic() - began)
                    yield batch_html.batch_progress(progress, left, problems, search), *busy
        except ClothsegError as error:
            yield batch_html.batch_problem(localized(str(error))), *idle
            return
        finally:
            cancelled.pop(session, None)
        offered = gr.update(visible=True, value=str(out))
        again = gr.update(visible=True, variant="secondary")
        yield batch_html.batch_end(progress, problems, time.monotonic() - began, search), again, gone, offered

    files.change(
        lambda paths: gr.update(interactive=bool(paths)),
        files,
        start,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    start.click(
        run,
        [files, kinds, polygons, classes, words, shape, shadow, part, *boxes, *settings],
        [status, start, cancel, save],
        concurrency_id=BATCH_QUEUE,
        concurrency_limit=1,
        show_progress="hidden",
        trigger_mode="once",
        api_visibility="private",
    )
    cancel.click(request_cancel, None, cancel, queue=False, show_progress="hidden", api_visibility="private")
