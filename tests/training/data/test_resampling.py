"""Photos with rare classes are sampled more often."""

import numpy as np
import pytest

from clothseg.training.data.resampling import repeat_factor_indices


def test_photos_with_rare_classes_are_repeated() -> None:
    counts = np.zeros((100, 18), np.int64)
    counts[:, 0] = 1
    counts[:9, 1] = 5  # 9 % of the photos: sqrt(0.36 / 0.09) = 2 times
    counts[8:40, 2] = 5  # 32 %: sqrt(0.36 / 0.32) = 1.06 times; photo 8 follows the rarer class
    times = np.bincount(repeat_factor_indices(counts, 0.36, seed=0), minlength=100)
    assert (times[:9] == 2).all() and (times[40:] == 1).all() and set(times[9:40]) == {1, 2}
    assert times[9:40].mean() == pytest.approx(1.06, abs=0.1)
    assert (repeat_factor_indices(counts, 0, seed=0) == np.arange(100)).all()
    assert (repeat_factor_indices(counts, 0.36, seed=1) != repeat_factor_indices(counts, 0.36, seed=1)).sum() == 0
