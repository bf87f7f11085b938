"""Fit the last layer of a loaded network, which has an output for each class, to the classes to learn."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSemanticSegmentation, PreTrainedModel

from clothseg.labels import LabelSet
from clothseg.labels.roles import find_background, words_of


def stated_classes(folder: str) -> tuple[str, ...]:
    """Return the names in a model folder's configuration, in the order of the outputs; empty for a configuration
    without names of its own."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    names = tuple(str(config.id2label[index]) for index in sorted(config.id2label))
    return () if all(name.startswith("LABEL_") for name in names) else names


def fit_classifier(model: PreTrainedModel, stated: Sequence[str], labels: LabelSet, name: str) -> str:
    """Give a network's last layer the classes to learn, in place.

    Outputs of the same classes in another order are put in order. If the classes are others, the layer starts from
    random numbers, also where their number happens to be the same.

    Args:
        model: with as many outputs as classes to learn.
        stated: names of the classes of the loaded file; if empty, the layer is kept.
        labels: the classes to learn.
        name: the model's, for the message.

    Returns:
        A sentence on what was done; empty if nothing was.
    """
    order = matching_order(stated, labels)
    layer = layer_of_classes(model)
    if not stated or not layer or order == tuple(range(len(labels))):
        return ""
    if order is None:
        _reinitialise(model, layer)
        return f"{name} has other classes ({_some(stated)}): its last layer starts from random numbers."
    values = model.state_dict()
    for key, dimension in layer.items():
        values[key].copy_(values[key].index_select(dimension, torch.tensor(order)))
    return f"{name} has the same classes in another order: the outputs of its last layer were put in order."


def matching_order(stated: Sequence[str], labels: LabelSet) -> tuple[int, ...] | None:
    """Return the place in `stated` of each class of `labels`, or None if they are not the same classes.

    Names are compared by their words, whatever their spelling; any name for the background matches the background.
    """
    places = {tuple(words_of(each)): index for index, each in enumerate(stated)}
    if len(places) != len(labels) or len(stated) != len(labels):
        return None
    background = find_background(list(stated))
    found = [background, *(places.get(tuple(words_of(each))) for each in labels.foreground)]
    if None in found or len(set(found)) < len(found):
        return None
    return tuple(index for index in found if index is not None)


def layer_of_classes(model: PreTrainedModel) -> dict[str, int]:
    """Return the tensors that have an entry for each class, and the dimension of these."""
    config = copy.deepcopy(model.config)
    config.num_labels = len(config.id2label or {}) + 1
    with torch.device("meta"):
        larger = type(model)(config).state_dict()
    return {
        key: next(
            place
            for place, sides in enumerate(zip(value.shape, larger[key].shape, strict=True))
            if sides[0] != sides[1]
        )
        for key, value in model.state_dict().items()
        if value.shape != larger[key].shape
    }


def _reinitialise(model: PreTrainedModel, layer: dict[str, int]) -> None:
    fresh: Any = AutoModelForSemanticSegmentation.from_config(model.config, dtype=torch.float32)
    values, new = model.state_dict(), fresh.state_dict()
    for key in layer:
        values[key].copy_(new[key])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
