"""Options are declared once; signatures, endpoints, MCP tools, command line, page, clips and evaluation agree."""

import argparse
import inspect
import warnings
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import gradio as gr
import numpy as np
import pytest
from gradio.mcp import GradioMCPServer
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, Segmentation, Segmenter, SegmentOptions, UnknownClassError
from clothseg.app.endpoints.events import add_endpoints
from clothseg.app.links import read_link
from clothseg.app.mcp import OLD_SWITCHES
from clothseg.app.settings import (
    DEFAULT_CUTOUT,
    DEFAULT_OPTIONS,
    DEFAULT_TICKS,
    SWITCHES,
    cutout_inputs,
    cutout_options,
    switch_options,
)
from clothseg.commands import evaluate, segment, video
from clothseg.commands.common import segment_options
from clothseg.images.decode import LEAST_MAX_SIDE
from clothseg.labels import ATR
from clothseg.options.cutout import CutoutOptions
from clothseg.options.declaration import Option, options_of
from clothseg.options.packshot import PackshotOptions
from clothseg.options.segment import (
    ENDPOINT_OPTIONS,
    EVALUATION_OPTIONS,
    VIDEO_OPTIONS,
    SegmentKeywords,
    VideoKeywords,
)
from clothseg.options.tryon import TryonOptions
from clothseg.training.evaluation.scoring import score
from clothseg.video.stream import Stream, segment_frames


SEGMENT, CUTOUT = options_of(SegmentOptions), options_of(CutoutOptions)
TRYON, PACKSHOT = options_of(TryonOptions), options_of(PackshotOptions)
OPTIONS = {"/tryon": TRYON, "/packshot": PACKSHOT}
"""Endpoints whose `options` are not cut-out options."""


def test_options_have_valid_defaults_and_one_line_of_help() -> None:
    for option in (
        *SEGMENT.values(),
        *TRYON.values(),
        *PACKSHOT.values(),
        *(CUTOUT[name] for name in CUTOUT if name != "background"),
    ):
        assert option.check(option.default) == option.default
        assert option.help and "\n" not in option.help and not option.help.endswith(".")
        assert option.kind in (bool, str, int, float, tuple)
        assert (option.kind is str) == bool(option.choices)
    assert SEGMENT["max_side"].minimum == LEAST_MAX_SIDE


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (Segmenter.__call__, tuple(SEGMENT)),
        (Segmenter.batch, tuple(SEGMENT)),
        (Segmenter.iter_batch, tuple(SEGMENT)),
        (segment_frames, VIDEO_OPTIONS),
        (score, EVALUATION_OPTIONS),
    ],
)
def test_signatures_match_the_options(function: Callable[..., Any], names: tuple[str, ...]) -> None:
    shown = inspect.signature(function).parameters
    assert [name for name in shown if name in SEGMENT] == list(names)
    for name in names:
        assert shown[name].default == SEGMENT[name].default
        assert set(get_args(shown[name].annotation)) >= set(SEGMENT[name].choices)
    assert not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in shown.values())


def test_typed_keywords_match_the_options() -> None:
    hints = get_type_hints(SegmentOptions)
    assert get_type_hints(SegmentKeywords) == {name: hints[name] for name in get_type_hints(SegmentKeywords)}
    assert set(get_type_hints(SegmentKeywords)) == set(SEGMENT)
    assert set(get_type_hints(VideoKeywords)) == set(VIDEO_OPTIONS)


def commands() -> list[tuple[Any, tuple[str, ...], tuple[str, ...]]]:
    cutouts = tuple(CUTOUT)
    kept = tuple(name for name in cutouts if name not in video.PHOTOS_ONLY)
    return [(segment, tuple(SEGMENT), cutouts), (video, VIDEO_OPTIONS, kept), (evaluate, EVALUATION_OPTIONS, ())]


