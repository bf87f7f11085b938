"""Bilinear interpolation of a small grid to a large map: where the map's pixels lie between the grid's values."""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt


class Axis(NamedTuple):
    """The pixels of one axis of a map, and the cells they lie in: the intervals between two values of the grid, each
    numbered by its first value. Pixels beyond the last value are in a cell of its number."""

    cells: npt.NDArray[np.intp]
    """(n,) cell of each pixel."""
    shares: npt.NDArray[np.float32]
    """(n,) distance of each pixel from the cell's first value (0..1)."""
    pixels: npt.NDArray[np.intp]
    """(cells, most) pixels of each cell; one with fewer repeats its last pixel."""
    counts: npt.NDArray[np.intp]
    """(cells,) number of pixels of each cell, often 0 in maps smaller than the grid."""

    @classmethod
    def of(cls, source: int, side: int) -> Self:
        """Return the axis of a map of `side` pixels on a grid of `source` values."""
        cells, shares = positions(np.arange(side), source, side)
        counts = np.bincount(cells, minlength=source)
        ends = np.cumsum(counts)
        pixels = np.minimum((ends - counts)[:, None] + np.arange(counts.max()), ends[:, None] - 1)
        return cls(cells, shares, pixels, counts)


def mix(
    first: npt.NDArray[np.float32], second: npt.NDArray[np.float32], shares: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Interpolate between values at distances (0..1) from the first ones."""
    mixed = (second - first) * shares
    mixed += first
    return mixed


def positions(
    pixels: npt.NDArray[np.intp], source: int, side: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Return the last of `source` logits before the centre of each of `side` pixels, and the distance (0..1) from
    it."""
    position = np.clip((pixels + 0.5) * (source / side) - 0.5, 0, source - 1)
    above = position.astype(np.intp)
    return above, (position - above).astype(np.float32)
