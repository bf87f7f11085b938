"""Figures equal a brute-force loop over pixels and the definitions of evaluate's mean_iou."""

import math

import evaluate
import numpy as np
import pytest

from clothseg.labels import NAMES, SIDE_PAIRS
from clothseg.training.evaluation.metrics import ClothesMetric, confusion_matrix, figures_of, pair_name, summarize


def random_maps(rng: np.random.Generator, classes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.choice([*classes, 255], (3, 11, 7)).astype(np.uint8)
    wrong = rng.choice(classes, truth.shape).astype(np.uint8)
    prediction = np.where((rng.random(truth.shape) < 0.6) & (truth != 255), truth, wrong)
    return truth, prediction


def brute_force(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """The definitions with sets of pixels, class by class; undefined figures are omitted."""
    pixels = [(t, p) for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True) if t != 255]
    figures: dict[str, float] = {}
    for index, name in enumerate(NAMES):
        true = {i for i, (t, _) in enumerate(pixels) if t == index}
        found = {i for i, (_, p) in enumerate(pixels) if p == index}
        both = len(true & found)
        if true | found:
            figures |= {f"iou_{name}": both / len(true | found), f"f1_{name}": 2 * both / (len(true) + len(found))}
        if true:
            figures[f"accuracy_{name}"] = both / len(true)
        if found:
            figures[f"precision_{name}"] = both / len(found)
    for kind in ("iou", "accuracy", "f1"):
        values = [value for key, value in figures.items() if key.startswith(f"{kind}_")]
        figures[f"mean_{kind}"] = sum(values) / len(values)
    without = [figures[f"iou_{name}"] for name in NAMES[1:] if f"iou_{name}" in figures]
    if without:
        figures["mean_iou_no_background"] = sum(without) / len(without)
    figures["overall_accuracy"] = sum(t == p for t, p in pixels) / len(pixels)

    sided: list[bool] = []
    for pair in SIDE_PAIRS:
        as_part = [(t, t == p) for t, p in pixels if t in pair and p in pair]
        for key, hits in (
            (pair_name(pair), [hit for _, hit in as_part]),
            *((NAMES[side], [hit for t, hit in as_part if t == side]) for side in pair),
        ):
            if hits:
                figures[f"side_accuracy_{key}"] = sum(hits) / len(hits)
        sided += [hit for _, hit in as_part]
    if sided:
        figures["side_accuracy"] = sum(sided) / len(sided)
    return figures


def mean_iou_script(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """The definitions of `evaluate`'s mean_iou script (ignore_index 255), by histograms of each map."""
    intersection, union, label = np.zeros(18), np.zeros(18), np.zeros(18)
    for one_truth, one_prediction in zip(truth, prediction, strict=True):
        kept = one_truth != 255
        labels, predicted = one_truth[kept], one_prediction[kept]
        areas = [
            np.histogram(ids, bins=18, range=(0, 17))[0] for ids in (predicted[predicted == labels], predicted, labels)
        ]
        intersection += areas[0]
        union += areas[1] + areas[2] - areas[0]
        label += areas[2]
    with np.errstate(invalid="ignore"):
        iou, accuracy = intersection / union, intersection / label
    each = {f"iou_{name}": iou[i] for i, name in enumerate(NAMES)}
    each |= {f"accuracy_{name}": accuracy[i] for i, name in enumerate(NAMES)}
    totals = {"mean_iou": np.nanmean(iou), "mean_accuracy": np.nanmean(accuracy)}
    return totals | {"overall_accuracy": intersection.sum() / label.sum()} | each


CLASSES = pytest.mark.parametrize(
    "classes", [list(range(18)), [0, 3, 9, 10], [5], [0, 12, 14]], ids=["all", "few", "one", "left"]
)


@CLASSES
def test_figures_equal_brute_force(rng: np.random.Generator, classes: list[int]) -> None:
    truth, prediction = random_maps(rng, classes)
    figures = figures_of(confusion_matrix(truth, prediction))
    expected = brute_force(truth, prediction)
    for key, value in figures.items():
        assert math.isclose(value, expected[key], abs_tol=1e-12) if key in expected else np.isnan(value), key
    assert set(expected) <= set(figures)


@CLASSES
def test_figures_equal_evaluates_mean_iou(rng: np.random.Generator, classes: list[int]) -> None:
    truth, prediction = random_maps(rng, classes)
    figures = figures_of(confusion_matrix(truth, prediction))
    for key, expected in mean_iou_script(truth, prediction).items():
        assert math.isclose(figures[key], expected, abs_tol=1e-12) or (
            np.isnan(figures[key]) and np.isnan(expected)
        ), key


def test_batched_matrices_give_the_same_figures(rng: np.random.Generator) -> None:
    matrices = rng.integers(0, 3, (4, 5, 18, 18)) * (rng.random((4, 5, 18, 18)) < 0.1)
    figures = figures_of(matrices)
    for place in np.ndindex(4, 5):
        for key, value in figures_of(matrices[place]).items():
            np.testing.assert_equal(figures[key][place], value)


def test_summary_has_only_defined_logged_figures(rng: np.random.Generator) -> None:
    matrix = confusion_matrix(*random_maps(rng, [0, 4, 9]))
    summary, figures = summarize(matrix), figures_of(matrix)
    assert all(summary[key] == figures[key] for key in summary)
    assert {"mean_iou", "side_accuracy", "iou_Upper-clothes", "accuracy_Left-shoe"} <= set(summary)
    assert "iou_Hat" not in summary and "precision_Background" not in summary


def test_confusion_matrix_counts_each_pair(rng: np.random.Generator) -> None:
    truth, prediction = random_maps(rng, list(range(18)))
    matrix = confusion_matrix(truth, prediction)
    for row in range(18):
        for column in range(18):
            assert matrix[row, column] == ((truth == row) & (prediction == column)).sum()


def test_absent_classes_are_omitted_and_false_positives_count() -> None:
    truth, prediction = np.array([[0, 0, 4]], np.uint8), np.array([[0, 7, 4]], np.uint8)
    figures = summarize(confusion_matrix(truth, prediction))
    assert figures["mean_iou"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert figures["mean_accuracy"] == pytest.approx((0.5 + 1) / 2)
    assert "iou_Hat" not in figures and "accuracy_Dress" not in figures and figures["iou_Dress"] == 0


def test_side_accuracy_counts_pixels_with_the_right_part() -> None:
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
        (np.zeros((2, 2)), np.full((2, 2), 255), "0..17"),
        (np.full((2, 2), 256), np.zeros((2, 2)), "0..17"),
        (np.zeros((2, 2)), np.full((2, 2), -1), "0..17"),
    ],
)
def test_invalid_maps_raise_value_error(truth: np.ndarray, prediction: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(truth, prediction)


def test_evaluate_metric_resets_after_compute(rng: np.random.Generator) -> None:
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
