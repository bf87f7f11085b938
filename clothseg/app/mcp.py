"""Options, texts and schemas of the endpoints, in the form that the API page and MCP tools use."""

import re
from collections.abc import Callable
from functools import wraps
from inspect import Parameter, getdoc, isgeneratorfunction, signature
from typing import Any

from clothseg.labels import LabelSet
from clothseg.options import (
    ENDPOINT_OPTIONS,
    CutoutOptions,
    Option,
    PackshotOptions,
    SegmentOptions,
    TryonOptions,
    options_of,
)
from clothseg.outputs.formats import FORMATS
from clothseg.postprocess.strokes import MAX_RADIUS


def schema_of(options: type[Any], labels: LabelSet) -> dict[str, Any]:
    """Return the JSON schema of a class of options; `labels` are the served model's classes."""
    properties = {name: option.schema(labels) for name, option in options_of(options).items()}
    return {"type": "object", "properties": properties}


def options_schema(labels: LabelSet) -> dict[str, Any]:
    """Return the JSON schema of `CutoutOptions`; a background picture is a separate parameter."""
    return schema_of(CutoutOptions, labels)


def click_schema(labels: LabelSet) -> dict[str, Any]:
    """Return the JSON schema of a click of `/refine`."""
    label = {"type": "string", "enum": list(labels.names)}
    return {
        "type": "object",
        "properties": {"x": {"type": "number"}, "y": {"type": "number"}, "label": label},
        "required": ["x", "y", "label"],
    }


def stroke_schema(labels: LabelSet) -> dict[str, Any]:
    """Return the JSON schema of a stroke of `/refine`."""
    return {
        "type": "object",
        "properties": {
            "points": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
            "radius": {"type": "number", "minimum": 0, "maximum": MAX_RADIUS},
            "label": {"type": "string", "enum": list(labels.names)},
        },
        "required": ["points", "radius", "label"],
    }


def _text(cls: "type[CutoutOptions | TryonOptions | PackshotOptions]", *leave_out: str) -> str:
    return ", ".join(
        f"{name} ({option.help}{'' if option.kind is str else f': {option.values}'})"
        for name, option in options_of(cls).items()
        if name not in leave_out
    )


TEXTS = {
    "{cutout_options}": _text(CutoutOptions),
    "{tryon_options}": _text(TryonOptions, "part"),
    "{packshot_options}": _text(PackshotOptions),
    "{formats}": ", ".join(FORMATS),
}
"""Texts to fill into the endpoints' docstrings."""

LOOK = "look"
"""Parameter of an endpoint that is replaced by one parameter for each of `ENDPOINT_OPTIONS`."""

OLD_SWITCHES = tuple(old for old, new in SegmentOptions.RENAMED.items() if new in ENDPOINT_OPTIONS)
"""Old names of these, accepted as the endpoints' last parameters for one release; all are booleans."""


def described(function: Callable[..., Any]) -> Callable[..., Any]:
    """Complete an endpoint for the API page and MCP tools.

    Its parameter `look`, a `SegmentOptions`, becomes one parameter for each of `ENDPOINT_OPTIONS`, and wrapped lines
    of the docstring are joined.
    """
    about, _, returns = (getdoc(function) or "").partition("\n\nReturns:")
    for place, text in TEXTS.items():
        about = about.replace(place, text)
    if LOOK in signature(function).parameters:
        for name in ENDPOINT_OPTIONS:
            text = options_of(SegmentOptions)[name].help
            about += f"\n    {name}: {text[:1].upper()}{text[1:]}."
        for old in OLD_SWITCHES:
            about += f"\n    {old}: Old name of {SegmentOptions.RENAMED[old]}, for one release."
        function = _with_options(function)
    about = re.sub(r"\n {8,}", " ", about)
    function.__doc__ = f"{about}\n\nReturns:\n    {' '.join(returns.split())}"
    return function


def _annotation(option: Option) -> Any:
    return list[str] if option.kind is tuple else option.kind


def _with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with a parameter for each option instead of `look`."""
    known = options_of(SegmentOptions)
    parameters: list[Parameter] = []
    for each in signature(function).parameters.values():
        if each.name != LOOK:
            parameters.append(each)
            continue
        parameters += [
            Parameter(name, each.kind, default=known[name].default, annotation=_annotation(known[name]))
            for name in ENDPOINT_OPTIONS
        ]
    parameters += [
        Parameter(old, Parameter.POSITIONAL_OR_KEYWORD, default=False, annotation=bool) for old in OLD_SWITCHES
    ]
    shown = signature(function).replace(parameters=parameters)

    def arguments(*args: Any, **kwargs: Any) -> dict[str, Any]:
        bound = shown.bind(*args, **kwargs)
        bound.apply_defaults()
        given = dict(bound.arguments)
        options = {name: given.pop(name) for name in ENDPOINT_OPTIONS}
        options |= {old: True for old in OLD_SWITCHES if given.pop(old)}
        return given | {LOOK: SegmentOptions.of({name: value for name, value in options.items() if value is not None})}

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(**arguments(*args, **kwargs))

    @wraps(function)
    def steps(*args: Any, **kwargs: Any) -> Any:
        yield from function(**arguments(*args, **kwargs))

    made = steps if isgeneratorfunction(function) else call
    made.__signature__ = shown  # type: ignore[attr-defined]
    return made
