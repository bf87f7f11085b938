"""Narrow strips and small rests of a class that a click's region leaves over along the borders of the label map.

The label map's borders follow the photo's edges more closely than the region's border does, and users click whole
garments more often than parts. So where nearly all of a piece was taken, the rest is taken, too, and so are strips
beside the region.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt


Labels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

WIDTH = 0.006
"""Half the width of the widest strip, relative to the photo's longer side."""

LEAST = 0.2
"""Share of the region that a class must have for its strips to be taken."""

WHOLE = 0.7
"""Share of a piece from which all of it is taken."""

_SIDE = 800
"""Longer side of the copy on which they are searched, approximately; it is never larger than the photo."""


def take_remains(label_map: Labels, inside: Mask, class_id: int, kept: Sequence[tuple[int, int]] = ()) -> Mask:
    """Return a region (H, W) with the strips and rests that it left over.

    Args:
        label_map: (H, W) uint8 class ids before the click.
        inside: (H, W), the region.
        class_id: that the click gave.
        kept: rows and columns of pixels that other clicks gave other classes; their pieces are never taken as a whole.
    """
    shrink = max(1, round(max(label_map.shape) / _SIDE))
    small = np.ascontiguousarray(label_map[::shrink, ::shrink])
    found = np.ascontiguousarray(inside[::shrink, ::shrink])
    changed = np.bincount(small[found], minlength=256)
    changed[class_id] = 0
    taken = found.copy()
    for label in np.flatnonzero(changed).tolist():
        if changed[label] > LEAST * changed.sum():
            taken |= _strips(small == label, found)
    for label in np.flatnonzero(changed).tolist():
        _, pieces = cv2.connectedComponents((small == label).view(np.uint8), connectivity=4)
        size = np.bincount(pieces.ravel())
        whole = np.bincount(pieces[taken], minlength=len(size)) >= WHOLE * size
        whole[0] = False
        for row, column in kept:
            whole[pieces[row // shrink, column // shrink]] = False
        taken |= whole[pieces]
    taken &= changed[small] > 0
    new = np.where(taken & ~found, small, np.uint8(255))
    if shrink > 1:
        new = np.repeat(np.repeat(new, shrink, axis=0), shrink, axis=1)[: inside.shape[0], : inside.shape[1]]
    return inside | (new == label_map)


def _strips(own: Mask, found: Mask) -> Mask:
    """Pixels (h, w) of a class beside the part of it that is in the region, where what is left over is narrow."""
    radius = max(1, round(WIDTH * max(own.shape)))
    left, top, width, height = cv2.boundingRect(found.view(np.uint8))
    margin = 2 * radius + 2
    window = (
        slice(max(0, top - margin), top + height + margin),
        slice(max(0, left - margin), left + width + margin),
    )
    part, inside = own[window], found[window]
    rest = (part & ~inside).view(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    wide = cv2.morphologyEx(rest, cv2.MORPH_OPEN, disc)
    near = cv2.dilate((part & inside).view(np.uint8), np.ones((2 * radius + 1,) * 2, np.uint8))
    strips = np.zeros_like(own)
    strips[window] = ((rest > wide) & (near > 0)).astype(np.bool_)
    return strips
