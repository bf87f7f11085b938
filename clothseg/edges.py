"""Label maps whose borders follow the photo's, where the network's logits know only blocks of pixels.

The guided filter carries each class's probabilities over to the photo (clothseg/guided.py has its sources): fitted on
a small copy, applied to the photo itself, and only in windows where several classes meet.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.decision import probabilities
from clothseg.guided import Array, Box, apply, as_bands, fits
from clothseg.upsample import best_classes


FIT_SIDE = 320
"""Longer side of the copy on which the linear functions are fitted, or as near as a whole number of times smaller."""

RADIUS = 0.02
"""Of the filter's windows, relative to the longer side: two or three of the network's blocks."""

EPS = 3e-4
"""Contrast that counts as an edge, as in `guided_filter`."""

LEAST = 0.05
"""Probabilities below count as none, which confines a class to the box that holds it."""

_HOPE = 0.15
"""Probability from which on a class may win nearby."""

_WINDOW = (64, 96)
"""Rows and columns of the photo that are done at once: few enough that most hold one class."""

_Fit = tuple[Box, Array]
"""A class's functions of the guide, as of `fits`."""


def follow_edges(logits: Array, photo: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Upsample logits to the photo's size along its edges, and take the best class of each pixel.

    Beyond the label map itself some ten MB are used, whatever the photo's size.

    Args:
        logits: (C, h, w) float32, finite; C at most 255.
        photo: (H, W, 3) uint8 RGB.

    Returns:
        (H, W) uint8 class ids; only classes that are the best at some place of the logits.
    """
    height, width = photo.shape[:2]
    classes = np.flatnonzero(np.bincount(best_classes(logits).ravel())).astype(np.uint8)
    label_map = np.full((height, width), classes[0], np.uint8)
    if len(classes) == 1:
        return label_map

    # A whole number, so that pixels and the copy's cells fall together again in each window. What is left over at the
    # right and below is less than a cell, and goes on as the last one.
    shrink = max(1, round(max(height, width) / FIT_SIDE))
    rows, columns = max(1, height // shrink), max(1, width // shrink)
    copy = cv2.resize(photo[: rows * shrink, : columns * shrink], (columns, rows), interpolation=cv2.INTER_AREA)
    guide = as_bands(copy)
    fitted = _fitted(guide, shares(probabilities(logits)[classes], (height, width), shrink))
    hopes = _hopes(fitted, guide)
    for down in _spans(rows, height, shrink, _WINDOW[0]):
        for across in _spans(columns, width, shrink, _WINDOW[1]):
            window = label_map[down.pixels, across.pixels]
            found = np.flatnonzero(hopes[:, down.cells, across.cells].any(axis=(1, 2))).tolist()
            window[...] = classes[found[0]] if found else classes[0]
            if len(found) < 2:
                continue
            bands = as_bands(photo[down.pixels, across.pixels])
            # by how much each of the others is better than the first
            first = _cut(fitted[found[0]], down.cells, across.cells)
            best = np.zeros(window.shape, np.float32)
            for index in found[1:]:
                line = _cut(fitted[index], down.cells, across.cells) - first
                line = cv2.copyMakeBorder(line, 0, down.missing, 0, across.missing, cv2.BORDER_REPLICATE)
                line = cv2.resize(line, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_LINEAR)
                lead = apply(line[down.inside, across.inside], bands)
                np.copyto(window, classes[index], where=lead > best)
                np.maximum(best, lead, out=best)
    return label_map


def shares(probability: Array, size: tuple[int, int], shrink: int) -> Array:
    """Probabilities of the classes that compete, at the copy's size, so that they add up to 1.

    Args:
        probability: (C, h, w) float32 over a photo of `size` (H, W).
        shrink: how many pixels of the photo, a side, are one of the copy.

    Returns:
        (C, max(1, H // shrink), max(1, W // shrink)) float32; what is small is 0.
    """
    rows, columns = (max(1, side // shrink) for side in size)
    down, across = (
        max(side, shrink) / shrink / cells for side, cells in zip(size, probability.shape[1:], strict=True)
    )
    method = cv2.INTER_AREA if min(down, across) < 1 else cv2.INTER_LINEAR
    planes = np.empty((len(probability), rows, columns), np.float32)
    for plane, source in zip(planes, probability, strict=True):
        larger = cv2.resize(source, None, fx=across, fy=down, interpolation=method)[:rows, :columns]
        cv2.threshold(larger, LEAST, 0, cv2.THRESH_TOZERO, dst=plane)
    planes /= np.maximum(planes.sum(axis=0), LEAST)
    return planes


def _fitted(guide: Array, planes: Array) -> list[_Fit]:
    """Each class's functions of the guide.

    Functions of planes that add up to 1 add up to 1 as well: the class that has most of the photo needs no fit.
    """
    largest = int(planes.sum(axis=(1, 2)).argmax())
    rest = np.zeros((*planes.shape[1:], len(guide) + 1), np.float32)
    rest[..., -1] = 1
    fitted = []
    radius = max(1, round(RADIUS * max(planes.shape[1:])))
    for box, line in fits(guide, np.delete(planes, largest, axis=0), radius, EPS):
        rest[box] -= line
        fitted.append((box, line))
    fitted.insert(largest, ((slice(0, len(rest)), slice(0, rest.shape[1])), rest))
    return fitted


def _hopes(fitted: list[_Fit], guide: Array) -> npt.NDArray[np.uint8]:
    """(C, h, w): 1 where a class may win: what is far from it on the small copy does not win on the photo."""
    hopes = np.zeros((len(fitted), *guide.shape[1:]), np.uint8)
    for hope, (box, line) in zip(hopes, fitted, strict=True):
        likely = (apply(line, guide[:, *box]) > _HOPE).view(np.uint8)
        hope[box] = cv2.dilate(likely, np.ones((3, 3), np.uint8))
    return hopes


class _Span(NamedTuple):
    """A window along one axis."""

    pixels: slice
    cells: slice
    """Of the copy; from the middle of the first to that of the last one pixels need no others."""
    inside: slice
    """The pixels, counted from where the first cell begins."""
    missing: int
    """1 where the pixels go on beyond the last cell."""


def _spans(cells: int, pixels: int, shrink: int, step: int) -> Iterator[_Span]:
    step = max(1, step // shrink)
    for first in range(0, max(1, cells - 1), step):
        last = min(first + step, cells - 1)
        start = first * shrink + shrink // 2 if first else 0
        stop = last * shrink + shrink // 2 if last < cells - 1 else pixels
        yield _Span(
            pixels=slice(start, stop),
            cells=slice(first, last + 1),
            inside=slice(start - first * shrink, stop - first * shrink),
            missing=int((last + 1) * shrink < stop),
        )


def _cut(fit: _Fit, rows: slice, columns: slice) -> Any:
    """A class's functions in a window that its box meets; 0 outside the box."""
    (down, across), line = fit
    top, left = rows.start - down.start, columns.start - across.start
    part = line[max(0, top) : rows.stop - down.start, max(0, left) : columns.stop - across.start]
    above, before = max(0, -top), max(0, -left)
    below, after = rows.stop - rows.start - above - len(part), columns.stop - columns.start - before - part.shape[1]
    return cv2.copyMakeBorder(part, above, below, before, after, cv2.BORDER_CONSTANT)
