"""The zoom crop: find a small figure, and decide whether to segment it again at a higher resolution.

The network sees all photos at one size. A figure that fills a third of the height has a ninth of the pixels that the
network was trained on. Cropped with a margin and segmented again, it has the usual size.
"""

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import ATR, BACKGROUND
from clothseg.postprocess.class_pixels import class_mask, present_classes
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.softmax import as_logits, softmax
from clothseg.postprocess.upsample import best_classes


PAYS_BELOW = 0.9
"""Largest side of the crop, as a share of the photo's, at which a second pass helps; its square is the share of the
area. A person who fills the height of a wide photo also counts as small, since the network's upright input squeezes
them."""

MARGIN = 0.15
"""Margin around the figure on each side, as a share of its height or width."""

FADE = 0.06
"""Width of the edge, as a share of the crop's height or width, over which the crop blends with the whole photo's
result: half of the margin."""

LEAST_PIECE = 0.1
"""Pieces below this share of the largest one do not belong to the figure: specks, and people far away."""

FAINT = 0.4
"""Probability of not being background from which a pixel belongs to the figure if it is connected to clear pixels."""

SURE = 0.9
"""Mean of that probability over a piece from which the piece certainly belongs to a figure."""

FAR = 0.5
"""Largest height, as a share of the photo's, at which a person counts as far away. In such photos the network mistakes
things for people."""

STANDS = 1.2
"""Least height over width of a piece that may be a standing person. If such a person is clearly and completely
visible, uncertain pieces such as benches and walls are ignored, even larger ones."""

FEW = 150
"""Classes with fewer pixels on the grid of probabilities get the mean over their pixels on a finer map."""

FINEST = 640
"""Least longer side of that map, unless the photo is smaller."""


def find_zoom_crop(
    logits: npt.NDArray[np.float32], size: tuple[int, int], aspect: float, below: float = PAYS_BELOW
) -> Box | None:
    """Find the crop to segment again: the figure with a margin, in the network's proportions if the photo allows.

    Args:
        logits: (18, h, w) float32 of the first pass over the whole photo. Logits, not the label map, since guided
            edges shrink figures of a few cells.
        size: (H, W) of the photo.
        aspect: height over width of the network's input.
        below: largest side of the crop, as a share of the photo's, at which to segment again; the geometric mean of
            both sides counts.

    Returns:
        None if there is nobody, or if the figure is large enough.
    """
    down, across = size[0] / logits.shape[1], size[1] / logits.shape[2]
    figures = _figures(logits, across / down)
    if not len(figures):
        return None
    left, top = figures[:, 0].min() * across, figures[:, 1].min() * down
    right, bottom = (figures[:, :2] + figures[:, 2:4]).max(axis=0) * (across, down)
    wide, high = _extent(right - left, bottom - top, aspect)
    if min(1, wide / size[1]) * min(1, high / size[0]) > below**2:
        return None
    return window(Box(int(left), int(top), round(right), round(bottom)), aspect, size)


def _figures(logits: npt.NDArray[np.float32], cell: float) -> npt.NDArray[np.int32]:
    """Return rows of OpenCV's statistics, in cells, of the pieces that belong to the figure.

    Args:
        logits: (18, h, w) float32.
        cell: width over height of a cell, in pixels of the photo.
    """
    figure = 1 - softmax(logits)[BACKGROUND]
    seen = best_classes(logits) != BACKGROUND
    count, numbers, stats, _ = cv2.connectedComponentsWithStats((seen | (figure > FAINT)).view(np.uint8))
    area = np.bincount(numbers[seen], minlength=count)
    area[0] = 0
    sure = np.bincount(numbers[seen], weights=figure[seen], minlength=count) >= SURE * np.maximum(area, 1)
    left, top, wide, high = stats[:, : cv2.CC_STAT_AREA].T
    whole = (left > 0) & (top > 0) & (left + wide < seen.shape[1]) & (top + high < seen.shape[0])
    stands = (high >= STANDS * cell * wide) & (high <= FAR * seen.shape[0])
    if (sure & whole & stands & (area >= LEAST_PIECE * area.max())).any():
        area[~sure] = 0
    return stats[(area > 0) & (area >= LEAST_PIECE * area.max())]


def window(box: Box, aspect: float, size: tuple[int, ...]) -> Box:
    """Return the box with a margin, in the proportions `aspect` (height over width) if a photo of `size` allows."""
    wide, high = _extent(box.right - box.left, box.bottom - box.top, aspect)
    left, right = _span((box.left + box.right) / 2, wide, size[1])
    top, bottom = _span((box.top + box.bottom) / 2, high, size[0])
    return Box(left, top, right, bottom)


