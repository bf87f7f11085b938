"""From the network's small logits to class ids at the photo's own size, without the 18 large planes in between."""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import IGNORE


_STRIP_VALUES = 1 << 19
"""Logits held at once: 2 MB, so that a strip stays in the processor's cache between the steps below."""


def label_pixels(
    logits: npt.NDArray[np.float32], size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Upsample logits, take the best class of each pixel and average its probability.

    The logits are interpolated bilinearly with half-pixel centres, which is torch's `interpolate(mode="bilinear",
    align_corners=False)` and transformers' `post_process_semantic_segmentation`; ids are never interpolated. Rows
    are done in strips, so beyond the label map itself a few MB are used whatever the photo's size.

    Args:
        logits: (C, h, w) float32, finite; C at most 255.
        size: (H, W) of the photo.

    Returns:
        The (H, W) uint8 class ids (of equal logits the lower id wins), and (C,) float64: each class's mean softmax
        probability over the pixels where it won, 0 where it won none.
    """
    classes = len(logits)
    label_map = np.empty(size, np.uint8)
    counts = np.zeros(classes, np.int64)
    total = np.zeros(classes)
    for window, labels, probability in strips(logits, size):
        label_map[window] = labels
        counts += np.bincount(labels.ravel(), minlength=classes)
        total += np.bincount(labels.ravel(), weights=probability.ravel(), minlength=classes)
    return label_map, total / np.maximum(counts, 1)


def sure_pixels(
    logits: npt.NDArray[np.float32], size: tuple[int, int], min_probability: float
) -> npt.NDArray[np.uint8]:
    """As the label map of `label_pixels`, but 255 where the best class's probability is below `min_probability`."""
    label_map = np.empty(size, np.uint8)
    for window, labels, probability in strips(logits, size):
        label_map[window] = np.where(probability < min_probability, np.uint8(IGNORE), labels)
    return label_map


Strip = tuple[tuple[slice, slice], npt.NDArray[np.uint8], npt.NDArray[np.float32]]
"""A window (rows, columns) of the full-size map, its best classes and their softmax probabilities."""


def strips(logits: npt.NDArray[np.float32], size: tuple[int, int]) -> Iterator[Strip]:
    """Cover the full-size map window by window; for arguments, interpolation and ties see `label_pixels`."""
    classes = len(logits)
    height, width = size
    if width > height and classes * width > _STRIP_VALUES:  # a row alone is too much: let strips be columns
        turned = strips(np.ascontiguousarray(logits.transpose(0, 2, 1)), (width, height))
        yield from (((columns, rows), labels.T, probability.T) for (rows, columns), labels, probability in turned)
        return

    if width < logits.shape[2]:  # narrow first, or every strip would carry columns that are not wanted
        logits = _widen(logits, width)
    step = max(1, _STRIP_VALUES // (classes * width))
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        strip = _widen(_rows(logits, rows, height), width)
        best = strip.max(axis=0)
        labels = _first_equal(strip, best)
        # softmax of the winner: exp(best - best) / sum(exp(logit - best))
        strip -= best
        np.exp(strip, out=strip)
        yield (rows, slice(None)), labels, 1 / strip.sum(axis=0)


def _rows(logits: npt.NDArray[np.float32], rows: slice, height: int) -> npt.NDArray[np.float32]:
    """Interpolate (C, h, w) along its rows to `height` of them, and return those in the slice: (C, n, w)."""
    source = logits.shape[1]
    centres = np.arange(rows.start, rows.stop) + 0.5
    position = np.clip(centres * (source / height) - 0.5, 0, source - 1)
    above = position.astype(np.intp)
    share = (position - above).astype(np.float32)[:, None]
    mixed = logits.take(above, axis=1) * (1 - share)
    mixed += logits.take(np.minimum(above + 1, source - 1), axis=1) * share
    return mixed


def _widen(rows: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float32]:
    """Interpolate (C, n, w) float32 along its last axis to (C, n, width)."""
    classes, count, source = rows.shape
    wide = cv2.resize(rows.reshape(classes * count, source), (width, classes * count), interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide, dtype=np.float32).reshape(classes, count, width)


def _first_equal(strip: npt.NDArray[np.float32], best: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The first class of `strip` (C, n, W) that reaches `best` (n, W); numpy's argmax takes seven times as long."""
    classes = len(strip)
    rank = np.zeros(best.shape, np.uint8)
    for index, plane in enumerate(strip):
        np.maximum(rank, (plane == best).view(np.uint8) * np.uint8(classes - index), out=rank)
    return np.uint8(classes) - rank
