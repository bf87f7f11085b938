"""Calibration: whether a probability of 0.8 is right in 8 of 10 pixels. Reliability histograms and expected
calibration error.

After Guo et al., "On calibration of modern neural networks" (ICML 2017): predictions are put into 15 bins of equal
width by their probability, and the error is the mean gap between a bin's share of right pixels and its mean
probability, weighted by the bin's pixels.
"""

import numpy as np
import numpy.typing as npt

from clothseg.labels import IGNORE, NUM_CLASSES


BINS = 15
"""Bin m of 0..14 holds probabilities in (m / 15, (m + 1) / 15]."""


def reliability(
    truth: npt.NDArray[np.uint8],
    prediction: npt.NDArray[np.uint8],
    probability: npt.NDArray[np.float32],
    count: int = NUM_CLASSES,
) -> npt.NDArray[np.float64]:
    """Count pixels by predicted class and probability. Histograms of parts can be added.

    Args:
        truth: class ids of any shape; 255 is ignored.
        prediction: class ids of the same shape.
        probability: of the predicted class, in (0, 1], of the same shape.
        count: number of classes.

    Returns:
        (count, 15, 3): pixels, right pixels, and sum of the probabilities, by predicted class and bin.
    """
    annotated = (truth != IGNORE).ravel()
    bins = np.ceil(probability.ravel() * np.float32(BINS)).astype(np.uint16)
    cell = prediction.ravel() * np.uint16(BINS) + bins - np.uint16(1)
    weights = (annotated, (truth == prediction).ravel(), np.where(annotated, probability.ravel(), 0))
    counts = [np.bincount(cell, weights=each, minlength=count * BINS).reshape(count, BINS) for each in weights]
    return np.stack(counts, axis=-1)


def calibration_error(histogram: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the expected calibration error.

    Args:
        histogram: (..., bins, 3) from `reliability`.

    Returns:
        (...) in [0, 1]; NaN if there are no pixels.
    """
    pixels, right, probability = np.moveaxis(histogram, -1, 0)
    with np.errstate(invalid="ignore"):
        return np.abs(right - probability).sum(axis=-1) / pixels.sum(axis=-1)
