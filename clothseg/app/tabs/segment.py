"""The Segment tab's components: drop a photo, pick its garments on the stage, correct them, and download the cut-out.

`segment_events` adds what they do.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from clothseg.app import html
from clothseg.app.components.stage import stage
from clothseg.app.i18n import tr
from clothseg.app.limits import KEEP_SECONDS
from clothseg.app.photo_input import photo_input
from clothseg.app.result_files import EXPORTS
from clothseg.app.settings import background_inputs, edge_inputs, polygons_input, switch_inputs


EXAMPLES = ("president.jpg", "officer.jpg", "suit.jpg")


class SegmentTab:
    """The tab's components, added to the Blocks being built."""

    def __init__(self, examples: Path | None, saves_corrections: bool = False) -> None:
        """Lay out the tab.

        Args:
            examples: folder of example photos; their names are in `EXAMPLES`.
            saves_corrections: show "Save as training example".
        """
        self.seen = gr.State(time_to_live=KEEP_SECONDS)  # the last result
        self.keep = gr.State([])  # names of the classes that a link picks
        self.choice = gr.JSON(visible=False)  # the parts picked in the browser; `_asking` fills it in
        self.taken = gr.File(visible=False)  # the file that a button asked for
        self.address = gr.Textbox(visible=False)  # the settings, as a query
        self.found_keys = gr.JSON(visible=False)  # the parts found by words, for the browser to pick
        with gr.Row(elem_id="work"):
            with gr.Column(elem_id="stage-card"):
                self.message = gr.HTML(elem_id="message", visible=False)
                self.photo = photo_input(
                    label=tr("Photo"),
                    show_label=False,
                    elem_id="photo",
                    sources=["upload", "clipboard", "webcam"],
                    # A mirrored picture would swap the wearer's left and right.
                    webcam_options=gr.WebcamOptions(mirror=False),
                    placeholder=tr("Drop a photo of a dressed person here,\npaste it, or click to choose one"),
                    buttons=[],
                )
                self.canvas = stage(elem_id="stage")
            with gr.Column(elem_id="side-card", elem_classes="card"):
                with gr.Column(elem_id="before") as self.before:
                    gr.HTML(html.start())
                    if examples is not None:
                        paths = [str(examples / name) for name in EXAMPLES]
                        gr.Examples(paths, self.photo, label=tr("Or try an example"), elem_id="examples")
                with gr.Column(elem_id="after", visible=False) as self.after:
                    gr.HTML(html.result_bar(), elem_id="result-bar")
                    self.words = gr.Textbox(
                        label=tr("Find by words"),
                        show_label=False,
                        container=False,
                        max_lines=1,
                        placeholder=tr("Find: red dress, largest bag"),
                        elem_id="find",
                    )
                    self.go = gr.Button(elem_id="find-go")
                    self.told_found = gr.HTML(elem_id="find-told", padding=False)
                    self.items = gr.HTML(elem_id="items", padding=False)
                    with gr.Row(elem_id="look-of-cutout"):
                        background = background_inputs()
                # Comes first in the order of the keyboard; the style sheet places it below.
                with gr.Row(elem_id="take", visible=False) as self.take:
                    self.save = gr.Button(tr("Download"), variant="primary", elem_id="save")
                    self.copy = gr.Button(tr("Copy"), elem_id="copy")
                with gr.Accordion(
                    tr("More: files, edges, link"), open=False, elem_id="more", visible=False
                ) as self.more:
                    with gr.Row(elem_id="files"):
                        self.files = {
                            "each": gr.Button(tr("One file per item (ZIP)"), size="sm", elem_id="save-each"),
                            "mask": gr.Button(tr("Mask (PNG)"), size="sm", elem_id="save-mask"),
                            "masks": gr.Button(tr("Masks, one per class (ZIP)"), size="sm", elem_id="save-masks"),
                            "labels": gr.Button(tr("Label map (PNG)"), size="sm", elem_id="save-labels"),
                            "summary": gr.Button(tr("Summary (JSON)"), size="sm", elem_id="save-summary"),
                            "items": gr.Button(tr("Items (JSON)"), size="sm", elem_id="save-items"),
                            "coco": gr.Button(tr("COCO annotations (JSON)"), size="sm", elem_id="save-coco"),
                        }
                    with gr.Row(elem_id="export"):
                        self.exported = gr.Dropdown(
                            [(tr(name), kind) for name, kind in EXPORTS],
                            value=EXPORTS[0][1],
                            label=tr("More files"),
                            elem_id="export-kind",
                        )
                        self.color = gr.ColorPicker(
                            "#a03050",
                            label=tr("New colour"),
                            info=tr("For the recoloured photo."),
                            elem_id="new-color",
                        )
                        self.export = gr.Button(tr("Download this file"), size="sm", elem_id="save-export")
                    self.keep_example = gr.Button(
                        tr("Save as training example"),
                        size="sm",
                        elem_id="save-example",
                        visible=saves_corrections,
                    )
                    self.polygons = polygons_input("polygons")
                    self.cutout = [*background, *edge_inputs()]
                    self.link = gr.Button(tr("Copy a link to these settings"), size="sm", elem_id="link")
                    self.link_text = gr.Textbox(
                        label=tr("Link to these settings"),
                        visible=False,
                        interactive=False,
                        buttons=["copy"],
                        elem_id="link-text",
                    )
                with gr.Accordion(tr("Detection settings"), open=False, elem_id="look"):
                    self.look = switch_inputs()
        self.said = gr.HTML(html.announcement(""), elem_id="said")
        gr.HTML(html.toast())  # separate, so that a result does not end it

    @property
    def linked(self) -> list[Any]:
        """The components that a link sets, in the order of `links.from_link`."""
        return [*self.look, *self.cutout, self.keep]
