"""The network's logits of a photo, stored compactly, so that corrections need no second pass."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.postprocess.geometry import Box


Evidence = tuple[tuple[Box, npt.NDArray[np.float16]], ...]
"""Boxes in pixels of a photo, and the logits (18, h, w) of each; later boxes cover earlier ones."""


LARGEST = 6e4
"""Largest logit that is stored, just below float16's limit."""


def as_evidence(logits: npt.NDArray[np.floating], box: Box) -> Evidence:
    """Return the evidence of the logits (18, h, w) of a box of a photo."""
    if logits.max() > LARGEST or logits.min() < -LARGEST:
        logits = np.clip(logits, -LARGEST, LARGEST)
    return ((box, _as_float16(logits)),)


def _as_float16(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float16]:
    """Round to float16; OpenCV takes a tenth of NumPy's time, and rounds the same."""
    flat = np.ascontiguousarray(values).reshape(len(values), -1)
    try:
        rounded: Any = cv2.add(flat, 0.0, dtype=cv2.CV_16F)  # type: ignore[call-overload]
        return np.asarray(rounded, np.float16).reshape(values.shape)
    except cv2.error:  # OpenCV 4 cannot
        return values.astype(np.float16)


def lay_out(evidence: Evidence, photo_size: tuple[int, int], grid_shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return the logits (18, *grid_shape) float32 of a whole photo of (W, H), interpolated bilinearly.

    The first box of the evidence is the whole photo.
    """
    down, across = grid_shape[0] / photo_size[1], grid_shape[1] / photo_size[0]
    made = np.zeros((len(evidence[0][1]), *grid_shape), np.float32)
    for box, logits in evidence:
        top, bottom = round(box.top * down), max(round(box.bottom * down), round(box.top * down) + 1)
        left, right = round(box.left * across), max(round(box.right * across), round(box.left * across) + 1)
        part = made[:, top:bottom, left:right]
        for plane, source in zip(part, logits.astype(np.float32), strict=True):
            plane[...] = cv2.resize(source, plane.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return made


def move(evidence: Evidence, left: int, top: int) -> Evidence:
    """Return the evidence of a crop in the coordinates of its photo; (left, top) is the crop's corner there."""
    return tuple(
        (Box(box.left + left, box.top + top, box.right + left, box.bottom + top), logits) for box, logits in evidence
    )


def turn_evidence_back(evidence: Evidence, rotation: int, turned_size: tuple[int, int]) -> Evidence:
    """Return the evidence of a photo from that of the photo turned clockwise by 0, 90, 180 or 270 degrees to (W,
    H)."""
    width, height = turned_size
    turned = []
    for box, logits in evidence:
        for _ in range(rotation // 90):
            logits = np.rot90(logits, axes=(1, 2))
        left, top, right, bottom = box
        box = {
            0: box,
            90: Box(top, width - right, bottom, width - left),
            180: Box(width - right, height - bottom, width - left, height - top),
            270: Box(height - bottom, left, height - top, right),
        }[rotation]
        turned.append((box, np.ascontiguousarray(logits)))
    return tuple(turned)
