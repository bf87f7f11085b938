"""Places in a photo."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt


class Box(NamedTuple):
    """A box in a photo, in pixels: `right` and `bottom` are the first column and row outside, as in PIL."""

    left: int
    top: int
    right: int
    bottom: int


def deepest_point(mask: npt.NDArray[np.bool_]) -> tuple[int, int, float]:
    """Return (x, y, depth) of the pixel of an (H, W) mask that is farthest from its outline.

    The picture's edge counts as outline. The depth is in pixels; 0 if the mask is empty.
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    if not width:
        return 0, 0, 0.0
    inside = np.pad(mask[top : top + height, left : left + width].view(np.uint8), 1)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return left + int(x), top + int(y), float(depth[y, x])
