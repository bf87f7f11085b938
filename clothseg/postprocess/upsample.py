"""Upsample the network's logits to class ids at the photo's own size, without storing 18 planes of that size.

Bilinear interpolation gives each pixel a weighted mean of the four logits around it. A class that is lower than
another one at all four cannot win between them, so most pixels are decided without interpolation. Along borders, only
the possible classes are interpolated. Probabilities need all classes but vary slowly, so they are
computed on a grid.
"""

from collections.abc import Iterator
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import IGNORE
from clothseg.postprocess.bilinear import Axis, mix, positions
from clothseg.postprocess.softmax import exp


GRID_SIDE = 160
"""Longest side of the grid of probabilities, about that of the logits."""

_LEAST = 64
"""Shortest side of the grid, unless the photo itself is narrower: narrow photos would otherwise get a single row."""

_BATCH = 1 << 16
"""Pixels along borders that are decided at once."""

_STRIP_VALUES = 1 << 19
"""Interpolated logits that are held at once: 2 MB, so that a strip stays in the CPU's cache between the steps."""


def winners(logits: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Upsample logits, and return the best class of each pixel.

    The logits are interpolated bilinearly with half-pixel centres, like torch's `interpolate(mode="bilinear",
    align_corners=False)` and transformers' `post_process_semantic_segmentation`; ids are never interpolated. In
    addition to the label map this takes a few MB, for photos of any size.

    Args:
        logits: (C, h, w) float32, finite; C at most 255.
        size: (H, W) of the photo.

    Returns:
        (H, W) uint8 class ids (the lower id wins if logits are equal).
    """
    best = best_classes(logits)
    down, across = (Axis.of(*axis) for axis in zip(best.shape, size, strict=True))
    label_map = best.take(across.cells, axis=1).take(down.cells, axis=0)
    rows, columns, candidates = _contested(logits, best, down.counts, across.counts)
    counts = candidates.sum(axis=0, dtype=np.intp)
    most_first = np.argsort(-counts, kind="stable")
    rows, columns, counts = rows[most_first], columns[most_first], counts[most_first]
    class_ids = np.flatnonzero(candidates.T[most_first]) % len(logits)  # of the first cell, then of the second, ...
    starts = np.cumsum(counts) - counts
    high, wide = down.pixels.shape[1], across.pixels.shape[1]
    batch, step = max(1, _BATCH // (high * wide)), max(1, _BATCH // wide)
    for start, top in product(range(0, len(rows), batch), range(0, high, step)):
        part = slice(start, start + batch)
        y, x = down.pixels[rows[part], top : top + step], across.pixels[columns[part]]
        corners = _corners(rows[part], columns[part], best.shape)
        labels = np.empty((*y.shape, wide), np.uint8)
        for place in range(counts[start]):
            count = np.count_nonzero(counts[part] > place)  # cells with another candidate come first
            ids = class_ids[starts[part][:count] + place]
            values = [logits.take(ids * best.size + corner[:count])[:, None] for corner in corners]
            shares = across.shares[x[:count]]
            upper, lower = mix(values[0], values[1], shares), mix(values[2], values[3], shares)
            plane = mix(upper[:, None], lower[:, None], down.shares[y[:count]][..., None])
            ids = ids.astype(np.uint8)[:, None, None]
            if place == 0:
                labels[...], highest = ids, plane
                continue
            # Ids ascend, so the maximum is the class that took the lead last.
            np.maximum(labels[:count], (plane > highest[:count]).view(np.uint8) * ids, out=labels[:count])
            np.maximum(highest[:count], plane, out=highest[:count])
        np.put(label_map, (y * size[1])[..., None] + x[:, None], labels)
    return label_map


def winning_probability(logits: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return the softmax probability of the best class of the interpolated logits, on a grid over the photo.

    Args:
        logits: as for `winners`.
        size: (H, W) of the photo.

    Returns:
        (gh, gw) uint8: 255 times the probability. The grid's longer side is `GRID_SIDE`, or the photo's if that is
        shorter; its shorter side is at least 64 or the photo's.
    """
    grid = np.empty(size_of_grid(size), np.uint8)
    for rows, strip in _interpolated(logits, size_of_grid(size)):
        grid[rows] = np.rint(255 * _winning(strip, strip.max(axis=0)))
    return grid


def size_of_grid(size: tuple[int, int]) -> tuple[int, int]:
    """Return the shape (gh, gw) of the grid of probabilities for a photo of `size` (H, W)."""
    shrink = max(1.0, max(size) / GRID_SIDE)
    height, width = (max(round(side / shrink), min(side, _LEAST)) for side in size)
    return height, width


def _corners(
    rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], shape: tuple[int, ...]
) -> list[npt.NDArray[np.intp]]:
    """Return the indices in a flat (h, w) of the four logits around cells: top left, top right, bottom left and bottom
    right."""
    height, width = shape
    below, right = np.minimum(rows + 1, height - 1), np.minimum(columns + 1, width - 1)
    return [row * width + column for row in (rows, below) for column in (columns, right)]


def _contested(
    logits: npt.NDArray[np.float32], best: npt.NDArray[np.uint8], *pixels: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return the cells whose four logits do not have the same best class.

    Args:
        logits: (C, h, w) float32.
        best: (h, w) uint8, the best classes.
        pixels: numbers of pixels of the rows and of the columns of cells; cells without a pixel are left out.

    Returns:
        Rows (n,) and columns (n,) of the cells, and (C, n) bool: which classes can win in them.
    """
    height, width = best.shape
    below, right = np.minimum(np.arange(height) + 1, height - 1), np.minimum(np.arange(width) + 1, width - 1)
    lower = best[below]
    contested = (best != best[:, right]) | (best != lower) | (best != lower[:, right])
    contested &= np.logical_and.outer(*(counts > 0 for counts in pixels))
    rows, columns = np.nonzero(contested)
    places = _corners(rows, columns, best.shape)
    flat = logits.reshape(len(logits), -1)
    corners = [flat.take(place, axis=1) for place in places]  # 4 times (C, cells)
    beaten = np.zeros(corners[0].shape, np.bool_)
    for place in places:  # comparing with further classes would rule out few more, at higher cost
        rival = best.take(place).astype(np.intp) * len(rows) + np.arange(len(rows))
        less = corners[0] < corners[0].take(rival)
        for corner in corners[1:]:
            less &= corner < corner.take(rival)
        beaten |= less
    return rows, columns, ~beaten


def sure_pixels(
    logits: npt.NDArray[np.float32], size: tuple[int, int], min_probability: float
) -> npt.NDArray[np.uint8]:
    """Return the label map of `winners`, but 255 where the best class's probability is below
    `min_probability`."""
    label_map = np.empty(size, np.uint8)
    for window, labels, probability in strips(logits, size):
        label_map[window] = np.where(probability < min_probability, np.uint8(IGNORE), labels)
    return label_map


Strip = tuple[tuple[slice, slice], npt.NDArray[np.uint8], npt.NDArray[np.float32]]
"""A window (rows, columns) of the full-size map, its best classes and their softmax probabilities."""


def strips(logits: npt.NDArray[np.float32], size: tuple[int, int]) -> Iterator[Strip]:
    """Yield windows that cover the full-size map; for arguments, interpolation and ties see `winners`."""
    classes = len(logits)
    height, width = size
    if width > height and classes * width > _STRIP_VALUES:  # a single row is too large, so use strips of columns
        turned = strips(np.ascontiguousarray(logits.transpose(0, 2, 1)), (width, height))
        yield from (((columns, rows), labels.T, probability.T) for (rows, columns), labels, probability in turned)
        return

    for rows, strip in _interpolated(logits, size):
        best = strip.max(axis=0)
        yield (rows, slice(None)), _first_equal(strip, best), _winning(strip, best)


def _interpolated(
    logits: npt.NDArray[np.float32], size: tuple[int, int]
) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
    """Yield the logits (C, n, W) of a map of `size` (H, W), n rows at a time."""
    classes, (height, width) = len(logits), size
    if width < logits.shape[2]:  # narrow the logits first, so that strips carry no unused columns
        logits = _widen(logits, width)
    step = max(1, _STRIP_VALUES // (classes * width))
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        yield rows, _widen(_rows(logits, rows, height), width)


def _winning(strip: npt.NDArray[np.float32], best: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the softmax probability (n, W) of the best class of logits (C, n, W), which are overwritten."""
    # exp(best - best) / sum(exp(logit - best))
    strip -= best
    exp(strip)
    return 1 / strip.sum(axis=0)


def _rows(logits: npt.NDArray[np.float32], rows: slice, height: int) -> npt.NDArray[np.float32]:
    """Interpolate (C, h, w) along its rows to `height` rows, and return those in the slice: (C, n, w)."""
    source = logits.shape[1]
    above, share = positions(np.arange(rows.start, rows.stop), source, height)
    share = share[:, None]
    mixed = logits.take(above, axis=1) * (1 - share)
    mixed += logits.take(np.minimum(above + 1, source - 1), axis=1) * share
    return mixed


def _widen(rows: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float32]:
    """Interpolate (C, n, w) float32 along its last axis to (C, n, width)."""
    classes, count, source = rows.shape
    wide = cv2.resize(rows.reshape(classes * count, source), (width, classes * count), interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide, dtype=np.float32).reshape(classes, count, width)


def best_classes(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return the argmax over the first axis of (C, h, w), C at most 255: (h, w) uint8; the lower id wins if equal."""
    return _first_equal(logits, logits.max(axis=0))


def _first_equal(strip: npt.NDArray[np.float32], best: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return the first class of `strip` (C, n, W) that reaches `best` (n, W); numpy's argmax is seven times as
    slow."""
    classes = len(strip)
    rank = (strip == best).view(np.uint8)
    rank *= np.arange(classes, 0, -1).astype(np.uint8)[:, None, None]
    return np.asarray(np.uint8(classes) - rank.max(axis=0))
