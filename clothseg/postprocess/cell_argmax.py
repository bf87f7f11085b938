"""Compute the best class of each pixel from linear functions that are known at the cell centres of a reduced copy.

A gap is the square between the centres of four neighbouring cells; each of its pixels interpolates their functions.
Most gaps have one candidate class and need no arithmetic. Gaps with several candidates are gathered and computed in
batches.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.postprocess.guided_filter import Array, Box


ClassFit = tuple[Box, Array]
"""A class's box and its linear functions of the guide, from `clothseg.postprocess.guided_filter.fit_linear`."""

Labels = npt.NDArray[np.uint8]

_Indices = npt.NDArray[np.intp]

_STRIP = 1 << 20
"""Pixels of the label map that are processed at once, at least one row of gaps: one or two MB."""

_BATCH = 1 << 16
"""Pixels of one batch. Larger matrix products would be spread over threads, which costs more than it saves."""


def gap_shape(size: tuple[int, ...], shrink: int) -> tuple[int, int]:
    """Return the rows and columns of gaps over a photo (H, W); the first ones end at the first cells' centres."""
    rows, columns = (-(-(side + _outside(shrink)) // shrink) for side in size)
    return rows, columns


def argmax_of_fits(
    fits: list[ClassFit], candidates: Labels, classes: Labels, photo: Image.Image, shrink: int
) -> Labels:
    """Return the label map of the classes whose functions are largest; the first of equal classes wins.

    Args:
        fits: each class's functions; at least one box contains all cells.
        candidates: (C, rows, columns) uint8, with the shape of `gap_shape`: 1 where a class may win, which requires
            that its box contains the cells around the gap. The first class wins gaps without a candidate.
        classes: (C,) uint8 class ids, ascending.
        photo: RGB. A cell has `shrink` x `shrink` pixels; remaining pixels belong to the outer cells.
        shrink: side of a cell in pixels.

    Returns:
        (H, W) uint8 class ids.
    """
    width, height = photo.size
    gaps = _GapFits(fits, candidates, classes, shrink)
    counts, first_candidate = candidates.sum(axis=0, dtype=np.uint8), _first_candidate(candidates, classes)
    outside = _outside(shrink)
    label_map = np.empty((height, width), np.uint8)
    step, batch = max(1, _STRIP // (shrink * width)), max(1, _BATCH // shrink**2)
    for start in range(0, len(first_candidate), step):
        strip = slice(start, start + step)
        labels = first_candidate[strip].repeat(shrink, axis=1).repeat(shrink, axis=0)
        first = start * shrink - outside
        down, across = np.nonzero(counts[strip] > 1)
        for place in range(0, len(down), batch):
            y, x = down[place : place + batch], across[place : place + batch]
            order = np.argsort(255 - counts[strip][y, x], kind="stable")
            y, x = y[order], x[order]
            # Only a crop: an array of the whole photo is three times as large as the label map. Pixels outside of the
            # photo are black, and their results are cut off below.
            top, bottom, left, right = int(y.min()), int(y.max()) + 1, int(x.min()), int(x.max()) + 1
            above, before = first + top * shrink, left * shrink - outside
            below, after = first + bottom * shrink, right * shrink - outside
            crop = np.asarray(photo.crop((before, above, after, below)))
            inside = _run_indices(y - top, x - left, right - left, shrink)
            pixels = _pixel_runs(crop, shrink).take(inside).view(np.uint8)
            winners = gaps.winners(y + start, x, pixels)
            places = _run_indices(y, x, first_candidate.shape[1], shrink)
            np.put(_pixel_runs(labels, shrink), places, _pixel_runs(winners, shrink))
        rows = slice(max(0, first), min(height, first + len(labels)))
        label_map[rows] = labels[rows.start - first : rows.stop - first, outside : outside + width]
    return label_map


def _outside(shrink: int) -> int:
    """Return how many rows or columns of the first gaps lie outside the photo."""
    return shrink - shrink // 2


def _run_indices(down: _Indices, across: _Indices, columns: int, shrink: int) -> _Indices:
    """Return the indices (n, shrink) of n gaps' rows in `_pixel_runs` of a picture that is `columns` gaps wide."""
    return (down * (shrink * columns) + across)[:, None] + np.arange(0, shrink * columns, columns)


def _pixel_runs(picture: npt.NDArray[np.uint8], shrink: int) -> Any:
    """View a picture (h, w) or (h, w, 3) as items of `shrink` pixels of a row, which are moved at once."""
    return picture.reshape(-1).view(f"V{shrink * picture[0, 0].size}")


def _first_candidate(candidates: Labels, classes: Labels) -> Labels:
    """Return the first candidate class of each gap, or the first class if it has none."""
    rank = np.zeros(candidates.shape[1:], np.uint8)
    for index, candidate in enumerate(candidates):
        np.maximum(rank, candidate * np.uint8(len(candidates) - index), out=rank)
    return np.append(classes[0], classes[::-1])[rank]


class _GapFits:
    """Each gap's candidate classes, and the functions of the four cells around it."""

    def __init__(self, fits: list[ClassFit], candidates: Labels, classes: Labels, shrink: int) -> None:
        self._candidates = candidates.reshape(len(candidates), -1)
        self._classes, self._columns = classes, candidates.shape[2]
        self._functions = np.concatenate([line.reshape(-1, line.shape[2]) for _, line in fits])
        sizes = np.array([line.shape[:2] for _, line in fits])
        corners = np.array([[rows.start, columns.start] for (rows, columns), _ in fits])
        self._box_width = sizes[:, 1]
        # index of each class's function of the copy's first cell, as if its box began there
        self._start = (
            np.cumsum(sizes[:, 0] * self._box_width) - (sizes[:, 0] + corners[:, 0]) * self._box_width - corners[:, 1]
        )
        self._last_cell = sizes.max(axis=0) - 1
        after = ((np.arange(shrink) + 0.5 * (shrink % 2 == 0)) / shrink).astype(np.float32)
        both = np.stack([1 - after, after])
        self._corner_weights = np.einsum("ay,bx->yxab", both, both).reshape(-1, 4)

    def winners(self, down: _Indices, across: _Indices, pixels: npt.NDArray[np.uint8]) -> Labels:
        """Return the best class of each pixel of n gaps.

        Args:
            down: (n,) rows of the gaps; gaps with the most candidates come first.
            across: (n,) columns of the gaps.
            pixels: uint8 RGB of the gaps, n * shrink * shrink * 3 values.

        Returns:
            (n, shrink * shrink) uint8 class ids.
        """
        candidates_here = self._candidates.take(down * self._columns + across, axis=1)
        class_indices = np.flatnonzero(cv2.transpose(candidates_here).view(np.bool_)) % len(candidates_here)
        counts = candidates_here.sum(axis=0, dtype=np.intp)
        starts = np.cumsum(counts) - counts
        corners = [
            np.minimum(np.maximum(place - step, 0), last)
            for place, last in zip((down, across), self._last_cell, strict=True)
            for step in (1, 0)
        ]
        bands = cv2.transpose(pixels.reshape(len(down), -1)).astype(np.float32)
        bands /= 255
        bands = bands.reshape(-1, 3, len(down)).transpose(1, 0, 2)

        first = self._corner_functions(class_indices[starts], *corners)
        winners = np.repeat(self._classes[class_indices[starts]][None], len(self._corner_weights), axis=0)
        best = np.zeros(winners.shape, np.float32)
        for place in range(1, int(counts[0])):
            count = int(np.count_nonzero(counts > place))  # gaps with another candidate come first
            class_index = class_indices[starts[:count] + place]
            # the difference from the first candidate
            line = self._corner_functions(class_index, *(each[:count] for each in corners)) - first[..., :count]
            *factors, lead = np.matmul(self._corner_weights, line)
            for factor, band in zip(factors, bands, strict=True):
                factor *= band[:, :count]
                lead += factor
            # ids ascend, so the maximum is the class that took the lead last
            leader = (lead > best[:, :count]).view(np.uint8) * self._classes[class_index]
            np.maximum(winners[:, :count], leader, out=winners[:, :count])
            np.maximum(best[:, :count], lead, out=best[:, :count])
        return np.asarray(cv2.transpose(winners), np.uint8)

    def _corner_functions(
        self, class_indices: _Indices, above: _Indices, below: _Indices, before: _Indices, after: _Indices
    ) -> Array:
        """Return (B + 1, 4, n): one class's functions for each gap, in the cells above left, above right, below left
        and below right."""
        start, widths = self._start[class_indices], self._box_width[class_indices]
        upper, lower = above * widths + start, below * widths + start
        index = np.concatenate([upper + before, upper + after, lower + before, lower + after])
        functions = self._functions.take(index, axis=0)
        return np.asarray(cv2.transpose(functions), np.float32).reshape(-1, 4, len(class_indices))
