"""Corrections that a visitor makes on the stage, applied to a result: all of them anew, in their order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.app.components.parts import mask_of_parts
from clothseg.app.photo_input import fitting_photo
from clothseg.app.selection import PhotoResult
from clothseg.errors import ConfigError
from clothseg.labels import NAMES
from clothseg.options import SegmentOptions
from clothseg.postprocess.clicks import Click
from clothseg.segmentation import Segmentation
from clothseg.segmenter import Segmenter


MOST = 500
"""Corrections of one photo."""

MOST_POINTS = 20_000
"""Of one stroke."""


def corrected(segmenter: Segmenter, seen: PhotoResult, edits: Sequence[Mapping[str, Any]]) -> PhotoResult:
    """A result with these corrections in place of those that it has.

    Raises:
        ConfigError: a correction is not as the stage makes them.
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
    return replace(seen, result=result, edits=tuple(dict(edit) for edit in edits))


def _without(segmenter: Segmenter, seen: PhotoResult, names: set[str]) -> Segmentation:
    """The result before corrections, of a photo that lacks these classes."""
    if not names:
        return seen.base
    options = SegmentOptions.of({"exclude": tuple(name for name in NAMES if name in names)}, seen.options)
    photo = fitting_photo(seen.path)
    return replace(segmenter(seen.path if photo is None else photo, options), name=seen.base.name)


def _edited(result: Segmentation, edit: Mapping[str, Any]) -> Segmentation:
    if edit["kind"] == "stroke":
        mask = stroke_mask(result.label_map.shape, edit["points"], float(edit["radius"]))
        return result.paint(mask, edit["label"])
    if edit["kind"] == "relabel":
        return result.relabel(mask_of_parts(result, [edit["part"]]), edit["label"])
    if edit["kind"] == "exclude":
        return result
    raise ConfigError(f"There is no correction {str(edit['kind'])[:50]!r}.")


def stroke_mask(shape: tuple[int, ...], points: Sequence[Sequence[float]], radius: float) -> npt.NDArray[np.bool_]:
    """(H, W) bool: pixels within `radius` of the line through `points`, (x, y) in pixels."""
    if not 0 < len(points) <= MOST_POINTS or not 0 < radius <= max(shape):
        raise ConfigError(f"A stroke has 1 to {MOST_POINTS} points and a radius of at most the photo's size.")
    mask = np.zeros(shape, np.uint8)
    line = np.round(np.asarray(points, float).reshape(-1, 2) * 8).clip(-(2**20), 2**20).astype(np.int32)
    width = max(1, round(2 * radius))
    cv2.polylines(mask, [line], False, 1, width, cv2.LINE_8, 3)
    for x, y in line[[0, -1]].tolist():
        cv2.circle(mask, (x, y), round(radius * 8), 1, -1, cv2.LINE_8, 3)
    return mask.view(np.bool_)
