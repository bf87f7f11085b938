"""Repeat photos with rare classes."""

import numpy as np
import numpy.typing as npt


def repeat_factor_indices(counts: npt.NDArray[np.int64], share: float, seed: int) -> npt.NDArray[np.int64]:
    """Return row numbers in which photos with rare classes are repeated.

    Source: repeat factor sampling (LVIS, Gupta et al., 2019). A class in a share f of the photos has the factor max(1,
    sqrt(share / f)); a photo has the largest factor of its classes. The fraction of a factor is drawn with `seed`.

    Args:
        counts: (N, 18) pixels of each class in each photo.
        share: classes in fewer photos than this are rare; 0 repeats nothing.
        seed: of the draw.

    Returns:
        (M,) int64, M at least N, sorted.
    """
    shown = counts > 0
    wanted = np.sqrt(share / np.maximum(shown.mean(axis=0), 1e-12)).clip(min=1)
    factors = np.where(shown, wanted, 1).max(axis=1)
    times = np.floor(factors + np.random.default_rng(seed).random(len(factors))).astype(np.int64)
    return np.repeat(np.arange(len(counts)), times)