def _extent(width: float, height: float, aspect: float) -> tuple[float, float]:
    """Return width and height with a margin, in the proportions `aspect`."""
    width, height = (1 + 2 * MARGIN) * width, (1 + 2 * MARGIN) * height
    return max(width, height / aspect), max(height, width * aspect)


def blend_crop(
    crop_logits: npt.NDArray[np.float32], whole: npt.NDArray[np.float32], box: Box, size: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Blend the crop's logits with the whole photo's where the crop's edge is inside the photo.

    Args:
        crop_logits: (18, h, w) float32 logits of the crop `box` of the photo.
        whole: (18, n, m) float32 logits of the whole photo.
        box: in pixels of the photo.
        size: (H, W) of the photo.

    Returns:
        (18, h, w) float32 logits of the blended probabilities; `crop_logits` itself if the crop is the whole photo.
    """
    ends = (box.top > 0, box.bottom < size[0]), (box.left > 0, box.right < size[1])
    if not any(map(any, ends)):
        return crop_logits
    (rows, columns), down, across = crop_logits.shape[1:], whole.shape[1] / size[0], whole.shape[2] / size[1]
    weight = np.minimum(_rise(rows, *ends[0])[:, None], _rise(columns, *ends[1]))
    # maps the crop's cells to the whole photo's, centre to centre
    wide, high = across * (box.right - box.left) / columns, down * (box.bottom - box.top) / rows
    matrix = np.array([[wide, 0, box.left * across + wide / 2 - 0.5], [0, high, box.top * down + high / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    probabilities = softmax(crop_logits)
    for share, plane in zip(probabilities, softmax(whole), strict=True):
        first = cv2.warpAffine(plane, matrix, share.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
        share += (1 - weight) * (first - share)
    return as_logits(probabilities)


def _rise(length: int, at_start: bool, at_end: bool) -> npt.NDArray[np.float32]:
    """Return weights (length,) of cells along a side that rise from nearly 0 to 1 over `FADE` of it, at the given
    ends."""
    ramp = (np.arange(length, dtype=np.float32) + 0.5) / np.float32(FADE * length)
    weights = np.ones(length, np.float32)
    for asked, each in ((at_start, ramp), (at_end, ramp[::-1])):
        if asked:
            weights = np.minimum(weights, each)
    return weights


def paste(
    whole: npt.NDArray[np.uint8], crop_result: npt.NDArray[np.uint8], box: Box, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """Paste the crop's result over the whole photo's.

    Args:
        whole: (h, w) uint8, a label map or a coarser grid over a photo of `size`.
        crop_result: uint8, a grid over the crop `box` of the photo.
        box: in pixels of the photo.
        size: (H, W) of the photo.

    Returns:
        (h, w) uint8, a new array.
    """
    down, across = whole.shape[0] / size[0], whole.shape[1] / size[1]
    rows = slice(round(box.top * down), max(round(box.bottom * down), round(box.top * down) + 1))
    columns = slice(round(box.left * across), max(round(box.right * across), round(box.left * across) + 1))
    result = whole.copy()
    shape = result[rows, columns].shape
    result[rows, columns] = cv2.resize(crop_result, shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return result


def confidences(
    label_map: npt.NDArray[np.uint8], probability: npt.NDArray[np.uint8], count: int = len(ATR)
) -> npt.NDArray[np.float64]:
    """Return the mean probability of each class's pixels: (count,) float64, 0 for absent classes.

    Args:
        label_map: (H, W) uint8 class ids.
        probability: (h, w) uint8, a grid over the same photo; 255 is 1.
    """
    height, width = probability.shape
    labels = cv2.resize(label_map, (width, height), interpolation=cv2.INTER_NEAREST_EXACT).ravel()
    counts = np.bincount(labels, minlength=count)
    means = np.bincount(labels, weights=probability.ravel(), minlength=count) / np.maximum(counts, 1) / 255
    present = np.zeros(count, np.bool_)
    present[present_classes(label_map, count)] = True
    step = max(1, max(label_map.shape) // FINEST)
    for part in (label_map[::step, ::step], label_map):
        rare = np.flatnonzero(present & (counts < FEW)).tolist()
        if not rare:
            break
        found = np.flatnonzero(class_mask(part, rare))
        rows, columns = np.divmod(found, part.shape[1])
        weights = probability[rows * height // part.shape[0], columns * width // part.shape[1]]
        labels = part[rows, columns]
        finer = np.bincount(labels, minlength=count)
        total = np.bincount(labels, weights=weights, minlength=count)
        means[finer > 0] = total[finer > 0] / finer[finer > 0] / 255
        present &= finer == 0  # on to those that even the finer map misses
    return means


def _span(middle: float, length: float, limit: int) -> tuple[int, int]:
    """Return start and end of an interval around `middle`, moved to lie between 0 and `limit`."""
    length = min(round(length), limit)
    start = min(max(0, round(middle - length / 2)), limit - length)
    return start, start + length
