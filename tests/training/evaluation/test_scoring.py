"""Scoring gives the figures of the library's own label maps, in constant memory."""

import io
import json
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from datasets import Dataset
from paper_dolls import draw, write_parquet
from PIL import Image
from torch import Tensor, from_numpy
from transformers import pipeline

from clothseg import Segmenter
from clothseg.errors import DataError
from clothseg.labels import LABEL2ID, NAMES
from clothseg.postprocess.pipeline import decode
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.sources import load_labelled
from clothseg.training.evaluation import scoring
from clothseg.training.evaluation.boundary import boundary_f1
from clothseg.training.evaluation.metrics import confusion_matrix, summarize
from clothseg.training.evaluation.scoring import Scores, difference, report, score
from clothseg.training.trainer import predicted_classes


@pytest.fixture(scope="module")
def rows(doll_data: Path) -> Dataset:
    return load_labelled(doll_data / "validation.parquet")


@pytest.fixture(scope="module")
def segmenter(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(tiny_model)


@pytest.fixture(scope="module")
def scores(segmenter: Segmenter, rows: Dataset) -> Scores:
    # Batches of 2, 2 and 1.
    return score(segmenter, rows, batch_size=2, edges="plain", zoom="off", orientation="upright")


def test_scores_equal_those_of_segmenter_label_maps(scores: Scores, segmenter: Segmenter, rows: Dataset) -> None:
    assert scores.ids == rows["id"] and scores.own_size.shape == scores.network_size.shape == (5, 18, 18)
    for index, row in enumerate(rows):
        photo, truth = decode_row(row)
        result = segmenter(photo, edges="plain", zoom="off", orientation="upright")
        # Logits of another batch may differ in the last digit, which can change a pixel on an edge.
        expected = confusion_matrix(truth, result.label_map)
        assert scores.own_size[index].sum() == truth.size
        assert np.abs(scores.own_size[index] - expected).sum() <= 0.001 * truth.size
        np.testing.assert_allclose(scores.boundary[index], boundary_f1(truth, result.label_map), atol=0.02)
        pixels, right, probability = scores.calibration[index].sum(axis=0)
        assert (pixels, right) == (truth.size, np.trace(scores.own_size[index]))
        mean = sum(result.areas[name] * value for name, value in result.confidence.items())
        assert probability / pixels == pytest.approx(mean, abs=1e-3)
    np.testing.assert_allclose(scores.class_calibration.sum(axis=0), scores.calibration.sum(axis=0))
    assert (scores.class_calibration[..., 0].sum(axis=1) == scores.own_size.sum(axis=(0, 1))).all()


def test_plain_figures_equal_the_transformers_pipeline(
    scores: Scores, tiny_model: Path, segmenter: Segmenter, rows: Dataset
) -> None:
    """For any options; with plain edges, no zoom crop and no rotation, the library's figures are the same."""
    assert (score(segmenter, rows).plain == scores.plain).all() and (scores.plain == scores.own_size).all()
    stock = pipeline("image-segmentation", model=str(tiny_model), device="cpu")
    for index, row in enumerate(rows):
        photo, truth = decode_row(row)
        label_map = np.zeros(truth.shape, np.uint8)
        for part in stock(Image.fromarray(photo), subtask="semantic"):
            label_map[np.asarray(part["mask"]) > 0] = LABEL2ID[part["label"]]
        expected = confusion_matrix(truth, label_map)
        assert np.abs(scores.plain[index] - expected).sum() <= 0.001 * truth.size


def test_default_figures_use_guided_edges(scores: Scores, segmenter: Segmenter, rows: Dataset) -> None:
    usual = score(segmenter, rows)
    for index, row in enumerate(rows):
        photo, truth = decode_row(row)
        expected = confusion_matrix(truth, segmenter(photo).label_map)
        assert np.abs(usual.own_size[index] - expected).sum() <= 0.001 * truth.size
    assert (usual.own_size != scores.own_size).any() and (usual.network_size == scores.network_size).all()
    np.testing.assert_allclose(usual.calibration, scores.calibration)


def test_network_size_figures_equal_training_evaluation(scores: Scores, segmenter: Segmenter, rows: Dataset) -> None:
    height, width = segmenter.image_size
    for index, row in enumerate(rows):
        photo, truth = decode_row(row)
        labels = cv2.resize(truth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        logits: Tensor = from_numpy(segmenter.engine(segmenter.pixels([segmenter(photo).photo])))
        predicted = predicted_classes(logits, from_numpy(labels)[None])[0].numpy()
        difference = np.abs(scores.network_size[index] - confusion_matrix(labels, predicted)).sum()
        assert difference <= 0.001 * labels.size


def test_report_is_json_with_intervals(scores: Scores) -> None:
    found = report(scores, resamples=200, seed=3)
    assert json.loads(json.dumps(found, allow_nan=False)) == found and report(scores, 200, 3) == found
    own = found["own_size"]
    for key, value in summarize(scores.own_size.sum(axis=0)).items():
        assert own[key] == pytest.approx(value, abs=1e-6)
    for index, name in enumerate(NAMES):
        key, values = f"boundary_f1_5px_{name}", scores.boundary[:, 1, index]
        assert (key in own) == (~np.isnan(values)).any()
        if key in own:
            assert own[key] == pytest.approx(np.nanmean(values), abs=1e-6)
    assert own["boundary_f1_2px"] == pytest.approx(np.nanmean(scores.boundary[:, 0], axis=1).mean(), abs=1e-6)
    assert own["boundary_f1_2px"] < own["boundary_f1_5px"]
    for group in ("own_size", "network_size"):
        assert found[group].keys() == found["intervals"][group].keys()
        for key in ("mean_accuracy", "overall_accuracy", "iou_Background"):
            low, high = found["intervals"][group][key]
            assert 0 <= low <= found[group][key] <= high <= 1
    pixels, right, probability = np.array(found["reliability"]["all"]).T
    error = (pixels * np.abs(right - probability)).sum() / pixels.sum()
    assert found["calibration"]["ece"] == pytest.approx(error, abs=1e-5)


def test_paired_difference_detects_a_small_consistent_gain(rng: np.random.Generator) -> None:
    hits = rng.uniform(0.5, 0.95, 60)  # photos differ a lot
    matrices = np.zeros((60, 18, 18), np.int64)
    matrices[:, 0, 0], matrices[:, 0, 4] = 10_000 * hits, 10_000 * (1 - hits)
    better = matrices.copy()
    better[:, 0, 0] += 100  # one in a hundred more, in each
    better[:, 0, 4] -= 100
    counts, edges = rng.random((60, 15, 3)), rng.random((60, 2, 18))
    one = Scores([str(i) for i in range(60)], better, better, edges, counts, rng.random((18, 15, 3)), better)
    other = replace(one, own_size=matrices, network_size=matrices)
    less = difference(one, other, 500)
    low, high = less["intervals"]["own_size"]["overall_accuracy"]
    assert 0.0099 < low <= less["own_size"]["overall_accuracy"] <= high < 0.0101
    wide = report(one, 500)["intervals"]["own_size"]["overall_accuracy"]
    assert wide[1] - wide[0] > 0.03
    same = difference(one, one, 100)
    assert not any(same["own_size"].values()) and not any(map(any, same["intervals"]["own_size"].values()))
    with pytest.raises(ValueError, match="different rows"):
        difference(one, replace(other, ids=other.ids[::-1]))


def test_memory_does_not_grow_with_photos(tmp_path: Path) -> None:
    write_parquet(tmp_path / "dolls.parquet", 4, seed=5, height=192, width=128)
    rows = load_labelled(tmp_path / "dolls.parquet")
    logits = np.random.default_rng(0).normal(size=(18, 16, 12)).astype(np.float32)

    def answer(photos: list[Any]) -> np.ndarray:
        return np.stack([logits] * len(photos))

    def read(photo: Any, logits: np.ndarray, options: Any) -> Any:
        return decode(photo, logits, options, infer=lambda _: logits, aspect=4 / 3)

    network: Any = SimpleNamespace(name="fake", image_size=(64, 48), logits=answer, decode=read)

    def peak(count: int) -> int:
        many = rows.select(np.arange(count) % len(rows))
        tracemalloc.start()
        assert len(score(network, many, 4).ids) == count
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(4)  # imports and caches
    assert (peak(44) - peak(4)) / 40 < 10_000 < 192 * 128  # bytes a photo: counts, not a label map


def test_masks_without_annotation_are_rejected(rows: Dataset, segmenter: Segmenter) -> None:
    row = rows[0]
    file = io.BytesIO()
    Image.fromarray(np.full(decode_row(row)[1].shape, 255, np.uint8)).save(file, "PNG")
    blank = Dataset.from_list([row | {"mask": {"bytes": file.getvalue(), "path": None}}])
    with pytest.raises(DataError, match="None of the 1 masks has an annotated pixel"):
        score(segmenter, blank)


def test_confusion_matrices_take_less_than_5_percent_of_scoring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parquet(tmp_path / "dolls.parquet", 2, seed=5, height=640, width=426)
    rows, segmenter = load_labelled(tmp_path / "dolls.parquet"), Segmenter.from_pretrained(device="cpu")
    segmenter(draw(0).image)
    spent = 0.0

    def timed(*maps: np.ndarray) -> np.ndarray:
        nonlocal spent
        started = time.process_time()
        matrix = confusion_matrix(*maps)
        spent += time.process_time() - started
        return matrix

    monkeypatch.setattr(scoring, "confusion_matrix", timed)
    started = time.process_time()
    score(segmenter, rows)
    assert 0 < spent < 0.05 * (time.process_time() - started)
