"""Bilinear interpolation of a small grid to a large map, window by window."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


_WINDOW = (128, 256)
"""Side of a window in pixels: small enough to stay in cache and to contain few classes."""


class Stretch(NamedTuple):
    """A window along one axis."""

    pixels: slice
    """The window's pixels."""
    logits: slice
    """The logits around them."""
    cells: slice
    """The intervals between these logits, each numbered by its first logit."""
    above: npt.NDArray[np.intp]
    """(n,) index of the logit before each pixel's centre, within `logits`."""
    below: npt.NDArray[np.intp]
    """(n,) index of the logit after it."""
    share: npt.NDArray[np.float32]
    """(n,) distance from the first to the second (0..1)."""


def windows(
    source: tuple[int, ...], size: tuple[int, int], window: tuple[int, int] = _WINDOW
) -> Iterator[tuple[Stretch, Stretch]]:
    """Yield windows (down, across) that cover a map of `size` (H, W), with their positions on `source` (h, w)
    values."""
    # long windows for very narrow photos, which would need a hundred thousand otherwise
    area = window[0] * window[1] // 2
    steps = [max(step, area // other) for step, other in zip(window, reversed(size), strict=True)]
    rows, columns = (_stretches(*axis) for axis in zip(source, size, steps, strict=True))
    if size[0] >= size[1]:  # keep only the stretches of the shorter side in memory
        kept = list(columns)
        return ((row, column) for row in rows for column in kept)
    kept = list(rows)
    return ((row, column) for column in columns for row in kept)


def _stretches(source: int, side: int, step: int) -> Iterator[Stretch]:
    for start in range(0, side, step):
        pixels = np.arange(start, min(start + step, side))
        above, share = positions(pixels, source, side)
        below = np.minimum(above + 1, source - 1)
        first, last = int(above[0]), int(below[-1])
        yield Stretch(
            pixels=slice(start, start + len(pixels)),
            logits=slice(first, last + 1),
            cells=slice(first, max(last, first + 1)),
            above=above - first,
            below=below - first,
            share=share,
        )


def mix(values: npt.NDArray[np.float32], stretch: Stretch, axis: int) -> npt.NDArray[np.float32]:
    """Interpolate along an axis, from a stretch's logits to its pixels."""
    first, second = values.take(stretch.above, axis=axis), values.take(stretch.below, axis=axis)
    second -= first
    second *= stretch.share.reshape([-1 if place == axis else 1 for place in range(values.ndim)])
    first += second
    return first


def positions(
    pixels: npt.NDArray[np.intp], source: int, side: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Return the last of `source` logits before the centre of each of `side` pixels, and the distance (0..1) from
    it."""
    position = np.clip((pixels + 0.5) * (source / side) - 0.5, 0, source - 1)
    above = position.astype(np.intp)
    return above, (position - above).astype(np.float32)
