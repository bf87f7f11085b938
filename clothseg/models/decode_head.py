"""SegFormer's decode head, computed in the cheap order.

The stock head projects each of the four feature maps to D channels, upsamples all of them to the
finest size, concatenates and mixes them with a 1x1 convolution: D x 4D multiplications for each pixel
of the finest map. A 1x1 convolution commutes with bilinear upsampling, so

    fuse(concat(up(P_i x_i + b_i))) = sum_i up(F_i P_i x_i) + sum_i F_i b_i

where F_i is the fuse weight's slice for stage i. Each stage is mixed at its own, smaller size and only
sums are upsampled. Same parameters, same names, same result (to rounding), forwards and backwards.
"""

import copy
import itertools
from typing import Any, cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from transformers.models.segformer.modeling_segformer import SegformerDecodeHead


class FoldedDecodeHead(SegformerDecodeHead):
    """Drop-in `SegformerDecodeHead`; checkpoints of the two are interchangeable."""

    def folded_weights(self) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Return the four matrices F_i P_i, each (D, C_i), finest stage first, and the summed bias (D,)."""
        # Computed in float32 even under autocast: this costs little, and rounding twice would cost accuracy.
        with torch.autocast(self.linear_fuse.weight.device.type, enabled=False):
            # The stock head concatenates the coarsest stage first, hence the reversal.
            slices = self.linear_fuse.weight[:, :, 0, 0].chunk(len(self.linear_projections), dim=1)[::-1]
            projections: list[Any] = [layer.proj for layer in self.linear_projections]
            weights = [fuse @ layer.weight for fuse, layer in zip(slices, projections, strict=True)]
            biases = [fuse @ layer.bias for fuse, layer in zip(slices, projections, strict=True)]
            return weights, torch.stack(biases).sum(dim=0)

    # transformers annotates the four maps as one tensor
    def forward(self, encoder_hidden_states: Any, **kwargs: Any) -> torch.Tensor:
        """Return logits (N, num_labels, H/4, W/4) of the encoder's feature maps (N, C_i, H_i, W_i), finest first."""
        weights, bias = self.folded_weights()
        size = encoder_hidden_states[0].shape[2:]
        if encoder_hidden_states[0].device.type == "cpu":
            # Upsampling works on small maps of many channels in this layout, there and back, and else copies them into
            # it: a fifth of a training step.
            encoder_hidden_states = [
                features.contiguous(memory_format=torch.channels_last) for features in encoder_hidden_states
            ]
        fused = nn.functional.conv2d(encoder_hidden_states[0], weights[0][:, :, None, None], bias)
        for features, weight in zip(encoder_hidden_states[1:], weights[1:], strict=True):
            mixed = nn.functional.conv2d(features, weight[:, :, None, None])
            fused = fused + nn.functional.interpolate(mixed, size=size, mode="bilinear", align_corners=False)
        hidden = self.dropout(self.activation(self.batch_norm(fused)))
        return self.classifier(hidden)


class FrozenDecodeHead(nn.Module):
    """The folded head for inference only, with its weights and batch norm multiplied once.

    The fuse convolution is followed by batch norm, which in evaluation is another linear map, y -> s * y + t for each
    channel. Bilinear upsampling takes weighted means whose weights sum to 1, so s and t can be moved inside it:

        relu(s * (sum_i up(F_i P_i x_i) + b) + t) = relu(sum_i up((s F_i P_i) x_i) + (s * b + t))

    The products are computed in float64, so values are rounded only once.
    """

    def __init__(self, head: FoldedDecodeHead) -> None:
        super().__init__()
        exact = copy.deepcopy(head).double()
        weights, bias = exact.folded_weights()
        norm: Any = exact.batch_norm
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        shift = norm.bias - scale * norm.running_mean
        dtype = head.classifier.weight.dtype
        mixed = [(scale[:, None] * weight)[:, :, None, None].detach().to(dtype) for weight in weights]
        self.projections = nn.ParameterList(mixed)
        self.bias = nn.Parameter((scale * bias + shift).detach().to(dtype))
        self.classifier = head.classifier

    def forward(self, encoder_hidden_states: Any, **kwargs: Any) -> torch.Tensor:
        """See `FoldedDecodeHead.forward`."""
        finest, *coarser = encoder_hidden_states
        fused = nn.functional.conv2d(finest, self.projections[0], self.bias)
        for features, weight in zip(coarser, self.projections[1:], strict=True):
            mixed = nn.functional.conv2d(features, weight)
            fused = fused + nn.functional.interpolate(
                mixed, size=finest.shape[2:], mode="bilinear", align_corners=False
            )
        return self.classifier(torch.relu(fused))


def fuse_for_inference(model: nn.Module) -> nn.Module:
    """Rewrite a model for inference in place, and return it: less work, same logits up to rounding.

    A SegFormer decode head becomes a `FrozenDecodeHead`, and in a `Sequential` each convolution absorbs the batch norm
    after it. The model is in evaluation mode afterwards. Its checkpoints would have other names, so use it for running
    only, not for training or saving. Other parts are unchanged.
    """
    model.eval()
    head = getattr(model, "decode_head", None)
    if isinstance(head, SegformerDecodeHead):
        head.__class__ = FoldedDecodeHead  # same parameters, another forward
        model.decode_head = FrozenDecodeHead(cast(FoldedDecodeHead, head))
    for block in [module for module in model.modules() if isinstance(module, nn.Sequential)]:
        for index, (first, second) in enumerate(itertools.pairwise(block)):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                dtype = first.weight.dtype
                block[index] = fuse_conv_bn_eval(first.double(), second.double()).to(dtype)
                block[index + 1] = nn.Identity()
    return model.requires_grad_(False)