@pytest.mark.parametrize(("command", "names", "cutouts"), commands(), ids=["segment", "video", "evaluate"])
def test_command_line_matches_the_options(command: Any, names: tuple[str, ...], cutouts: tuple[str, ...]) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    actions = {action.dest: action for action in parser._actions if action.help is not argparse.SUPPRESS}
    assert {name for name in actions if name in SEGMENT} == set(names)
    assert {name for name in actions if name in CUTOUT} == set(cutouts)
    for option in [*(SEGMENT[name] for name in names), *(CUTOUT[name] for name in cutouts)]:
        action = actions[option.name]
        assert option.help in action.help
        assert tuple(action.choices or ()) == option.choices
        assert (action.nargs == 0) == (option.kind is bool)
        if option.choices:
            assert action.default == option.default


@pytest.fixture(scope="module")
def blocks() -> gr.Blocks:
    """Only the endpoints, which need no model for their description."""
    with gr.Blocks() as blocks:
        add_endpoints(SimpleNamespace(labels=ATR))  # type: ignore[arg-type]
    return blocks


def test_endpoints_match_the_options(blocks: gr.Blocks) -> None:
    named = blocks.get_api_info()["named_endpoints"]
    for endpoint in (
        "/segment",
        "/refine",
        "/cutout",
        "/masks",
        "/tryon",
        "/recolor",
        "/packshot",
        "/items",
        "/find",
        "/export",
        "/batch",
    ):
        parameters = {each["parameter_name"]: each for each in named[endpoint]["parameters"]}
        assert [name for name in parameters if name in SEGMENT] == list(ENDPOINT_OPTIONS)
        for name in ENDPOINT_OPTIONS:
            assert_schema(parameters[name]["type"], SEGMENT[name])
            assert parameters[name]["parameter_has_default"]
            default = SEGMENT[name].default
            assert parameters[name]["parameter_default"] == (list(default) if default == () else default)
        old = list(parameters)[-len(OLD_SWITCHES) :]
        assert old == list(OLD_SWITCHES)  # at the end, so that positional arguments keep their order
        assert not any(parameters[name]["parameter_default"] for name in old)
        if "options" in parameters:
            schema, declared = parameters["options"]["type"]["properties"], OPTIONS.get(endpoint, CUTOUT)
            assert list(schema) == list(declared)
            for name, each in schema.items():
                assert_schema(each, declared[name])
                assert each["description"] == declared[name].help


def test_mcp_tools_match_the_options(blocks: gr.Blocks) -> None:
    server = GradioMCPServer(blocks)
    for tool in (
        "segment",
        "refine",
        "cutout",
        "masks",
        "tryon",
        "recolor",
        "packshot",
        "items",
        "find",
        "export",
        "batch",
    ):
        full_name = next(name for name in server.tool_to_endpoint if name.endswith(tool))
        block_fn = server.get_block_fn_from_endpoint_name(server.tool_to_endpoint[full_name])
        schema, _ = server.get_input_schema(full_name, server.get_fn_description(block_fn, full_name)[1])
        for name in ENDPOINT_OPTIONS:
            assert_schema(schema["properties"][name], SEGMENT[name])
            said = schema["properties"][name]["description"]
            assert SEGMENT[name].help[1:] in said and said.endswith(".")


def assert_schema(schema: dict[str, Any], option: Option) -> None:
    assert schema["type"] == option.schema(ATR)["type"]
    assert schema.get("enum", []) == option.schema(ATR).get("enum", [])
    assert schema.get("minimum") == option.schema(ATR).get("minimum")
    assert schema.get("maximum") == option.schema(ATR).get("maximum")


