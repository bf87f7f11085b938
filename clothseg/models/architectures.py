"""Requirements of transformers' architectures for logits of classes: allowed sizes, and conversion of masks to
classes."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn


_ANY_SIZE = (
    *("segformer", "clothseg-lite", "mobilevit", "mobilevitv2", "mobilenet_v2", "upernet"),
    *("mask2former", "maskformer"),
)
_ANY_SIZE_BACKBONES = ("convnext", "convnextv2", "swin", "swinv2", "resnet", "hiera", "focalnet")

MASK_TYPES = ("mask2former", "maskformer", "eomt", "eomt_dinov3")
"""Architectures that give masks and their classes, in place of logits."""

_LEAST_SCORE = 1e-6


def takes_any_size(config: Any) -> bool:
    """Return whether a network takes inputs of any size; else only the size it was trained with."""
    if config.model_type not in _ANY_SIZE:
        return False
    backbone = getattr(config, "backbone_config", None)
    return config.model_type != "upernet" or getattr(backbone, "model_type", None) in _ANY_SIZE_BACKBONES


class MaskClassifier(nn.Module):
    """A network of masks and their classes, with the logits of classes as its result.

    Each class's score is the sum of the masks, weighted by their probabilities of the class, as in transformers'
    `post_process_semantic_segmentation`; the logits are the scores' logarithms.
    """

    def __init__(self, model: nn.Module) -> None:
        """Wrap a model such as `Mask2FormerForUniversalSegmentation`."""
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> Any:
        """Return the result with `logits` (N, classes, h, w) of pixels (N, 3, H, W)."""
        found = self.model(pixel_values=pixel_values)
        classes = found.class_queries_logits.softmax(dim=-1)[..., :-1]  # without "no object"
        scores = torch.einsum("nqc,nqhw->nchw", classes, found.masks_queries_logits.sigmoid())
        return SimpleNamespace(logits=scores.clamp(min=_LEAST_SCORE).log())
