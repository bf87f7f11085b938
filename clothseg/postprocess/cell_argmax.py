"""The best class of each pixel, by functions that are known for the middles of a small copy's cells.

A gap is what lies between the middles of four neighbouring cells: each of its pixels mixes their functions. Most gaps
hold one class. Those where several may win are gathered, so that arithmetic is done for their pixels alone, and for
many gaps in one step.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.postprocess.guided_filter import Array, Box


Fit = tuple[Box, Array]
"""A class's functions of the guide, as of `clothseg.postprocess.guided_filter.fits`."""

Labels = npt.NDArray[np.uint8]

_Indices = npt.NDArray[np.intp]

_STRIP = 1 << 20
"""Pixels of the label map that are in hand at once, or a row of gaps: a megabyte or two."""

_BATCH = 1 << 16
"""Pixels of one step: matrix products of more would be spread over threads, which costs more than it saves."""


def gaps_of(size: tuple[int, ...], shrink: int) -> tuple[int, int]:
    """Rows and columns of gaps over a photo of `size`; the first ones end at the middles of the first cells."""
    rows, columns = (-(-(side + _outside(shrink)) // shrink) for side in size)
    return rows, columns


def best_of(fitted: list[Fit], hopes: Labels, classes: Labels, photo: Image.Image, shrink: int) -> Labels:
    """The label map of the classes whose functions are the largest; of equals the first wins.

    Args:
        fitted: each class's functions; one box holds all cells.
        hopes: (C, rows, columns) of `gaps_of`: 1 where a class may win; there its box has the cells around the gap.
            Where none may, the first does.
        classes: (C,) uint8, ascending.
        photo: RGB, of `shrink` x `shrink` pixels a cell; what is left over counts as the outer cells.

    Returns:
        (H, W) uint8.
    """
    width, height = photo.size
    gaps = _Gaps(fitted, hopes, classes, shrink)
    counts, alone = hopes.sum(axis=0, dtype=np.uint8), _first(hopes, classes)
    outside = _outside(shrink)
    label_map = np.empty((height, width), np.uint8)
    step, batch = max(1, _STRIP // (shrink * width)), max(1, _BATCH // shrink**2)
    for start in range(0, len(alone), step):
        strip = slice(start, start + step)
        labels = alone[strip].repeat(shrink, axis=1).repeat(shrink, axis=0)
        first = start * shrink - outside
        down, across = np.nonzero(counts[strip] > 1)
        for place in range(0, len(down), batch):
            y, x = down[place : place + batch], across[place : place + batch]
            order = np.argsort(255 - counts[strip][y, x], kind="stable")
            y, x = y[order], x[order]
            # An array of the whole photo would be three times as large as the label map. Beyond the photo it is black,
            # and of no use.
            top, bottom, left, right = int(y.min()), int(y.max()) + 1, int(x.min()), int(x.max()) + 1
            above, before = first + top * shrink, left * shrink - outside
            below, after = first + bottom * shrink, right * shrink - outside
            seen = np.asarray(photo.crop((before, above, after, below)))
            pixels = _runs(seen, shrink).take(_places(y - top, x - left, right - left, shrink)).view(np.uint8)
            won = gaps.winners(y + start, x, pixels)
            np.put(_runs(labels, shrink), _places(y, x, alone.shape[1], shrink), _runs(won, shrink))
        rows = slice(max(0, first), min(height, first + len(labels)))
        label_map[rows] = labels[rows.start - first : rows.stop - first, outside : outside + width]
    return label_map


def _outside(shrink: int) -> int:
    """How many rows or columns of the first gaps lie outside the photo."""
    return shrink - shrink // 2


def _places(down: _Indices, across: _Indices, columns: int, shrink: int) -> _Indices:
    """(n, shrink): where the rows of n gaps lie among `_runs` of a picture that is `columns` gaps wide."""
    return (down * (shrink * columns) + across)[:, None] + np.arange(0, shrink * columns, columns)


def _runs(picture: npt.NDArray[np.uint8], shrink: int) -> Any:
    """A picture (h, w) or (h, w, 3) as items of `shrink` pixels in a row, which are moved at once."""
    return picture.reshape(-1).view(f"V{shrink * picture[0, 0].size}")


def _first(hopes: Labels, classes: Labels) -> Labels:
    """The first class that may win in each gap."""
    rank = np.zeros(hopes.shape[1:], np.uint8)
    for index, hope in enumerate(hopes):
        np.maximum(rank, hope * np.uint8(len(hopes) - index), out=rank)
    return np.append(classes[0], classes[::-1])[rank]


class _Gaps:
    """What is known of gaps: which classes may win in them, and the functions of the cells around."""

    def __init__(self, fitted: list[Fit], hopes: Labels, classes: Labels, shrink: int) -> None:
        self._hopes, self._classes, self._columns = hopes.reshape(len(hopes), -1), classes, hopes.shape[2]
        self._functions = np.concatenate([line.reshape(-1, line.shape[2]) for _, line in fitted])
        sizes = np.array([line.shape[:2] for _, line in fitted])
        corners = np.array([[rows.start, columns.start] for (rows, columns), _ in fitted])
        self._wide = sizes[:, 1]
        # where a class's functions of the copy's first cell would stand
        self._start = np.cumsum(sizes[:, 0] * self._wide) - (sizes[:, 0] + corners[:, 0]) * self._wide - corners[:, 1]
        self._last = sizes.max(axis=0) - 1
        after = ((np.arange(shrink) + 0.5 * (shrink % 2 == 0)) / shrink).astype(np.float32)
        both = np.stack([1 - after, after])
        self._shares = np.einsum("ay,bx->yxab", both, both).reshape(-1, 4)

    def winners(self, down: _Indices, across: _Indices, pixels: npt.NDArray[np.uint8]) -> Labels:
        """The best class of each pixel of n gaps.

        Args:
            down: (n,) which row of gaps each is in, those in which most classes may win first.
            across: (n,) which column.
            pixels: the gaps' bytes, n times shrink * shrink * 3.

        Returns:
            (n, shrink * shrink) uint8.
        """
        hoped = self._hopes.take(down * self._columns + across, axis=1)
        kinds = np.flatnonzero(cv2.transpose(hoped).view(np.bool_)) % len(hoped)
        counts = hoped.sum(axis=0, dtype=np.intp)
        starts = np.cumsum(counts) - counts
        corners = [
            np.minimum(np.maximum(place - step, 0), last)
            for place, last in zip((down, across), self._last, strict=True)
            for step in (1, 0)
        ]
        bands = cv2.transpose(pixels.reshape(len(down), -1)).astype(np.float32)
        bands /= 255
        bands = bands.reshape(-1, 3, len(down)).transpose(1, 0, 2)

        first = self._around(kinds[starts], *corners)
        winners = np.repeat(self._classes[kinds[starts]][None], len(self._shares), axis=0)
        best = np.zeros(winners.shape, np.float32)
        for place in range(1, int(counts[0])):
            count = int(np.count_nonzero(counts > place))  # the gaps that have one more, which come first
            kind = kinds[starts[:count] + place]
            # by how much it is better than the first
            line = self._around(kind, *(each[:count] for each in corners)) - first[..., :count]
            *factors, lead = np.matmul(self._shares, line)
            for factor, band in zip(factors, bands, strict=True):
                factor *= band[:, :count]
                lead += factor
            # ascending: the last to take the lead is the highest
            leader = (lead > best[:, :count]).view(np.uint8) * self._classes[kind]
            np.maximum(winners[:, :count], leader, out=winners[:, :count])
            np.maximum(best[:, :count], lead, out=best[:, :count])
        return np.asarray(cv2.transpose(winners), np.uint8)

    def _around(self, kinds: _Indices, above: _Indices, below: _Indices, before: _Indices, after: _Indices) -> Array:
        """(B + 1, 4, n): a class's functions each, in the cells above left, above right, below left, below right."""
        start, wide = self._start[kinds], self._wide[kinds]
        upper, lower = above * wide + start, below * wide + start
        index = np.concatenate([upper + before, upper + after, lower + before, lower + after])
        found = self._functions.take(index, axis=0)
        return np.asarray(cv2.transpose(found), np.float32).reshape(-1, 4, len(kinds))
