"""Encode masks for COCO: run lengths, which are exact, and polygons, which more tools read."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt


Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]


def run_lengths(mask: Mask) -> dict[str, Any]:
    """Return COCO's compressed run lengths of an (H, W) bool mask: `size` [height, width] and `counts`, as text."""
    from pycocotools import mask as coco_mask

    encoded = coco_mask.encode(np.asfortranarray(mask.view(np.uint8)))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode("ascii")}


def polygons(mask: Mask, offset: tuple[int, int] = (0, 0), tolerance: float = 0.5) -> list[list[float]]:
    """Return COCO's polygons [x0, y0, x1, y1, ...] of an (h, w) bool mask, one for each connected piece.

    COCO's polygons have no holes: a hole is joined to the outline around it by a cut of no width.

    Args:
        mask: (h, w) bool.
        offset: (x, y) added to all points.
        tolerance: largest deviation of an outline in pixels, which reduces the number of points.
    """
    traced, tree = _traced(mask, offset, tolerance)
    made = []
    for number, (_, _, hole, parent) in enumerate(tree):
        if parent >= 0:
            continue
        ring = traced[number]
        while hole >= 0:
            ring = join_rings(ring, traced[hole])
            hole = tree[hole][0]
        made.append(ring.ravel().tolist())
    return made


def rings(mask: Mask, offset: tuple[int, int] = (0, 0), tolerance: float = 0.5) -> list[Points]:
    """Return the outlines of an (h, w) bool mask and of its holes, each (N, 2) x and y; arguments as of `polygons`.

    By the even-odd rule they fill the mask.
    """
    return _traced(mask, offset, tolerance)[0]


def _traced(mask: Mask, offset: tuple[int, int], tolerance: float) -> tuple[list[Points], list[list[int]]]:
    """Return all rings, and OpenCV's tree of them: next, previous, first hole and parent of each."""
    # Doubled in size, since OpenCV's outlines run through pixel centres, which are then only a quarter pixel inside.
    double = cv2.resize(mask.view(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, tree = cv2.findContours(double, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    found = [(_simpler(np.asarray(contour), 2 * tolerance) + 0.5) / 2 + offset for contour in contours]
    return found, tree[0].tolist() if tree is not None else []


def _simpler(contour: npt.NDArray[Any], tolerance: float) -> npt.NDArray[np.int32]:
    """Return the (N, 2) points of a contour, simplified if at least three remain."""
    fewer = cv2.approxPolyDP(contour, tolerance, True)
    return np.asarray(fewer if len(fewer) > 2 else contour, np.int32)[:, 0]


def join_rings(ring: Points, other: Points) -> Points:
    """Join a ring and a hole or another piece, each (N, 2), into one ring, by a cut of no width: from the point of the
    ring nearest to the other's first point."""
    here = int(((ring - other[0]) ** 2).sum(1).argmin())
    return np.concatenate([ring[: here + 1], other, other[:1], ring[here:]])
