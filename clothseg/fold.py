"""SegFormer's decode head, computed in the cheap order.

The stock head projects each of the four feature maps to D channels, upsamples all of them to the
finest size, concatenates and mixes them with a 1x1 convolution: D x 4D multiplications for each pixel
of the finest map. A 1x1 convolution commutes with bilinear upsampling, so

    fuse(concat(up(P_i x_i + b_i))) = sum_i up(F_i P_i x_i) + sum_i F_i b_i

where F_i is the fuse weight's slice for stage i. Each stage is mixed at its own, smaller size and only
sums are upsampled. Same parameters, same names, same result (to rounding), forwards and backwards.
"""

from typing import Any

import torch
from torch import nn
from transformers.models.segformer.modeling_segformer import SegformerDecodeHead


class FoldedDecodeHead(SegformerDecodeHead):
    """Drop-in `SegformerDecodeHead`; checkpoints of the two are interchangeable."""

    def folded_weights(self) -> tuple[list[torch.Tensor], torch.Tensor]:
        """The four matrices F_i P_i, each (D, C_i), finest stage first, and the summed bias (D,)."""
        # Computed in float32 whatever autocast says: they are tiny, and rounding them twice is not.
        with torch.autocast(self.linear_fuse.weight.device.type, enabled=False):
            # The stock head concatenates the coarsest stage first, hence the reversal.
            slices = self.linear_fuse.weight[:, :, 0, 0].chunk(len(self.linear_projections), dim=1)[::-1]
            projections: list[Any] = [layer.proj for layer in self.linear_projections]
            weights = [fuse @ layer.weight for fuse, layer in zip(slices, projections, strict=True)]
            biases = [fuse @ layer.bias for fuse, layer in zip(slices, projections, strict=True)]
            return weights, torch.stack(biases).sum(dim=0)

    # transformers annotates the four maps as one tensor
    def forward(self, encoder_hidden_states: Any, **kwargs: Any) -> torch.Tensor:
        """Logits (N, num_labels, H/4, W/4) from the encoder's feature maps (N, C_i, H_i, W_i), finest first."""
        weights, bias = self.folded_weights()
        size = encoder_hidden_states[0].shape[2:]
        fused = nn.functional.conv2d(encoder_hidden_states[0], weights[0][:, :, None, None], bias)
        for features, weight in zip(encoder_hidden_states[1:], weights[1:], strict=True):
            mixed = nn.functional.conv2d(features, weight[:, :, None, None])
            fused = fused + nn.functional.interpolate(mixed, size=size, mode="bilinear", align_corners=False)
        hidden = self.dropout(self.activation(self.batch_norm(fused)))
        return self.classifier(hidden)
