"""Bootstrap intervals: deterministic, of the right width, and with the stated coverage."""

import numpy as np
import pytest

from clothseg.training.evaluation import bootstrap
from clothseg.training.evaluation.bootstrap import Figures, bootstrap_weights, interval, resampled


def mean_of(values: np.ndarray, weights: np.ndarray) -> Figures:
    return {"mean": weights @ values / weights.sum(axis=1)}


def bounds(values: np.ndarray, resamples: int = 1000, seed: int = 0) -> tuple[float, float]:
    found = resampled(lambda weights: mean_of(values, weights), len(values), resamples, seed)
    assert found["mean"].shape == (resamples,)
    return interval(found["mean"])


def test_each_resample_draws_all_photos_with_replacement() -> None:
    (weights,) = bootstrap_weights(7, 500, 0)
    assert weights.shape == (500, 7) and (weights.sum(axis=1) == 7).all() and (weights >= 0).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(7), abs=0.15)
    assert (weights == 0).mean() == pytest.approx((6 / 7) ** 7, abs=0.02)  # left out, with replacement


def test_interval_depends_on_seed_but_not_block_size(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = rng.normal(size=30)
    found = bounds(values)
    assert bounds(values) == found != bounds(values, seed=1)
    monkeypatch.setattr(bootstrap, "_BLOCK", 100)
    assert bounds(values) == pytest.approx(found, abs=1e-12)


def test_interval_is_as_wide_as_the_normal_approximation(rng: np.random.Generator) -> None:
    values = rng.normal(3, 2, 400)
    low, high = bounds(values, 4000)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.03)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.06)


def test_interval_coverage_is_near_95_percent(rng: np.random.Generator) -> None:
    covered = 0
    for trial in range(200):
        low, high = bounds(rng.exponential(size=60), 300, trial)
        covered += low <= 1 <= high
    assert 0.88 <= covered / 200 <= 0.99  # a little short of 95 % for a skewed figure of 60 photos


def test_undefined_resamples_are_ignored() -> None:
    values = np.array([np.nan, *np.linspace(0, 1, 101), np.nan])
    assert interval(values) == pytest.approx((0.025, 0.975))
    assert np.isnan(interval(np.full(3, np.nan))).all()
