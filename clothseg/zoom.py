"""A second, closer look at a small figure: where it is, and whether looking again pays.

The network sees a photo at one size. Of a figure that fills a third of the frame it sees a ninth of the pixels that it
was trained on; cut out with some air about it and looked at again, the figure has its usual size.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import BACKGROUND, NUM_CLASSES


PAYS_BELOW = 0.9
"""Sides of the figure's surroundings, as a share of the photo's, up to which a second look pays: its square is their
share of the area. Someone who stands in a wide photo fills its height, but the network squeezes it into its upright
input and sees of them as little."""

MARGIN = 0.15
"""Air about the figure on each side, as a share of its height or width."""

LEAST_PIECE = 0.1
"""Pieces below this share of the largest one are not the figure's: specks, and people far away."""

_SIDE = 320
"""Longest side, in pixels, of the map on which the figure is looked for. At 160 photos on the brink change sides."""


class Box(NamedTuple):
    """A window of a photo, in pixels: `right` and `bottom` are the first column and row outside, as PIL has it."""

    left: int
    top: int
    right: int
    bottom: int


def surroundings(label_map: npt.NDArray[np.uint8], aspect: float, below: float = PAYS_BELOW) -> Box | None:
    """Where to look again: the figure with air about it, in the network's proportions where the photo allows.

    Args:
        label_map: (H, W) uint8 class ids of a first look.
        aspect: height over width of the network's input.
        below: sides of the surroundings, as a share of the photo's, above which not to look again; where the two
            differ, the root of their product.

    Returns:
        None where there is nobody, or where the figure is large enough to have been seen well.
    """
    height, width = label_map.shape
    shrink = max(1.0, max(height, width) / _SIDE)  # numbering pieces takes four bytes a pixel
    small = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    figure = (cv2.resize(label_map, small, interpolation=cv2.INTER_NEAREST_EXACT) != BACKGROUND).view(np.uint8)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(figure, connectivity=8)
    figures = boxes[1:]
    if not len(figures):
        return None
    figures = figures[figures[:, cv2.CC_STAT_AREA] >= LEAST_PIECE * figures[:, cv2.CC_STAT_AREA].max()]
    left, top = figures[:, 0].min() * shrink, figures[:, 1].min() * shrink
    right, bottom = (figures[:, :2] + figures[:, 2:4]).max(axis=0) * shrink
    wide, high = _extent(right - left, bottom - top, aspect)
    across, down = min(1, wide / width), min(1, high / height)
    if across * down > below**2:
        return None
    return window(Box(int(left), int(top), int(right), int(bottom)), aspect, (height, width))


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
