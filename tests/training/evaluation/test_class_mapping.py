"""Data sets and models with different classes are scored on their shared classes."""

from pathlib import Path

import numpy as np
import pytest
from own_classes import OWN_NAMES, TO_OWN, write_own_folders

from clothseg import Segmenter
from clothseg.errors import ConfigError
from clothseg.labels import ATR, CIHP, FASHN, IGNORE, KNOWN, LIP, LabelSet
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_split
from clothseg.training.evaluation.class_mapping import map_classes
from clothseg.training.evaluation.metrics import confusion_matrix
from clothseg.training.evaluation.scoring import report, score


OWN = LabelSet.of(["background", "top", "bottom", "dress", "shoes", "skin"])


@pytest.mark.parametrize("labels", [*KNOWN.values(), OWN])
def test_same_classes_map_to_themselves(labels: LabelSet) -> None:
    found = map_classes(labels, [labels, labels])
    assert found.models[0].labels.names == labels.names and not found.lines
    for table in found.models[1][1:3]:
        assert (table[: len(labels)] == np.arange(len(labels))).all()


@pytest.mark.parametrize("data", [ATR, LIP, FASHN, OWN])
@pytest.mark.parametrize("models", [(ATR,), (FASHN,), (LIP, FASHN), (CIHP, ATR), (FASHN, LIP, ATR)])
def test_mapping_tables_are_consistent(data: LabelSet, models: tuple[LabelSet, ...]) -> None:
    found = map_classes(data, models)
    size = len(found.models[0].labels)
    for model, mapping in zip(models, found.models, strict=True):
        assert mapping.labels is found.models[0].labels and (mapping.truth is found.models[0].truth)
        assert mapping.truth[0] == mapping.prediction[0] == 0
        assert set(np.unique(mapping.truth[: len(data)])) - {IGNORE} == set(range(size))
        assert set(np.unique(mapping.prediction[: len(model)])) == set(range(size))
        assert (mapping.prediction[len(model) :] == 0).all() and (mapping.truth[len(data) :] == IGNORE).all()
        for name in set(data.names) & set(model.names):
            place = mapping.truth[data.label2id[name]]
            assert place in (IGNORE, mapping.prediction[model.label2id[name]])


def test_finer_classes_are_merged_for_all_models() -> None:
    found = map_classes(ATR, [FASHN, ATR])
    fashn, atr = found.models
    legs = [atr.prediction[ATR.label2id[name]] for name in ("Left-leg", "Right-leg")]
    assert legs[0] == legs[1] == fashn.prediction[FASHN.label2id["legs"]] != 0
    assert fashn.prediction[FASHN.label2id["jewelry"]] == 0
    assert any("jewelry" in line and line.startswith("counted as Background") for line in found.lines)
    assert any("Left-leg + Right-leg = legs" in line for line in found.lines)


def test_label_sets_without_shared_classes_raise_config_error() -> None:
    with pytest.raises(
        ConfigError, match="share no class but the background: background, bag against background, hair"
    ):
        map_classes(LabelSet.of(["background", "bag"]), [LabelSet.of(["background", "hair"])])


def test_model_is_scored_on_shared_classes(tiny_model: Path, tmp_path: Path) -> None:
    folder = write_own_folders(tmp_path, {"val": 3}, size=(64, 48))
    segmenter = Segmenter.from_pretrained(tiny_model)
    _, rows, _, classes = load_split(str(folder))
    (mapping,) = map_classes(classes.labels, [ATR]).models
    assert mapping.labels.names == OWN_NAMES
    scores = score(segmenter, rows, classes=classes, mapping=mapping)
    assert scores.labels is mapping.labels
    expected = np.zeros((6, 6), np.int64)
    for row in rows:
        photo, truth = decode_row(row, classes)
        ids = segmenter(photo).label_map
        found = TO_OWN[ids]
        found[np.isin(ids, ATR.ids_of(["Scarf", "Belt"]))] = 0  # no class of the data
        expected += confusion_matrix(truth, found, 6)
    assert (scores.own_size.sum(axis=0) == expected).all()
    figures = report(scores, resamples=10)
    assert "iou_shoes" in figures["own_size"] and "iou_Hat" not in figures["own_size"]
