"""A second, closer look at a small figure: where it is, and whether looking again pays.

The network sees a photo at one size. Of a figure that fills a third of the frame it sees a ninth of the pixels that it
was trained on; cut out with some air about it and looked at again, the figure has its usual size.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import BACKGROUND, NUM_CLASSES
from clothseg.postprocess.softmax import as_logits, softmax


PAYS_BELOW = 0.9
"""Sides of the figure's surroundings, as a share of the photo's, up to which a second look pays: its square is their
share of the area. Someone who stands in a wide photo fills its height, but the network squeezes it into its upright
input and sees of them as little."""

MARGIN = 0.15
"""Air about the figure on each side, as a share of its height or width."""

FADE = 0.06
"""Width of the edge, as a share of the window's height or width, over which a closer look fades into the first one:
half of the air about the figure."""

LEAST_PIECE = 0.1
"""Pieces below this share of the largest one are not the figure's: specks, and people far away."""

FAINT = 0.4
"""Probability that a pixel is not background from which on it is the figure's if it hangs on pixels that are seen."""

SURE = 0.9
"""Mean of that probability over a piece from which on it is surely a figure's."""

FAR = 0.5
"""Height of someone, as a share of the photo's, up to which they are far off and things are mistaken for people."""

STANDS = 1.2
"""Height over width of a piece from which on it may be someone who stands. Where such a one is surely seen, and whole,
pieces of which the network is not sure are things: of a figure of a few cells benches and walls may have more."""


class Box(NamedTuple):
    """A window of a photo, in pixels: `right` and `bottom` are the first column and row outside, as PIL has it."""

    left: int
    top: int
    right: int
    bottom: int


