"""Apply a visitor's corrections on the stage to a result, always all of them in order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import gradio as gr

from clothseg.app.components.parts import mask_of_parts
from clothseg.app.components.stage import stage_news
from clothseg.app.photo_input import fitting_photo
from clothseg.app.selection import Choice, PhotoResult
from clothseg.errors import ConfigError
from clothseg.options import SegmentOptions
from clothseg.postprocess.clicks import Click
from clothseg.postprocess.strokes import Stroke
from clothseg.segmentation import Segmentation
from clothseg.segmenter import Segmenter


MOST = 500
"""Corrections of one photo."""


def corrected(segmenter: Segmenter, seen: PhotoResult, edits: Sequence[Mapping[str, Any]]) -> PhotoResult:
    """Return the result with these corrections instead of its present ones.

    Raises:
        ConfigError: a correction does not have the stage's format.
    """
    if len(edits) > MOST:
        raise ConfigError(f"A photo can have {MOST} corrections, not {len(edits)}.")
    try:
        result = _without(segmenter, seen, {str(edit["label"]) for edit in edits if edit["kind"] == "exclude"})
        for kind, same in groupby(edits, key=lambda edit: edit["kind"]):
            if kind == "click":
                clicks = [Click(edit["x"], edit["y"], edit["label"]) for edit in same]
                result = segmenter.refine(result, clicks)
            else:
                for edit in same:
                    result = _edited(result, edit)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError("A correction cannot be read; undo it.") from error
    return replace(seen, result=result, parts=(), edits=tuple(dict(edit) for edit in edits))


def as_shown(segmenter: Segmenter, seen: PhotoResult, choice: Choice) -> PhotoResult:
    """Return the result with the corrections that the browser shows; the server may not have them yet."""
    if choice.number and list(seen.edits) != list(choice.edits):
        return corrected(segmenter, seen, choice.edits)
    return seen


def lost(said: Any) -> Any:
    """Return the stage's value if it shows a result that the server no longer has: the browser sends the photo
    again."""
    number = Choice.of(said).number
    return stage_news(number, lost=True) if number else gr.skip()


def _without(segmenter: Segmenter, seen: PhotoResult, names: set[str]) -> Segmentation:
    """Return the result before corrections for a photo without these classes."""
    if not names:
        return seen.base
    options = SegmentOptions.of({"exclude": tuple(sorted(names))}, seen.options)
    photo = fitting_photo(seen.path)
    return replace(segmenter(seen.path if photo is None else photo, options), name=seen.base.name)


def _edited(result: Segmentation, edit: Mapping[str, Any]) -> Segmentation:
    if edit["kind"] == "stroke":
        stroke = Stroke(edit["points"], edit["radius"], edit["label"])
        return result.paint(stroke.mask(result.label_map.shape), stroke.label)
    if edit["kind"] == "relabel":
        return result.relabel(mask_of_parts(result, [edit["part"]]), edit["label"])
    if edit["kind"] == "exclude":
        return result
    raise ConfigError(f"There is no correction {str(edit['kind'])[:50]!r}.")
