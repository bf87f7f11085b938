"""Label maps whose borders follow the photo's, where the network's logits know only blocks of pixels.

The guided filter carries each class's probabilities over to the photo (clothseg/guided.py has its sources): fitted on
a small copy, applied to the photo itself, and only in windows where several classes meet.
"""

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.decision import probabilities
from clothseg.guided import apply, as_bands, fits, resize
from clothseg.upsample import mix, windows


FIT_SIDE = 320
"""Longer side of the copy on which the linear functions are fitted."""

RADIUS = 0.02
"""Of the filter's windows, relative to the longer side: two or three of the network's blocks."""

EPS = 3e-4
"""Contrast that counts as an edge, as in `guided_filter`."""

_LEAST = 0.02
"""Probabilities below count as none, which confines a class to the box that holds it."""

_HOPE = 0.15
"""Probability from which on a class may win nearby."""

_WINDOW = (64, 96)
"""Rows and columns of the photo that are done at once: few enough that most hold one class."""


def follow_edges(logits: npt.NDArray[np.float32], photo: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Upsample logits to the photo's size along its edges, and take the best class of each pixel.

    Beyond the label map itself some ten MB are used, whatever the photo's size.

    Args:
        logits: (C, h, w) float32, finite; C at most 255.
        photo: (H, W, 3) uint8 RGB.

    Returns:
        (H, W) uint8 class ids; only classes that are the best at some place of the logits.
    """
    height, width = photo.shape[:2]
    classes = np.unique(logits.argmax(axis=0)).astype(np.uint8)
    label_map = np.full((height, width), classes[0], np.uint8)
    if len(classes) == 1:
        return label_map

    shrink = max(1.0, max(height, width) / FIT_SIDE)
    rows, columns = (max(1, round(side / shrink)) for side in (height, width))
    guide = as_bands(cv2.resize(photo, (columns, rows), interpolation=cv2.INTER_AREA))
    planes = resize(probabilities(logits)[classes], (rows, columns))
    planes[planes < _LEAST] = 0
    lines = np.stack(list(fits(guide, planes, max(1, round(RADIUS * max(rows, columns))), EPS)))  # (C, 4, h, w)
    # what is far from winning on the small copy does not win on the photo
    near = np.ones((3, 3), np.uint8)
    present = np.stack([cv2.dilate((apply(line, guide) > _HOPE).view(np.uint8), near) for line in lines])
    for down, across in windows((rows, columns), (height, width), _WINDOW):
        found = np.flatnonzero(present[:, down.logits, across.logits].any(axis=(1, 2)))
        window = label_map[down.pixels, across.pixels]
        window[...] = classes[found[0]] if len(found) else classes[0]
        if len(found) < 2:
            continue
        bands = as_bands(photo[down.pixels, across.pixels])
        best = np.full(window.shape, -np.inf, np.float32)
        for index in found.tolist():
            factors = mix(mix(lines[index, :, down.logits, across.logits], across, axis=2), down, axis=1)
            plane = factors[3]
            for factor, band in zip(factors, bands, strict=False):
                factor *= band
                plane += factor
            window[plane > best] = classes[index]
            np.maximum(best, plane, out=best)
    return label_map
