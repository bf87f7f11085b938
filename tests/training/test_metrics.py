"""Figures equal a brute-force loop over pixels and the definitions of evaluate's mean_iou."""

import math

import evaluate
import numpy as np
import pytest

from clothseg.labels import NAMES
from clothseg.training.metrics import ClothesMetric, confusion_matrix, summarize


def random_maps(rng: np.random.Generator, classes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.choice([*classes, 255], (3, 11, 7)).astype(np.uint8)
    wrong = rng.choice(classes, truth.shape).astype(np.uint8)
    prediction = np.where((rng.random(truth.shape) < 0.6) & (truth != 255), truth, wrong)
    return truth, prediction


def brute_force(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """The definitions, pixel by pixel and class by class, with sets of pixels."""
    pixels = [(t, p) for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True) if t != 255]
    ious, accuracies = [], []
    for index in range(18):
        true = {i for i, (t, _) in enumerate(pixels) if t == index}
        found = {i for i, (_, p) in enumerate(pixels) if p == index}
        if true | found:
            ious.append(len(true & found) / len(true | found))
        if true:
            accuracies.append(len(true & found) / len(true))
    return {
        "mean_iou": sum(ious) / len(ious),
        "mean_accuracy": sum(accuracies) / len(accuracies),
        "overall_accuracy": sum(t == p for t, p in pixels) / len(pixels),
    }


@pytest.mark.parametrize("classes", [list(range(18)), [0, 3, 9, 10], [5]], ids=["all", "few", "one"])
def test_figures_equal_brute_force(rng: np.random.Generator, classes: list[int]) -> None:
    truth, prediction = random_maps(rng, classes)
    figures = summarize(confusion_matrix(truth, prediction))
    for key, expected in brute_force(truth, prediction).items():
        assert math.isclose(figures[key], expected, abs_tol=1e-12), key


def test_matrix_counts_each_pair(rng: np.random.Generator) -> None:
    truth, prediction = random_maps(rng, list(range(18)))
    matrix = confusion_matrix(truth, prediction)
    for row in range(18):
        for column in range(18):
            assert matrix[row, column] == ((truth == row) & (prediction == column)).sum()


def test_classes_that_nobody_shows_are_left_out_and_false_ones_count() -> None:
    truth, prediction = np.array([[0, 0, 4]], np.uint8), np.array([[0, 7, 4]], np.uint8)
    figures = summarize(confusion_matrix(truth, prediction))
    assert figures["mean_iou"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert figures["mean_accuracy"] == pytest.approx((0.5 + 1) / 2)
    assert "iou_Hat" not in figures and "accuracy_Dress" not in figures and figures["iou_Dress"] == 0


def test_sides_are_scored_among_pixels_with_the_right_part() -> None:
    left, right, leg = NAMES.index("Left-shoe"), NAMES.index("Right-shoe"), NAMES.index("Left-leg")
    truth = np.array([left, left, left, right, right], np.uint8)
    prediction = np.array([left, right, leg, right, 0], np.uint8)
    assert summarize(confusion_matrix(truth, prediction))["side_accuracy"] == pytest.approx(2 / 3)
    assert "side_accuracy" not in summarize(confusion_matrix(truth * 0, prediction * 0))


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), "differ in shape"),
        (np.full((2, 2), 18), np.zeros((2, 2)), "0..17"),
        (np.zeros((2, 2)), np.full((2, 2), -1), "0..17"),
    ],
)
def test_impossible_maps_are_refused(truth: np.ndarray, prediction: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(truth, prediction)


def test_metric_is_an_evaluate_metric_that_forgets_after_compute(rng: np.random.Generator) -> None:
    metric = ClothesMetric()
    assert isinstance(metric, evaluate.Metric)
    truth, prediction = random_maps(rng, [0, 4, 5])
    metric.add_batch(predictions=prediction[:2], references=truth[:2])
    metric.add(prediction=prediction[2], reference=truth[2])
    figures = metric.compute()
    assert figures == summarize(confusion_matrix(truth, prediction))
    assert metric.compute(predictions=prediction, references=truth) == figures
    combined = evaluate.combine([ClothesMetric()]).compute(predictions=prediction, references=truth)
    assert combined["mean_iou"] == figures["mean_iou"]
