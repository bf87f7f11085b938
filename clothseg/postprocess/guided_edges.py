"""Upsample coarse logits to a label map whose borders follow the photo's edges.

The guided filter transfers each class's probabilities to the photo (clothseg/postprocess/guided_filter.py cites the
sources). It is fitted on a reduced copy and applied to the photo itself, only where several classes meet
(clothseg/postprocess/cell_argmax.py).
"""

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.postprocess.cell_argmax import ClassFit, argmax_of_fits, gap_shape
from clothseg.postprocess.class_pixels import present_classes
from clothseg.postprocess.guided_filter import Array, apply_linear, as_bands, averaged, fit_linear
from clothseg.postprocess.softmax import softmax
from clothseg.postprocess.upsample import best_classes


FIT_SIDE = 320
"""Least longer side of the copy whose colours the linear functions are fitted to; the photo is reduced by a whole
factor. Smaller photos are not reduced."""

CELL = 2
"""Side of the cells that get a function each, in pixels of the copy; in photos smaller than `FIT_SIDE`, each pixel is
a cell. Cells coarser than those of the logits would blur glasses and belts."""

RADIUS = 0.02
"""Radius of the filter's windows relative to the longer side: two or three cells of the logits."""

EPS = 3e-4
"""Contrast that counts as an edge, as in `guided_filter`."""

LEAST = 0.05
"""Smaller probabilities are set to 0, which limits each class to a box."""

FLAT = 0.26
"""If the likeliest class has a lower probability, thresholds shrink in proportion. Early in training no class reaches
them otherwise, and the best class should still win."""

_CANDIDATE = 0.2
"""Probability in a cell's mean colours from which a class can win nearby pixels. With 0.1, 0.002 % of the development
photos' pixels get another class."""


def follow_edges(logits: Array, photo: Image.Image | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Upsample logits to the photo's size along its edges, and return the best class of each pixel.

    In addition to the label map this takes about ten MB, for photos of any size.

    Args:
        logits: (C, h, w) float32, finite; C at most 255.
        photo: RGB, or (H, W, 3) uint8.

    Returns:
        (H, W) uint8 class ids; only classes that win somewhere in the logits.
    """
    picture = photo if isinstance(photo, Image.Image) else Image.fromarray(photo)
    size = (picture.height, picture.width)
    classes = np.array(present_classes(best_classes(logits), len(logits)), np.uint8)
    if len(classes) == 1:
        return np.full(size, classes[0], np.uint8)

    shrink, cell = reduction(size)
    rows, columns = (max(1, side // (shrink * cell)) for side in size)
    # Remaining pixels at the right and bottom, less than a cell, belong to the last cell.
    right, bottom = min(columns * shrink * cell, size[1]), min(rows * shrink * cell, size[0])
    guide = as_bands(np.asarray(picture.reduce(shrink, (0, 0, right, bottom))))
    fits = _fit_classes(guide, resize_probabilities(softmax(logits)[classes], size, shrink * cell))
    means = np.stack([averaged(band, (rows, columns)) for band in guide])
    candidates = _candidates(fits, means, gap_shape(size, shrink * cell))
    return argmax_of_fits(fits, candidates, classes, picture, shrink * cell)


def reduction(size: tuple[int, int]) -> tuple[int, int]:
    """Return how many pixels of a photo of `size` (H, W) a pixel of the copy covers, and how many of these a cell.

    Both are whole numbers, so that every cell covers the same number of pixels.
    """
    longer = max(size)
    return max(1, longer // FIT_SIDE), CELL if longer >= FIT_SIDE else 1


def resize_probabilities(probability: Array, size: tuple[int, int], shrink: int) -> Array:
    """Return the probabilities of the possible classes in each cell; they sum to 1.

    Args:
        probability: (C, h, w) float32 over a photo of `size` (H, W).
        shrink: side of a cell, in pixels of the photo.

    Returns:
        (C, max(1, H // shrink), max(1, W // shrink)) float32; small values are 0 (`LEAST`, `FLAT`).
    """
    rows, columns = (max(1, side // shrink) for side in size)
    down, across = (
        max(side, shrink) / shrink / cells for side, cells in zip(size, probability.shape[1:], strict=True)
    )
    # Averages are needed only for much fewer cells than logits, and OpenCV's are wrong where the other side grows.
    method = cv2.INTER_AREA if min(down, across) < 0.5 else cv2.INTER_LINEAR
    planes = np.empty((len(probability), rows, columns), np.float32)
    for plane, source in zip(planes, probability, strict=True):
        plane[...] = cv2.resize(source, None, fx=across, fy=down, interpolation=method)[:rows, :columns]
    likeliest = planes.max(axis=0)
    least = LEAST * np.minimum(1, likeliest / FLAT) if likeliest.min() < FLAT else LEAST
    planes *= planes > least
    planes /= np.maximum(planes.sum(axis=0), least)
    return planes


def _fit_classes(guide: Array, planes: Array) -> list[ClassFit]:
    """Return each class's linear functions of the guide (B, H, W), from the planes (C, h, w).

    The functions sum to 1, as the planes do, so those of the class with the largest area follow from the others.
    """
    largest = int(planes.sum(axis=(1, 2)).argmax())
    rest = np.zeros((*planes.shape[1:], len(guide) + 1), np.float32)
    rest[..., -1] = 1
    fits = []
    radius = max(1, round(RADIUS * max(planes.shape[1:])))
    for box, line in fit_linear(guide, [*planes[:largest], *planes[largest + 1 :]], radius, EPS):
        rest[box] -= line
        fits.append((box, line))
    fits.insert(largest, ((slice(0, len(rest)), slice(0, rest.shape[1])), rest))
    return fits


def _candidates(fits: list[ClassFit], guide: Array, gaps: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return (C, *gaps) uint8: 1 where a class can win. A class that is far from winning in all four cells around a
    gap, in their mean colours (B, h, w), does not win between them."""
    values = [apply_linear(line, guide[:, *box]) for box, line in fits]
    likeliest = np.zeros(guide.shape[1:], np.float32)
    for value, (box, _) in zip(values, fits, strict=True):
        np.maximum(likeliest[box], value, out=likeliest[box])
    threshold = _CANDIDATE * np.minimum(1, likeliest / FLAT)
    # between a row and a column more on each side, which repeat the outer cells
    likely = np.zeros((len(fits), gaps[0] + 1, gaps[1] + 1), np.uint8)
    rows, columns = threshold.shape
    for plane, value, (box, _) in zip(likely[:, 1 : rows + 1, 1 : columns + 1], values, fits, strict=True):
        np.greater(value, threshold[box], out=plane[box].view(np.bool_))
    likely[:, 0], likely[:, rows + 1 :] = likely[:, 1], likely[:, rows, None]
    likely[..., 0], likely[..., columns + 1 :] = likely[..., 1], likely[..., columns, None]
    likely = likely[:, 1:] | likely[:, :-1]
    likely = likely[..., 1:] | likely[..., :-1]
    candidates = np.zeros_like(likely)
    for candidate, near, (box, _) in zip(candidates, likely, fits, strict=True):
        # gaps whose four cells are in the box
        area = tuple(
            slice(part.start + (part.start > 0), part.stop if part.stop < cells else None)
            for part, cells in zip(box, threshold.shape, strict=True)
        )
        candidate[area] = near[area]
    return candidates
