"""Estimate how the pixels of a clip's frames move, and how well labels follow the motion.

Motion is estimated by dense inverse search (Kroeger, Timofte, Dai and Van Gool, "Fast optical flow using dense inverse
search", ECCV 2016), as implemented in OpenCV.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import BACKGROUND, IGNORE
from clothseg.postprocess.geometry import Box


Array = npt.NDArray[np.float32]

FLOW_SIDE = 320
"""Longer side of the grey copies used for motion."""

LIKENESS = 20.0
"""Grey difference, of 255, after motion at which trust falls to 1/e."""

CUT = 0.5
"""Mean trust below which two frames are of different scenes. Cuts in daylight have less, and changing sunlight has
more."""


class Motion(NamedTuple):
    """Motion from one frame to the next, on small copies of both.

    Attributes:
        flow: (h, w, 2) float32, where each of the later frame's pixels was before, relative to its position: x and y.
        trust: (h, w) float32, from 1 where the frames look alike after the motion, to 0.
    """

    flow: Array
    trust: Array


def grey_copy(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a small grey copy of a frame (H, W, 3) uint8 RGB, for `motion_between`."""
    shrink = max(1.0, max(frame.shape) / FLOW_SIDE)
    height, width = (max(16, round(side / shrink)) for side in frame.shape[:2])  # the flow wants a few pixels
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def motion_between(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> Motion | None:
    """Estimate the motion between two small grey frames (h, w) uint8; return None at a cut to another scene."""
    if before.shape != after.shape:
        return None
    # A new one each time: it holds buffers, and frames are prepared in several threads.
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = np.asarray(search.calc(after, before, np.zeros((*after.shape, 2), np.float32)), np.float32)
    moved = remap(before, places(after.shape) + flow)
    difference = cv2.GaussianBlur(np.abs(moved - after), (0, 0), 1.5)
    trust = np.exp(-((difference / np.float32(LIKENESS)) ** 2))
    return Motion(flow, trust) if trust.mean() >= CUT else None


def consistency(labels: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8], there: Array) -> float:
    """Return the share of a figure's pixels that keep the label of the frame before.

    Args:
        labels: (H, W) uint8 class ids.
        before: (H, W) uint8 class ids of the frame before.
        there: (H, W, 2) float32, position of each pixel in the frame before, x and y; NaN where it was not visible.

    Returns:
        0..1, over the pixels that were visible in both frames and are not Background in both; 1 if there are none.
    """
    columns, rows = cv2.split(np.nan_to_num(there, nan=-2.0))
    old = cv2.remap(before, columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=IGNORE)
    figure = (old != IGNORE) & ((labels != BACKGROUND) | (old != BACKGROUND))
    return float(np.mean(old[figure] == labels[figure])) if figure.any() else 1.0


def places(shape: tuple[int, ...]) -> Array:
    """Return (h, w, 2) float32: x and y of each pixel's centre, which are whole numbers."""
    rows, columns = np.indices(shape, np.float32)
    return np.stack([columns, rows], axis=2)


def to_frame(points: npt.NDArray[np.floating], box: Box, shape: tuple[int, ...]) -> Array:
    """Convert points (..., 2) of a map of `shape` (h, w) that covers `box` to points of the frame."""
    return np.asarray((points + 0.5) * _scale(box, shape) + (box.left - 0.5, box.top - 0.5), np.float32)


def from_frame(points: npt.NDArray[np.floating], box: Box, shape: tuple[int, ...]) -> Array:
    """The inverse of `to_frame`."""
    return np.asarray((points - (box.left - 0.5, box.top - 0.5)) / _scale(box, shape) - 0.5, np.float32)


def remap(plane: npt.NDArray[np.uint8] | Array, points: Array, border: int = cv2.BORDER_REPLICATE) -> Array:
    """Interpolate a map at points; beyond its edge, its edge values continue, or 0 (`BORDER_CONSTANT`)."""
    columns, rows = cv2.split(points)
    return np.asarray(cv2.remap(plane, columns, rows, cv2.INTER_LINEAR, borderMode=border), np.float32)


def _scale(box: Box, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    return np.array([(box.right - box.left) / shape[1], (box.bottom - box.top) / shape[0]])


class Steadiness:
    """Estimate how well labels follow the motion from frame to frame, without ground truth."""

    def __init__(self) -> None:
        """Start a clip."""
        self._before: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]] | None = None
        self._figures: list[float] = []

    def add(self, frame: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> None:
        """Add the next frame (H, W, 3) uint8 RGB with its labels (H, W) uint8."""
        grey = grey_copy(frame)
        small = np.asarray(cv2.resize(labels, grey.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
        if self._before and (motion := motion_between(self._before[0], grey)):
            there = places(grey.shape) + motion.flow
            there[motion.trust < 0.5] = np.nan
            self._figures.append(consistency(small, self._before[1], there))
        self._before = grey, small

    @property
    def mean(self) -> float:
        """Return the mean `consistency` (0..1) of the frames that follow another, without cuts; NaN if there are
        none."""
        return float(np.mean(self._figures)) if self._figures else float("nan")
