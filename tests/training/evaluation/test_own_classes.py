"""Figures, tables and plots use the class names of any label set."""

import csv
import json
from pathlib import Path

import numpy as np

from clothseg.labels import ATR, LabelSet
from clothseg.training.evaluation.boundary import TOLERANCES
from clothseg.training.evaluation.calibration import BINS
from clothseg.training.evaluation.metrics import ClothesMetric, figures_of
from clothseg.training.evaluation.scoring import Scores, difference, only_class, report
from clothseg.training.publish import plots
from clothseg.training.publish.report import FILES, difference_text, report_text, write_report


OWN = LabelSet.of(["background", "top", "left sock", "right sock"], "own")
PLAIN = LabelSet.of(["background", "top", "skin"])


def scores(labels: LabelSet, rng: np.random.Generator, photos: int = 4) -> Scores:
    size = len(labels)
    matrices = [rng.integers(1, 50, (photos, size, size)) for _ in range(3)]
    calibration = np.ones((photos, BINS, 3))
    return Scores(
        [f"photo {number}" for number in range(photos)],
        matrices[0],
        matrices[1],
        rng.random((photos, len(TOLERANCES), size)),
        calibration,
        np.ones((size, BINS, 3)),
        matrices[2],
        labels,
    )


def test_metric_uses_the_given_classes(rng: np.random.Generator) -> None:
    truth, found = (rng.integers(0, 4, (2, 8, 8)) for _ in range(2))
    metric = ClothesMetric(OWN)
    metric.add_batch(predictions=found, references=truth)
    figures = metric.compute()
    same = truth == found
    assert figures["overall_accuracy"] == same.mean()
    assert figures["accuracy_left sock"] == same[truth == 2].mean()
    socks = (truth >= 2) & (found >= 2)
    assert figures["side_accuracy"] == same[socks].mean()
    assert not any(name in key for key in figures for name in ATR.foreground)


def test_label_sets_without_sides_have_no_side_figures(rng: np.random.Generator) -> None:
    figures = figures_of(rng.integers(0, 9, (5, 3, 3)), PLAIN)
    assert not any("side" in key for key in figures) and figures["iou_skin"].shape == (5,)
    found = report(scores(PLAIN, rng), resamples=10)
    text = report_text(found, PLAIN)
    assert "skin" in text and "side" not in text and "Hat" not in text
    assert "side" not in difference_text(found, found, difference(scores(PLAIN, rng), scores(PLAIN, rng), 10), PLAIN)


def test_report_files_use_class_names(rng: np.random.Generator, tmp_path: Path) -> None:
    measured = scores(OWN, rng)
    found = report(measured, resamples=10)
    assert "sock" in report_text(found, OWN) and found["reliability"].keys() == {"all", *OWN.names}
    write_report(tmp_path, measured, found)
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    with (tmp_path / "per_class.csv").open() as file:
        assert [row["class"] for row in csv.DictReader(file)] == list(OWN.names)
    assert "side_accuracy_sock" in json.loads((tmp_path / "figures.json").read_text())["own_size"]
    less = difference(measured, measured, resamples=10)
    plots.differences(less["own_size"], less["intervals"]["own_size"], ("a", "b"), tmp_path / "d.png", OWN)
    measured.own_size[:, :, 1:] = 0
    assert only_class(measured) == "background"
