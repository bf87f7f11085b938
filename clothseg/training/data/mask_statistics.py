"""Measure masks: pixels, borders and positions of the classes, which reveal the masks' encoding."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clothseg.labels import IGNORE, NUM_CLASSES


GRID = 128
"""Longest side in pixels of the reduced copy in which positions are measured."""
MIN_PIXELS = 5
"""Least number of pixels of that copy for a class to have a position."""


class MaskStatistics(NamedTuple):
    """Statistics of N masks that reveal their encoding.

    Attributes:
        pixels: (N, C) int64, pixels of each class.
        ignored: (N,) int64, pixels of 255.
        border: (N, C + 1) int64, pixels of each class and of 255 along the border of a reduced copy.
        middle: (N, 2) int64, all pixels and pixels of 255 in the centre (half as wide and high) of that copy.
        places: (N, 2, C) float32, mean row and column of each class in that copy, NaN if it has too few pixels.
    """

    pixels: npt.NDArray[np.int64]
    ignored: npt.NDArray[np.int64]
    border: npt.NDArray[np.int64]
    middle: npt.NDArray[np.int64]
    places: npt.NDArray[np.float32]

    @classmethod
    def empty(cls, count: int, classes: int = NUM_CLASSES) -> "MaskStatistics":
        """Return statistics for `count` masks of so many classes, as if they had no pixels."""
        return cls(
            np.zeros((count, classes), np.int64),
            np.zeros(count, np.int64),
            np.zeros((count, classes + 1), np.int64),
            np.zeros((count, 2), np.int64),
            np.full((count, 2, classes), np.nan, np.float32),
        )

    def measure(self, index: int, mask: npt.NDArray[np.uint8]) -> None:
        """Set row `index` from a mask (H, W) uint8 of class ids and 255."""
        counts, classes = np.bincount(mask.ravel(), minlength=IGNORE + 1), self.pixels.shape[1]
        self.pixels[index], self.ignored[index] = counts[:classes], counts[IGNORE]
        step = max(1, -(-max(mask.shape) // GRID))
        small = np.minimum(mask[::step, ::step], classes)  # 255 becomes the id after the last
        height, width = small.shape
        rim = max(1, min(small.shape) // 32)
        ring = np.concatenate(
            [small[:rim].ravel(), small[-rim:].ravel(), small[:, :rim].ravel(), small[:, -rim:].ravel()]
        )
        self.border[index] = np.bincount(ring, minlength=classes + 1)
        middle = small[height // 4 : height - height // 4, width // 4 : width - width // 4]
        self.middle[index] = middle.size, np.count_nonzero(middle == classes)
        flat = small.ravel()
        known = np.bincount(flat, minlength=classes + 1)[:classes]
        for axis, along in enumerate(np.indices(small.shape).reshape(2, -1)):
            sums = np.bincount(flat, weights=along, minlength=classes + 1)[:classes]
            self.places[index, axis] = np.where(known >= MIN_PIXELS, sums / np.maximum(known, 1), np.nan)

    def at(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> "MaskStatistics":
        """Return the statistics of some rows."""
        chosen = np.asarray(rows, np.int64)
        return MaskStatistics(
            self.pixels[chosen], self.ignored[chosen], self.border[chosen], self.middle[chosen], self.places[chosen]
        )

    def put(self, rows: Sequence[int] | npt.NDArray[np.int64], others: "MaskStatistics") -> None:
        """Replace the statistics of some rows by those of the same number of others."""
        chosen = np.asarray(rows, np.int64)
        self.pixels[chosen], self.ignored[chosen], self.border[chosen] = others.pixels, others.ignored, others.border
        self.middle[chosen], self.places[chosen] = others.middle, others.places
