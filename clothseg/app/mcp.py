"""Texts and schemas of the endpoints as MCP tools, in the form that an assistant can use."""

import re
from collections.abc import Callable
from inspect import getdoc, signature
from typing import Any

from clothseg.options import MAX_FEATHER, MAX_GROWTH, MAX_MARGIN


LOOK_NAMES = ("people", "edges", "zoom", "average", "rules")
"""Options of `Segmenter.__call__`, in the order in which the endpoints take them."""

LOOK_TEXT = """
    people: "one" takes the photo as it is; "all" tells several people apart and looks at each on their own.
    edges: "guided" lets borders follow the photo's edges; "plain" only interpolates what the network says.
    zoom: "auto" looks at a small figure once more, from closer; "off" never does.
    average: Look four times and average: more accurate, five times slower.
    rules: Drop specks, and what cannot be in a photo of one person."""
"""Of the parameters of these names in the endpoints' docstrings."""

OPTIONS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "background": {"type": "string", "description": '"none" (transparent) or a colour such as "#ff8800"'},
        "crop": {"type": "boolean", "description": "cut down to what is kept"},
        "margin": {"type": "integer", "minimum": 0, "maximum": MAX_MARGIN, "description": "pixels left when cropped"},
        "grow": {
            "type": "integer", "minimum": -MAX_GROWTH, "maximum": MAX_GROWTH,
            "description": "pixels by which the outline moves outwards, or inwards if negative",
        },
        "feather": {
            "type": "number", "minimum": 0, "maximum": MAX_FEATHER,
            "description": "pixels over which the edge fades",
        },
        "soft_edges": {"type": "boolean", "description": "let the edge follow hair and fringes"},
        "fill_holes": {"type": "boolean", "description": "fill small holes"},
        "drop_specks": {"type": "boolean", "description": "drop small pieces"},
    },
}  # fmt: skip
"""JSON schema of `CutoutOptions`, of which a picture as background is a parameter of its own."""


def described(function: Callable[..., Any]) -> Callable[..., Any]:
    """Complete a docstring for API page and MCP tools, where each line is a text by itself: none may be wrapped."""
    about, _, returns = (getdoc(function) or "").partition("\n\nReturns:")
    if LOOK_NAMES[0] in signature(function).parameters:
        about += LOOK_TEXT
    about = re.sub(r"\n {8,}", " ", about)
    function.__doc__ = f"{about}\n\nReturns:\n    {' '.join(returns.split())}"
    return function
