"""Calibrate a trained model's areas of classes: on training photos, each class gets about as many pixels as are
labelled."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from clothseg.errors import ConfigError
from clothseg.labels import BACKGROUND, IGNORE, LabelSet
from clothseg.training.classifier import layer_of_classes
from clothseg.training.data.dataset import ParsingDataset
from clothseg.training.data.network_input import normalise


PHOTOS = 256
"""Most training photos that areas are counted on."""

STEPS, RATE = 30, 0.5
"""Corrections of the biases, and the share of the logarithm of an area's error that each takes back."""

LARGEST = 1.0
"""Largest change of a bias, either way: a factor of 2.7 on the odds of the class."""

SMOOTHING = 50
"""Pixels added to both areas of a class, so that a few pixels of a rare class change little."""


class Samples(NamedTuple):
    """Logits (C, n) float32 of every second row and column of cells of photos, and their labels (n,) int64, without
    ignored ones."""

    logits: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]


def check_bias(model: PreTrainedModel) -> str:
    """Return the name of the tensor that holds the bias of each class.

    Raises:
        ConfigError: the network has none, so `--match_class_areas` cannot change it.
    """
    for name, dimension in layer_of_classes(model).items():
        if dimension == 0 and model.state_dict()[name].dim() == 1 and name.endswith("classifier.bias"):
            return name
    raise ConfigError(
        f"--match_class_areas does not work with {model.config.model_type}, whose last layer has no bias of each "
        "class: leave the option out."
    )


def match_class_areas(model: PreTrainedModel, rows: ParsingDataset, labels: LabelSet) -> npt.NDArray[np.float32]:
    """Change the biases of the last layer so that classes get about the areas that are labelled.

    Weighted losses make rare classes too large, and large ones too small. Adding a constant to the logit of each
    class takes that back without a training step (prior correction: Saerens et al., 2002; for the long tail,
    Menon et al., 2021, "Long-tail learning via logit adjustment").

    Args:
        model: changed in place.
        rows: labelled training photos without augmentation; at most `PHOTOS` of them are used, evenly spaced.
        labels: the classes; both sides of a pair get the same bias.

    Returns:
        What was added to the bias of each class, (C,) float32.
    """
    name = check_bias(model)
    added = area_biases(_samples(model, rows), labels)
    bias = model.state_dict()[name]
    bias.add_(torch.from_numpy(added).to(bias))
    return added


def area_biases(samples: Samples, labels: LabelSet) -> npt.NDArray[np.float32]:
    """Return the bias (C,) float32 of each class at which areas match; 0 for the background, and for classes that are
    not labelled anywhere."""
    logits, count = samples.logits, len(labels)
    wanted = np.bincount(samples.labels, minlength=count).astype(np.float64)
    groups = _groups(labels)
    bias = np.zeros(count, np.float32)
    for _ in range(STEPS):
        found = np.bincount((logits + bias[:, None]).argmax(axis=0), minlength=count).astype(np.float64)
        for group in groups:
            if wanted[group].any():
                error = np.log((found[group].sum() + SMOOTHING) / (wanted[group].sum() + SMOOTHING))
                bias[group] = np.clip(bias[group] - RATE * error, -LARGEST, LARGEST)
    return bias


def _groups(labels: LabelSet) -> list[list[int]]:
    pairs = [list(pair) for pair in labels.pairs]
    paired = {BACKGROUND, *(index for pair in pairs for index in pair)}
    return [*pairs, *([index] for index in range(len(labels)) if index not in paired)]


@torch.inference_mode()
def _samples(model: PreTrainedModel, rows: ParsingDataset) -> Samples:
    device, training = model.device, model.training
    model.eval()
    logits, truths = [], []
    for index in np.unique(np.linspace(0, len(rows) - 1, min(PHOTOS, len(rows))).astype(int)):
        row = rows[int(index)]
        output: Any = model(pixel_values=normalise(row["pixel_values"][None].to(device), rows.processor))
        cells = output.logits[0, :, ::2, ::2].float().cpu().numpy()
        middles = (
            ((np.arange(count) + 0.5) * side / count).astype(int)
            for side, count in zip(row["labels"].shape, cells.shape[1:], strict=True)
        )
        truth = row["labels"].numpy()[np.ix_(*middles)].astype(np.int64)
        known = truth != IGNORE
        logits.append(cells[:, known])
        truths.append(truth[known])
    model.train(training)
    return Samples(np.concatenate(logits, axis=1), np.concatenate(truths))
