"""Brush strokes, and the pixels that they cover."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np

from clothseg.errors import ConfigError
from clothseg.postprocess.clicks import Click
from clothseg.postprocess.corrections import Mask, check_label


MOST = 200
"""Clicks, or strokes, in one call."""

MOST_POINTS = 20_000
"""Points of one stroke."""

MAX_RADIUS = 2000
"""Radius of the brush, in pixels."""


@dataclass(frozen=True)
class Stroke:
    """A line that a round brush was moved along.

    Attributes:
        points: (x, y) in pixels of the photo, which may lie outside of it; one makes a dot.
        radius: of the brush in pixels: 0 covers a line of single pixels.
        label: name of the class, "Background" included.

    Raises:
        UnknownClassError: the class is not text.
        ConfigError: no points, too many, or numbers that cannot be used.
    """

    points: Sequence[tuple[float, float]]
    radius: float
    label: str

    def __post_init__(self) -> None:
        check_label(self.label)
        if not isinstance(self.points, list | tuple) or not 1 <= len(self.points) <= MOST_POINTS:
            raise ConfigError(f"A stroke has 1 to {MOST_POINTS:,} points [x, y].")
        for point in self.points:
            if not isinstance(point, list | tuple) or len(point) != 2 or not all(map(_is_number, point)):
                raise ConfigError(f"A point of a stroke is [x, y] in pixels, not {repr(point)[:50]}.")
        if not _is_number(self.radius) or not 0 <= self.radius <= MAX_RADIUS:
            raise ConfigError(f"The radius of a stroke can be 0 to {MAX_RADIUS} pixels, not {repr(self.radius)[:50]}.")

    def mask(self, shape: tuple[int, int]) -> Mask:
        """Return (H, W) bool: the pixels of a photo of this shape that the brush covers."""
        covered = np.zeros(shape, np.bool_)
        height, width = shape
        # The exact position far outside does not matter; OpenCV's own limit is 2**15.
        points = np.floor(np.clip(self.points, -16_000, 30_000)).astype(np.int32)
        reach = round(self.radius)
        # The line's box and the radius around it, as far as it can affect the photo.
        left, top = np.maximum(points.min(0) - reach, -reach).tolist()
        right, bottom = np.minimum(points.max(0) + reach + 1, [width + reach, height + reach]).tolist()
        if right <= left or bottom <= top:
            return covered
        off_line = np.ones((bottom - top, right - left), np.uint8)
        line = np.vstack([points, points[-1:]]) - [left, top]  # of a single point, too
        cv2.polylines(off_line, [line], False, 0)
        if off_line.all():
            return covered
        # Uses the distance to the line; drawing a wide brush at each of its points would be slow.
        distance = cv2.distanceTransform(off_line, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
        inside = distance[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        covered[rows, columns] = inside <= self.radius + 0.25
        return covered


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


Given = TypeVar("Given", Click, Stroke)


def from_json(kind: type[Given], values: Any) -> list[Given]:
    """Return clicks or strokes from a list of JSON objects with their attributes; None gives an empty list.

    Raises:
        ConfigError: it is not such a list, or is too long, or an object lacks an attribute or has an unknown one.
        UnknownClassError: a class does not exist.
    """
    name, keys = kind.__name__.lower(), tuple(kind.__dataclass_fields__)
    form = f"{{{', '.join(keys)}}}"
    if values is None:
        return []
    if not isinstance(values, list):
        raise ConfigError(f"Give {name}s as a JSON list of objects {form}, not {repr(values)[:50]}.")
    if len(values) > MOST:
        raise ConfigError(f"At most {MOST} {name}s are taken in one call, not {len(values)}.")
    for value in values:
        if not isinstance(value, Mapping) or set(value) != set(keys):
            raise ConfigError(f"A {name} is a JSON object {form}, not {repr(value)[:80]}.")
    return [kind(**value) for value in values]
