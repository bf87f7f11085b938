from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSemanticSegmentation

from clothseg.errors import ConfigError
from clothseg.labels import ATR
from clothseg.training.class_areas import LARGEST, Samples, area_biases, check_bias, match_class_areas
from clothseg.training.data.dataset import ParsingDataset
from clothseg.training.data.sources import load_labelled
from clothseg.training.model import build_processor


def areas(samples: Samples, bias: np.ndarray) -> np.ndarray:
    return np.bincount((samples.logits + bias[:, None]).argmax(axis=0), minlength=len(ATR))


@given(st.integers(0, 1000), st.sampled_from([1, 4, 10, 14, 17]), st.floats(0.3, 1.5))
def test_areas_of_a_class_with_too_high_logits_are_matched(seed: int, class_id: int, excess: float) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 1, 4, 9, 10, 14, 15, 17], 6000).astype(np.int64)
    logits = rng.normal(0, 1, (len(ATR), len(labels))).astype(np.float32)
    logits[labels, np.arange(len(labels))] += 2
    logits[class_id] += np.float32(excess)
    samples = Samples(logits, labels)
    wanted = np.bincount(labels, minlength=len(ATR))
    bias = area_biases(samples, ATR)
    assert bias[0] == 0 and np.abs(bias).max() <= LARGEST
    assert not bias[[2, 3, 5, 6, 7, 8, 11, 12, 13, 16]].any()  # classes that are not labelled
    assert all(bias[left] == bias[right] for left, right in ATR.pairs)
    group = next((list(pair) for pair in ATR.pairs if class_id in pair), [class_id])
    before, after = (
        abs(areas(samples, each)[group].sum() - wanted[group].sum()) for each in (np.zeros_like(bias), bias)
    )
    assert after <= max(before / 2, 150)


def test_biases_of_a_network_are_matched_on_labelled_photos(doll_data: Path, tiny_model: Path) -> None:
    model = AutoModelForSemanticSegmentation.from_pretrained(tiny_model)
    rows = ParsingDataset(load_labelled(doll_data / "train.parquet"), build_processor((64, 64)))
    name = check_bias(model)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    added = match_class_areas(model, rows, ATR)
    after = model.state_dict()
    assert added.any()
    torch.testing.assert_close(after[name], before[name] + torch.from_numpy(added))
    assert all(torch.equal(value, before[key]) for key, value in after.items() if key != name)


def test_a_network_without_a_bias_of_each_class_is_refused(tiny_model: Path) -> None:
    model = AutoModelForSemanticSegmentation.from_pretrained(tiny_model)
    model.decode_head.classifier.bias = None
    with pytest.raises(ConfigError, match="--match_class_areas does not work with segformer"):
        check_bias(model)