def find_zoom_crop(
    logits: npt.NDArray[np.float32], size: tuple[int, int], aspect: float, below: float = PAYS_BELOW
) -> Box | None:
    """Where to look again: the figure with air about it, in the network's proportions where the photo allows.

    Args:
        logits: (18, h, w) float32 of a first look at the whole photo. Not its label map: borders that follow the
            photo's edges eat into figures of a few cells.
        size: (H, W) of the photo.
        aspect: height over width of the network's input.
        below: sides of the surroundings, as a share of the photo's, above which not to look again; where the two
            differ, the root of their product.

    Returns:
        None where there is nobody, or where the figure is large enough to have been seen well.
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
    """Rows of OpenCV's statistics, in cells, of the pieces that are the figure's.

    Args:
        logits: (18, h, w) float32.
        cell: width over height of a cell, in pixels of the photo.
    """
    figure = 1 - softmax(logits)[BACKGROUND]
    seen = logits.argmax(axis=0) != BACKGROUND
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
    """The box with air about it, in the proportions `aspect` (height over width) where a photo of `size` allows."""
    wide, high = _extent(box.right - box.left, box.bottom - box.top, aspect)
    left, right = _span((box.left + box.right) / 2, wide, size[1])
    top, bottom = _span((box.top + box.bottom) / 2, high, size[0])
    return Box(left, top, right, bottom)


def _extent(width: float, height: float, aspect: float) -> tuple[float, float]:
    """Width and height with air about them, in the proportions `aspect`."""
    width, height = (1 + 2 * MARGIN) * width, (1 + 2 * MARGIN) * height
    return max(width, height / aspect), max(height, width * aspect)


def blend_crop(
    nearer: npt.NDArray[np.float32], whole: npt.NDArray[np.float32], box: Box, size: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Let a closer look fade into the first one where its window ends inside the photo.

    Args:
        nearer: (18, h, w) float32 logits of the part of the photo in `box`.
        whole: (18, n, m) float32 logits of the first look at the whole photo.
        box: in pixels of the photo.
        size: (H, W) of the photo.

    Returns:
        (18, h, w) float32 logits of the mixed probabilities; `nearer` itself if the window is the photo.
    """
    ends = (box.top > 0, box.bottom < size[0]), (box.left > 0, box.right < size[1])
    if not any(map(any, ends)):
        return nearer
    (rows, columns), down, across = nearer.shape[1:], whole.shape[1] / size[0], whole.shape[2] / size[1]
    weight = np.minimum(_rise(rows, *ends[0])[:, None], _rise(columns, *ends[1]))
    # from the window's cells to the whole photo's, centre to centre
    wide, high = across * (box.right - box.left) / columns, down * (box.bottom - box.top) / rows
    matrix = np.array([[wide, 0, box.left * across + wide / 2 - 0.5], [0, high, box.top * down + high / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    probabilities = softmax(nearer)
    for share, plane in zip(probabilities, softmax(whole), strict=True):
        first = cv2.warpAffine(plane, matrix, share.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
        share += (1 - weight) * (first - share)
    return as_logits(probabilities)


def _rise(length: int, at_start: bool, at_end: bool) -> npt.NDArray[np.float32]:
    """Weights of cells along a side: from nearly 0 to 1 over `FADE` of it, at the ends that are asked for."""
    way = (np.arange(length, dtype=np.float32) + 0.5) / np.float32(FADE * length)
    weights = np.ones(length, np.float32)
    for asked, each in ((at_start, way), (at_end, way[::-1])):
        if asked:
            weights = np.minimum(weights, each)
    return weights


def paste(
    whole: npt.NDArray[np.uint8], closer: npt.NDArray[np.uint8], box: Box, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """Lay what a closer look says over what the first one said.

    Args:
        whole: (h, w) uint8, a grid over a photo of `size`; label maps are of that size themselves.
        closer: uint8, a grid over the part of the photo in `box`.
        box: in pixels of the photo.
        size: (H, W) of the photo.

    Returns:
        (h, w) uint8, a new array.
    """
    down, across = whole.shape[0] / size[0], whole.shape[1] / size[1]
    rows = slice(round(box.top * down), max(round(box.bottom * down), round(box.top * down) + 1))
    columns = slice(round(box.left * across), max(round(box.right * across), round(box.left * across) + 1))
    both = whole.copy()
    shape = both[rows, columns].shape
    both[rows, columns] = cv2.resize(closer, shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return both


def confidences(
    label_map: npt.NDArray[np.uint8],
    probability: npt.NDArray[np.uint8],
    possible: npt.NDArray[np.integer] | None = None,
) -> npt.NDArray[np.float64]:
    """Mean probability of each class's pixels: (18,) float64, 0 for absent classes.

    Args:
        label_map: (H, W) uint8 class ids.
        probability: (h, w) uint8, a grid over the same photo; 255 is 1.
        possible: the only classes that the label map can hold, where that is known: spares a look at all its pixels.
    """
    height, width = probability.shape
    labels = cv2.resize(label_map, (width, height), interpolation=cv2.INTER_NEAREST_EXACT).ravel()
    counts = np.bincount(labels, minlength=NUM_CLASSES)
    means = np.bincount(labels, weights=probability.ravel(), minlength=NUM_CLASSES) / np.maximum(counts, 1) / 255
    if possible is None:
        present = cv2.calcHist([label_map], [0], None, [256], [0, 256]).ravel()[:NUM_CLASSES] > 0
    else:
        present = np.isin(np.arange(NUM_CLASSES), possible)
    for class_id in np.flatnonzero(present & (counts == 0)).tolist():  # too small for the grid
        row, column = np.unravel_index((label_map == class_id).argmax(), label_map.shape)
        if label_map[row, column] == class_id:
            means[class_id] = probability[row * height // len(label_map), column * width // label_map.shape[1]] / 255
    return means


def _span(middle: float, length: float, limit: int) -> tuple[int, int]:
    """Start and end of a stretch about `middle`, moved to lie within 0 and `limit`."""
    length = min(round(length), limit)
    start = min(max(0, round(middle - length / 2)), limit - length)
    return start, start + length