def test_page_matches_the_options() -> None:
    assert {switch.option for switch in SWITCHES} == set(ENDPOINT_OPTIONS) - {"exclude"}
    assert SegmentOptions.of(switch_options(DEFAULT_TICKS)) == DEFAULT_OPTIONS
    assert SegmentOptions.of(switch_options([not tick for tick in DEFAULT_TICKS])) != DEFAULT_OPTIONS
    with gr.Blocks():
        inputs = cutout_inputs()
    assert cutout_options(*(each.value for each in inputs)) == DEFAULT_CUTOUT
    limits = {(each.minimum, each.maximum) for each in inputs if isinstance(each, gr.Slider)}
    assert {(CUTOUT[name].minimum, CUTOUT[name].maximum) for name in ("grow", "feather")} <= limits


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"edges": "soft"}, "The option edges can be plain or guided, not 'soft'"),
        ({"edges": None}, "edges can be"),
        ({"tta": "false"}, "tta can be true or false, not 'false'"),
        ({"rules": 1}, "rules can be true or false, not 1"),
        ({"max_side": 31}, "max_side can be a whole number from 32, not 31"),
        ({"max_side": 100.5}, "whole number"),
        ({"max_side": float("nan")}, "whole number"),
        ({"max_side": True}, "whole number"),
        ({"exclude": {"Hat": 1}}, "exclude can be a list of names of classes"),
        ({"smooth": True}, "A segmentation has no option 'smooth'; the options are: people, edges"),
    ],
)
def test_invalid_option_values_list_valid_ones(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        SegmentOptions.of(values)


def test_exclude_accepts_classes_and_groups(capsys: pytest.CaptureFixture[str]) -> None:
    assert SegmentOptions(exclude="Hat") == SegmentOptions(exclude=["Hat", "Hat"]) == SegmentOptions(exclude=("Hat",))
    assert SegmentOptions(exclude=["Lower", "Hat"]).excluded_ids(ATR) == [5, 6, 7, 8, 1]
    with pytest.raises(ConfigError, match="exclude cannot be Background"):
        SegmentOptions(exclude=["Background", "Hat"]).excluded_ids(ATR)
    with pytest.raises(UnknownClassError, match=r"'Sock'.*Background, Hat"):
        SegmentOptions(exclude=["Sock"]).excluded_ids(ATR)
    with pytest.raises(UnknownClassError, match="3"):
        SegmentOptions(exclude=[3])  # type: ignore[list-item]
    parser = argparse.ArgumentParser()
    segment.add_arguments(parser)
    given = parser.parse_args(["--exclude", "Skirt, Hat", "--exclude", "Bag"])
    assert (
        segment_options(given).exclude == ("Skirt", "Hat", "Bag")
        and segment_options(parser.parse_args([])) == SegmentOptions()
    )


@pytest.mark.parametrize("options", [{}, {"tta": True}, {"people": "all"}, {"edges": "plain"}, {"rules": True}])
def test_excluded_classes_are_absent_from_results(tiny_model: Path, options: dict[str, Any]) -> None:
    segmenter = Segmenter.from_pretrained(tiny_model)
    photo = draw(1, 120, 90).image
    usual = segmenter(photo, **options)
    garments = {name: share for name, share in usual.areas.items() if name != "Background"}
    first, second = sorted(garments, key=lambda name: garments[name])[-2:]
    without = segmenter(photo, exclude=[first, second], **options)
    assert not {first, second} & set(without.areas) and set(without.areas) - {"Background"}
    if "edges" in options:  # zoom crops and people depend on the found classes
        options |= {"zoom": "off", "orientation": "upright"}
        usual, without = segmenter(photo, **options), segmenter(photo, exclude=[first, second], **options)
        same = ~usual.mask(first, second)
        np.testing.assert_array_equal(usual.label_map[same], without.label_map[same])
    (frame,) = segment_frames(segmenter, [photo], exclude=[first, second])
    assert not {first, second} & set(frame.areas)


def test_options_are_immutable_and_converted_to_python_types() -> None:
    options = SegmentOptions(max_side=np.int64(300), tta=np.True_)  # type: ignore[arg-type]
    assert type(options.max_side) is int and options.tta is True
    assert SegmentOptions.of({"edges": "plain"}, options) == SegmentOptions(edges="plain", max_side=300, tta=True)
    with pytest.raises(FrozenInstanceError):
        options.edges = "plain"  # type: ignore[misc]
    with pytest.raises(ConfigError, match="by name"):
        SegmentOptions.of({}, "plain")  # type: ignore[arg-type]
    assert {field.name for field in fields(CutoutOptions)} == set(CUTOUT)


def test_keywords_override_options(tiny_model: Path) -> None:
    segmenter = Segmenter.from_pretrained(tiny_model)
    photo = draw(1, 120, 90).image
    options = SegmentOptions(edges="plain", max_side=60)
    assert segmenter(photo, options).photo.size == (45, 60)
    (both,) = segmenter.batch([photo], 1, options, max_side=80)
    np.testing.assert_array_equal(both.label_map, segmenter(photo, edges="plain", max_side=80).label_map)
    with pytest.raises(ConfigError, match="Clips have no option people"):
        Stream(segmenter, SegmentOptions(people="all"))
    with pytest.raises(ConfigError, match="max_side"):
        score(segmenter, [], max_side=60)  # type: ignore[arg-type]


def test_old_names_work_for_one_release(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segmenter = Segmenter.from_pretrained(tiny_model)
    photo = draw(1, 120, 90).image
    with pytest.warns(DeprecationWarning, match="longest is now called max_side") as caught:
        assert segmenter(photo, longest=60).photo.size == (45, 60)  # type: ignore[call-arg]
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="with_streams"):
        segmenter.for_many()
    result = segmenter(photo, people="all")
    with pytest.warns(DeprecationWarning, match="person_map"):
        assert result.wearers is result.person_map
    with pytest.warns(DeprecationWarning, match="person_map"):
        old = Segmentation(Image.fromarray(photo), result.label_map, wearers=result.person_map)  # type: ignore[call-arg]
    np.testing.assert_array_equal(old.person_map, result.person_map)
    parser = argparse.ArgumentParser()
    segment.add_arguments(parser)
    assert parser.parse_args(["--longest", "75"]).max_side == 75
    assert "--longest is now called --max_side" in capsys.readouterr().err
    assert parser.parse_args(["--average"]).tta is True and parser.parse_args([]).tta is False
    assert "--average is now called --tta" in capsys.readouterr().err
    assert "--longest" not in parser.format_help() and "--average" not in parser.format_help()
    with pytest.warns(DeprecationWarning, match="average is now called tta"):
        assert SegmentOptions.of({"average": True}) == SegmentOptions(tta=True)
    assert read_link({"average": "true"}) == read_link({"tta": "true"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        segmenter(photo, max_side=60)
        assert read_link({"people": "all"}).ticks != DEFAULT_TICKS


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (
            lambda s, r: r.cutout("Hair", options={"crop": True}),
            "must be a CutoutOptions, not .*CutoutOptions.of makes",
        ),
        (lambda s, r: r.mask_picture("Hair", options="crop"), "must be a CutoutOptions, not 'crop'"),
        (lambda s, r: r.packshot("Hair", packshot={"shadow": True}), "must be a PackshotOptions"),
        (lambda s, r: r.tryon(options={"part": "upper"}), "must be a TryonOptions"),
        (lambda s, r: s.refine(r, [(1, 2, "Hair")]), r"A click must be a Click\(x, y, label\), not \(1, 2, 'Hair'\)"),
        (lambda s, r: s.refine("photo.jpg", []), "refine corrects a result of the segmenter, not 'photo.jpg'"),
        (lambda s, r: s.batch("photo.jpg"), "photos must be several photos, such as a list of paths"),
        (
            lambda s, r: Segmenter.from_pretrained(revision="v1"),
            "A revision belongs to a model on the Hub, not to the m",
        ),
    ],
)
def test_arguments_of_other_types_give_a_clear_error(act: Callable[..., Any], said: str, tiny_model: Path) -> None:
    result = Segmentation(Image.new("RGB", (6, 4)), np.full((4, 6), 2, np.uint8))
    with pytest.raises(ConfigError, match=said):
        act(Segmenter.from_pretrained(tiny_model), result)
