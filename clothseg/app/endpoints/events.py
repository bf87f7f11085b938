"""Adds the endpoints to the page: Gradio's events, with components that are never shown for their parameters."""

from pathlib import Path
from typing import Any

import gradio as gr

from clothseg.app.endpoints import endpoint_functions
from clothseg.app.limits import BATCH_QUEUE, MODEL_LIMIT, MODEL_QUEUE
from clothseg.app.mcp import OLD_SWITCHES, click_schema, options_schema, schema_of, stroke_schema
from clothseg.app.photo_input import photo_input
from clothseg.app.server.gradio_internals import accept_file_lists_in_mcp, file_list_schema, replace_schema
from clothseg.batch.photo_files import KINDS
from clothseg.labels import LabelSet
from clothseg.options import ENDPOINT_OPTIONS, Option, PackshotOptions, SegmentOptions, TryonOptions, options_of
from clothseg.outputs.formats import FORMATS
from clothseg.segmenter import Segmenter


def add_endpoints(segmenter: Segmenter, save_corrections: Path | None = None) -> None:
    """Add the endpoints to the Blocks being built.

    Args:
        segmenter: the model.
        save_corrections: folder of a data set to which what `/refine` corrected is written; None for none.
    """
    accept_file_lists_in_mcp()
    functions = endpoint_functions(segmenter, save_corrections)
    trigger = gr.Button(visible=False)
    known = segmenter.labels
    names, options_json = (*known.groups, *known.names), options_schema(known)
    look = [_switch(options_of(SegmentOptions)[name], known) for name in ENDPOINT_OPTIONS]
    old = [_flag(name) for name in OLD_SWITCHES]
    photo, classes, options = (
        _picture("photo"),
        _some("classes", names),
        _object("options", options_json),
    )

    def add(
        name: str, inputs: list[Any], outputs: list[Any], queue: str = MODEL_QUEUE, at_once: int = MODEL_LIMIT
    ) -> None:
        trigger.click(functions[name], inputs, outputs, api_name=name, concurrency_id=queue, concurrency_limit=at_once)

    for name in ("labels", "health"):
        gr.api(functions[name], api_name=name, queue=False)
    overlay = gr.Image(label="overlay", type="filepath", visible=False)
    add("segment", [photo, *look, *old], [overlay, _file("label map"), _json("summary")])
    corrections = [
        _objects("clicks", click_schema(known)),
        _objects("strokes", stroke_schema(known)),
        _picture("label_map"),
    ]
    add("refine", [photo, *corrections, *look, *old], [overlay, _file("label map"), _json("summary")])
    add("cutout", [photo, classes, options, _picture("background"), *look, *old], [_file("cut-out")])
    add("masks", [photo, classes, options, *look, *old], [_files("masks")])
    part = _choice("part", options_of(TryonOptions)["part"].choices, "upper")
    tryon_object = _object("options", schema_of(TryonOptions, known))
    add("tryon", [photo, part, tryon_object, *look, *old], [_file("mask"), _file("picture")])
    add("recolor", [photo, classes, _text("color"), *look, *old], [_file("picture")])
    shot, cutout = _object("options", schema_of(PackshotOptions, known)), _object("cutout", options_json)
    add("packshot", [photo, classes, shot, cutout, *look, *old], [_file("picture")])
    add(
        "items",
        [photo, classes, _flag("cutouts"), options, *look, _flag("polygons"), *old],
        [_json("items"), _file("coco"), _file("cut-outs")],
    )
    add("find", [photo, _text("query"), options, *look, *old], [_json("items"), _file("cut-out")])
    kind = _choice("format", tuple(FORMATS), "coco")
    add("export", [photo, kind, classes, *look, _flag("polygons"), *old], [_file("annotations")])
    photos = _files("photos")
    replace_schema(photos, file_list_schema())
    kinds, classes = _some("kinds", tuple(KINDS)), _some("classes", names)
    cutouts, tryon = _object("options", options_json), _object("options", schema_of(TryonOptions, known))
    add(
        "batch",
        [photos, kinds, classes, cutouts, *look, _flag("polygons"), tryon, _text("query", ""), *old],
        [_json("progress"), _file("zip")],
        BATCH_QUEUE,
        1,
    )


def _picture(label: str) -> gr.Image:
    return photo_input(label=label, visible=False)


def _some(label: str, values: tuple[str, ...]) -> gr.Dropdown:
    # A dropdown, since it passes unknown names on, so that our error can list the known ones.
    return gr.Dropdown(values, multiselect=True, allow_custom_value=True, label=label, visible=False)


def _choice(label: str, values: tuple[str, ...], value: str) -> gr.Dropdown:
    return gr.Dropdown(values, value=value, allow_custom_value=True, label=label, visible=False)


def _text(label: str, value: str | None = None) -> gr.Textbox:
    return gr.Textbox(value, label=label, visible=False)  # a value makes the parameter optional


def _flag(label: str) -> gr.Checkbox:
    return gr.Checkbox(label=label, visible=False)


def _file(label: str) -> gr.File:
    return gr.File(label=label, visible=False)


def _files(label: str) -> gr.File:
    return gr.File(label=label, file_count="multiple", visible=False)


def _json(label: str) -> gr.JSON:
    return gr.JSON(label=label, visible=False)


def _object(label: str, schema: dict[str, Any]) -> gr.JSON:
    made = _json(label)
    replace_schema(made, schema)
    return made


def _objects(label: str, schema: dict[str, Any]) -> gr.JSON:
    return _object(label, {"type": "array", "items": schema})


def _switch(option: Option, labels: LabelSet) -> gr.Dropdown | gr.Checkbox:
    if option.kind is tuple:
        return _some(option.name, (*labels.groups, *labels.foreground))
    return _choice(option.name, option.choices, option.default) if option.choices else _flag(option.name)
