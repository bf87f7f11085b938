"""Reliability histograms and calibration error equal a loop over pixels."""

import math

import numpy as np
import pytest

from clothseg.training.evaluation.calibration import BINS, calibration_error, reliability


Maps = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def maps(rng: np.random.Generator) -> Maps:
    truth = rng.choice([0, 4, 9, 255], (13, 17)).astype(np.uint8)
    prediction = rng.choice([0, 4, 10], truth.shape).astype(np.uint8)
    probability = rng.uniform(1 / 18, 1, truth.shape).astype(np.float32)
    probability[0, :3] = 1, 1, np.float32(1 / 18)
    return truth, prediction, probability


def loop(maps: Maps, wanted: int | None = None) -> float:
    """The definition of Guo et al. over all annotated pixels, or those predicted as one class."""
    bins: list[list[tuple[bool, float]]] = [[] for _ in range(BINS)]
    for truth, prediction, probability in zip(*(part.ravel().tolist() for part in maps), strict=True):
        if truth != 255 and wanted in (None, prediction):
            (place,) = [m for m in range(BINS) if m / BINS < probability <= (m + 1) / BINS]
            bins[place].append((truth == prediction, probability))
    total = sum(map(len, bins))
    error = 0.0
    for held in filter(None, bins):
        accuracy = sum(right for right, _ in held) / len(held)
        confidence = sum(probability for _, probability in held) / len(held)
        error += len(held) / total * abs(accuracy - confidence)
    return error


def test_calibration_error_equals_a_loop(maps: Maps) -> None:
    histogram = reliability(*maps)
    assert histogram.shape == (18, BINS, 3) and histogram[..., 0].sum() == (maps[0] != 255).sum()
    assert math.isclose(calibration_error(histogram.sum(axis=0)), loop(maps), abs_tol=1e-12)
    by_class = calibration_error(histogram)
    for index in (0, 4, 10):
        assert math.isclose(by_class[index], loop(maps, index), abs_tol=1e-12)
    assert np.isnan(np.delete(by_class, [0, 4, 10])).all()


def test_histograms_of_parts_add_up(maps: Maps) -> None:
    halves = reliability(*(part[:6] for part in maps)) + reliability(*(part[6:] for part in maps))
    np.testing.assert_allclose(halves, reliability(*maps))


def test_calibration_error_is_zero_only_for_calibrated_probabilities(rng: np.random.Generator) -> None:
    probability = rng.uniform(0.2, 1, 200_000).astype(np.float32)
    truth = np.zeros(len(probability), np.uint8)
    prediction = (rng.random(len(probability)) > probability).astype(np.uint8)  # right that often
    calibrated = calibration_error(reliability(truth, prediction, probability).sum(axis=0))
    overconfident = calibration_error(reliability(truth, prediction, np.sqrt(probability)).sum(axis=0))
    assert calibrated < 0.01 and overconfident == pytest.approx((np.sqrt(probability) - probability).mean(), abs=0.01)
