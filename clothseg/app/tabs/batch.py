"""The tab for many photos: photos or ZIPs in, one ZIP out, with word of how far it is."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from clothseg.app import html
from clothseg.app.downloads import new_path
from clothseg.app.i18n import tr
from clothseg.app.limits import BATCH_QUEUE
from clothseg.app.settings import LOOK, cutout_inputs, cutout_options, look_inputs, look_options, polygons_input
from clothseg.batch.photo_files import OutputSpec
from clothseg.batch.to_zip import Progress, segment_to_zip
from clothseg.errors import ClothsegError
from clothseg.labels import GROUPS, NAMES
from clothseg.segmenter import Segmenter


KINDS = (
    ("Cut-outs (PNG)", "cutouts"),
    ("Label maps (PNG)", "labels"),
    ("Photos with regions (JPEG)", "overlays"),
    ("Lists of items (JSON)", "items"),
    ("One COCO data set (JSON)", "coco"),
)
"""What can be written, as the page calls it and as `clothseg.batch.photo_files.KINDS` does."""


def batch_tab(segmenter: Segmenter) -> None:
    """Add the tab's components and events to the Blocks being built."""
    with gr.Row(elem_classes="two"):
        with gr.Column(elem_classes="card"):
            gr.HTML(
                html.heading(
                    tr("Many photos at once"),
                    tr(
                        "Photos, or ZIPs of photos. You get one ZIP, with a table of what was found; a photo that "
                        "cannot be used is named there and stops nothing."
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
                label=tr("What to make of each"),
            )
            polygons = polygons_input("batch-polygons")
            classes = gr.Dropdown(
                [(tr(name), name) for name in (*GROUPS, *NAMES[1:])],
                value=["All garments"],
                multiselect=True,
                label=tr("What the cut-outs keep"),
                elem_id="batch-classes",
            )
            with gr.Accordion(tr("How to look at the photos"), open=False):
                look = look_inputs()
            with gr.Accordion(tr("Edges, crop and what lies behind"), open=False):
                settings = cutout_inputs("batch-")
        with gr.Column(elem_classes="card"):
            status = gr.HTML(html.batch_start(), elem_id="batch-status")
            save = gr.DownloadButton(tr("Download the ZIP"), variant="primary", visible=False, elem_id="batch-save")
            with gr.Row():
                start = gr.Button(tr("Start"), variant="primary", interactive=False, elem_id="batch-start")
                cancel = gr.Button(tr("Cancel"), visible=False, elem_id="batch-cancel")

    under_way: dict[str | None, bool] = {}  # by session: whether its batch is to end

    # Not by gradio's `cancels`: a step on its way still reaches the page then, and overwrites that all is over.
    def give_up(request: gr.Request) -> Any:
        if request.session_hash in under_way:
            under_way[request.session_hash] = True
        return gr.update(value=tr("Stopping…"), interactive=False)

    def run(
        request: gr.Request,
        paths: list[str] | None,
        written: list[str],
        as_polygons: bool,
        kept: list[str],
        *values: Any,
    ) -> Iterator[tuple[Any, ...]]:
        under_way[request.session_hash] = False
        none = gr.update(visible=False, value=None)
        busy = gr.update(visible=False), gr.update(visible=True), none
        gone = gr.update(visible=False, value=tr("Cancel"), interactive=True)
        idle = gr.update(visible=True, variant="primary"), gone, none
        try:
            yield html.batch_progress(Progress(0, 0), "", []), *busy
            wanted = OutputSpec(tuple(written), tuple(kept), cutout_options(*values[len(LOOK) :]), as_polygons)
            out = new_path("clothseg.zip")
            began, problems, progress = time.monotonic(), [], Progress(0, 0)
            steps = segment_to_zip(segmenter, paths or [], out, wanted, **look_options(values[: len(LOOK)]))
            with closing(steps):
                for progress in steps:
                    if under_way.get(request.session_hash):
                        yield html.batch_start(tr("Cancelled.")), *idle
                        return
                    problems += [progress.error] if progress.error else []
                    yield (
                        html.batch_progress(progress, html.time_left(progress, time.monotonic() - began), problems),
                        *busy,
                    )
        except ClothsegError as error:
            yield html.batch_problem(str(error)), *idle
            return
        finally:
            under_way.pop(request.session_hash, None)
        seconds = time.monotonic() - began
        offered = gr.update(visible=True, value=str(out))
        again = gr.update(visible=True, variant="secondary")
        yield html.batch_end(progress.total, problems, seconds), again, idle[1], offered

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
        [files, kinds, polygons, classes, *look, *settings],
        [status, start, cancel, save],
        concurrency_id=BATCH_QUEUE,
        concurrency_limit=1,
        show_progress="hidden",
        trigger_mode="once",
        api_visibility="private",
    )
    cancel.click(give_up, None, cancel, queue=False, show_progress="hidden", api_visibility="private")
