"""Boundary F1 equals a loop over all pairs of boundary pixels, and has the expected values for simple shapes."""

import math

import numpy as np
import pytest
from paper_dolls import draw

from clothseg.training.evaluation.boundary import boundary_f1


Point = tuple[int, int]


def boundary(label_map: np.ndarray, index: int) -> list[Point]:
    """Pixels of the class with an annotated pixel of another class above, below, left or right."""
    height, width = label_map.shape
    found = []
    for y in range(height):
        for x in range(width):
            near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            inside = [label_map[v, u] for v, u in near if 0 <= v < height and 0 <= u < width]
            if label_map[y, x] == index and any(value not in (index, 255) for value in inside):
                found.append((y, x))
    return found


def near(point: Point, others: list[Point], tolerance: int) -> bool:
    return any((point[0] - y) ** 2 + (point[1] - x) ** 2 <= tolerance**2 for y, x in others)


def brute_force(truth: np.ndarray, prediction: np.ndarray, index: int, tolerance: int) -> float:
    prediction = np.where(truth == 255, 255, prediction)
    if index not in truth and index not in prediction:
        return float("nan")
    true, found = boundary(truth, index), boundary(prediction, index)
    if not true or not found:
        return 1.0 if not true and not found else 0.0
    recall = sum(near(point, found, tolerance) for point in true) / len(true)
    precision = sum(near(point, true, tolerance) for point in found) / len(found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def blobs(rng: np.random.Generator, shape: tuple[int, int], classes: list[int]) -> np.ndarray:
    """A map of rectangles."""
    label_map = np.full(shape, classes[0], np.uint8)
    for index in rng.choice(classes, 6):
        top, left = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        label_map[top : top + rng.integers(1, 9), left : left + rng.integers(1, 9)] = index
    return label_map


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [(19, 14), (1, 23), (16, 2)])
def test_boundary_f1_equals_brute_force(seed: int, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    truth, prediction = blobs(rng, shape, [0, 4, 9, 255]), blobs(rng, shape, [0, 4, 10])
    tolerances = (0, 1, 2, 5)
    scores = boundary_f1(truth, prediction, tolerances)
    assert scores.shape == (4, 18)
    for row, tolerance in enumerate(tolerances):
        for index in range(18):
            expected = brute_force(truth, prediction, index, tolerance)
            same = math.isclose(scores[row, index], expected, abs_tol=1e-12)
            assert same or (np.isnan(scores[row, index]) and np.isnan(expected)), (tolerance, index)


@pytest.mark.parametrize(("shift", "expected"), [(0, (1, 1)), (2, (1, 1)), (4, (0, 1)), (9, (0, 0))])
def test_shifted_edge_counts_within_the_tolerance(shift: int, expected: tuple[int, int]) -> None:
    truth, prediction = np.zeros((2, 30, 40), np.uint8)
    truth[:, :20], prediction[:, : 20 + shift] = 5, 5
    assert boundary_f1(truth, prediction)[:, 5].tolist() == list(expected)


def test_unannotated_pixels_are_ignored() -> None:
    truth = np.zeros((20, 20), np.uint8)
    truth[5:15, 5:15] = 5
    prediction = truth.copy()
    prediction[:, 10:] = 7  # wrong, but not annotated
    truth[:, 10:] = 255
    scores = boundary_f1(truth, prediction)
    assert (scores[:, [0, 5]] == 1).all() and np.isnan(scores[:, 7]).all()


def test_exact_prediction_scores_1_and_false_class_scores_0() -> None:
    truth = draw(3, 192, 128).mask
    shown = np.isin(np.arange(18), truth)
    scores = boundary_f1(truth, truth)
    assert (scores[:, shown] == 1).all() and np.isnan(scores[:, ~shown]).all()
    prediction, invented = truth.copy(), int(np.flatnonzero(~shown)[0])
    prediction[:3, :3] = invented
    assert (boundary_f1(truth, prediction)[:, invented] == 0).all()
