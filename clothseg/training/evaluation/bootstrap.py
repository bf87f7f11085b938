"""Bootstrap intervals over photos: how much a figure would change with other photos of the same kind.

Photos are resampled as a whole because the pixels of one photo are right or wrong together (Efron and Tibshirani, "An
introduction to the bootstrap", 1993, the percentile method).
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt


Figures = dict[str, npt.NDArray[np.float64]]

_BLOCK = 1 << 22
"""Weights drawn at once (32 MB), whatever the number of photos and resamples."""


def bootstrap_weights(photos: int, resamples: int, seed: int) -> Iterator[npt.NDArray[np.float64]]:
    """Yield how often each photo is drawn, when as many photos as there are are drawn with replacement; in blocks.

    Returns:
        Blocks (r, photos) whose rows each sum to `photos`; `resamples` rows in total. The same arguments give the same
        rows, so two models can be compared on them.
    """
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK // photos)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        yield rng.multinomial(photos, np.full(photos, 1 / photos), size=rows).astype(np.float64)


def resampled(
    figures: Callable[[npt.NDArray[np.float64]], Figures], photos: int, resamples: int, seed: int
) -> Figures:
    """Return the figures of `resamples` data sets drawn from the photos.

    Args:
        figures: weights (r, photos) to name -> values (r,).

    Returns:
        Name -> (resamples,).
    """
    blocks = [figures(weights) for weights in bootstrap_weights(photos, resamples, seed)]
    return {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}


def interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the middle 95 % of resampled values; NaN if a figure is never defined.

    Args:
        values: (R,), NaN where a resample has no pixel to take the figure from.
    """
    defined = values[~np.isnan(values)]
    if not defined.size:
        return float("nan"), float("nan")
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)
