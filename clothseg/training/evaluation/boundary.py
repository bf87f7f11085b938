"""Boundary F1: whether the edges are in the right place. IoU hardly shows this, since it is dominated by the inside of
large items.

After Csurka et al., "What is a good evaluation measure for semantic segmentation?" (BMVC 2013): a class's boundary
pixels in the prediction are right if one of the truth's is within a tolerance (precision), those of the truth are
found if one of the prediction's is (recall), and the score is the harmonic mean. A boundary that only one of the two
has scores 0, as in the contour accuracy of DAVIS (Perazzi et al., CVPR 2016).
"""

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import IGNORE, NUM_CLASSES


TOLERANCES: tuple[int, ...] = (2, 5)
"""Tolerances in pixels, Euclidean, at the photo's own size."""


def boundary_f1(
    truth: npt.NDArray[np.uint8],
    prediction: npt.NDArray[np.uint8],
    tolerances: tuple[int, ...] = TOLERANCES,
    count: int = NUM_CLASSES,
) -> npt.NDArray[np.float64]:
    """Return the boundary F1 of each class in one photo.

    A boundary pixel belongs to the class and has a pixel of another class above, below, left or right of it. Pixels
    without annotation (255) and the photo's edge make no boundaries, in truth or prediction, since it is unknown where
    the class ends there.

    Args:
        truth: (H, W) class ids, 255 for pixels without annotation.
        prediction: (H, W) class ids.
        tolerances: largest distances in pixels that count as met.
        count: number of classes.

    Returns:
        (len(tolerances), count) in [0, 1]; NaN for a class that neither shows. A class without any boundary in
        both, for example one that fills the photo, scores 1.
    """
    maps = (truth, np.where(truth == IGNORE, truth, prediction))
    edges = [_edges(label_map) for label_map in maps]
    scores = np.full((len(tolerances), count), np.nan)
    for index in np.union1d(*map(_values, maps)):
        if index == IGNORE:
            continue
        masks = [(label_map == index).view(np.uint8) for label_map in maps]
        # Outside the box that holds the class in both maps there is nothing to measure.
        left, top, width, height = cv2.boundingRect(masks[0] | masks[1])
        box = slice(top, top + height), slice(left, left + width)
        lines = [mask[box] & edge[box] for mask, edge in zip(masks, edges, strict=True)]
        scores[:, index] = [_f1(lines[0], lines[1], tolerance) for tolerance in tolerances]
    return scores


def _values(label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """Return the sorted values in a label map; numpy's unique would sort all pixels."""
    return np.flatnonzero(cv2.calcHist([label_map], [0], None, [256], [0, 256]))


def _edges(label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return (H, W): 1 at annotated pixels with an annotated neighbour of another class, of four neighbours, else
    0."""
    edges = np.zeros(label_map.shape, np.uint8)
    for turned, lines in ((label_map, edges), (label_map.T, edges.T)):
        above, below = turned[:-1], turned[1:]
        differ = ((above != below) & (above != IGNORE) & (below != IGNORE)).view(np.uint8)
        lines[:-1] |= differ
        lines[1:] |= differ
    return edges


def _f1(truth: npt.NDArray[np.uint8], prediction: npt.NDArray[np.uint8], tolerance: int) -> float:
    """Return the harmonic mean of the shares of each line's pixels (1, else 0) near the other line."""
    counts = [cv2.countNonZero(line) for line in (truth, prediction)]
    if not all(counts):
        return float(not any(counts))
    disc = _disc(tolerance)
    recall = cv2.countNonZero(cv2.min(truth, cv2.dilate(prediction, disc))) / counts[0]
    precision = cv2.countNonZero(cv2.min(prediction, cv2.dilate(truth, disc))) / counts[1]
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _disc(radius: int) -> npt.NDArray[np.uint8]:
    """Return all offsets of at most `radius`; OpenCV's ellipse leaves some out."""
    offsets = np.arange(-radius, radius + 1)
    return (offsets[:, None] ** 2 + offsets**2 <= radius**2).astype(np.uint8)
