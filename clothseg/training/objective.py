"""The loss of a training: the losses of `losses.py` and `distillation.py`, combined by `TrainArguments`.

All terms are sums over photos, divided at the end by the totals of the whole accumulated batch over all processes, so
no result depends on how a batch is divided into parts.
"""

import torch

from clothseg.training.config import TrainArguments
from clothseg.training.distillation import Teacher, soft_cross_entropy
from clothseg.training.losses import lovasz_softmax, match_labels, soft_dice, weight_sum, weighted_cross_entropy


class Objective:
    """Weighted cross-entropy at the labels' size (255 is ignored), plus the optional terms for each photo."""

    def __init__(self, parsing: TrainArguments, class_weights: torch.Tensor, teacher: Teacher | None) -> None:
        """Keep the options, the weights (C,) float32 of the cross-entropy, and the teacher, if any."""
        self.parsing, self.class_weights, self.teacher = parsing, class_weights, teacher

    def totals(self, labels: torch.Tensor) -> torch.Tensor:
        """Return (2,) the divisors of a batch (N, H, W): its sum of class weights and its number of photos."""
        thinned = labels[:, :: self.parsing.loss_stride, :: self.parsing.loss_stride]
        weights = weight_sum(thinned, self.class_weights)
        return torch.stack([weights, torch.full_like(weights, len(labels))])

    def __call__(
        self, outputs: torch.Tensor, labels: torch.Tensor, totals: torch.Tensor, pixels: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the loss of a part of a batch.

        Args:
            outputs: logits (N, C, h, w).
            labels: (N, H, W).
            totals: `totals` of the whole batch.
            pixels: (N, 3, H, W) the network's input, for the teacher; None omits the teacher's term.
        """
        logits, thinned = match_labels(outputs, labels, self.parsing.loss_stride)
        loss = weighted_cross_entropy(logits, thinned, self.class_weights, totals[0], self.parsing.focal_gamma)
        by_photo = self._by_photo(logits, thinned)
        if self.teacher and pixels is not None:
            taught = soft_cross_entropy(outputs, self.teacher(pixels), self.parsing.distillation_temperature)
            by_photo = by_photo + self.parsing.distillation_weight * taught
        return loss + by_photo.sum() / totals[1]

    def of_photos(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return (N, 4) for each photo: cross-entropy, its divisor, the other terms, and 1. `combined` takes their
        sums."""
        logits, thinned = match_labels(outputs, labels, self.parsing.loss_stride)
        one, weights, gamma = torch.ones((), device=logits.device), self.class_weights, self.parsing.focal_gamma
        pairs = list(zip(logits.split(1), thinned.split(1), strict=True))
        entropy = [weighted_cross_entropy(photo, truth, weights, one, gamma) for photo, truth in pairs]
        divisor = [weight_sum(truth, weights) for _, truth in pairs]
        others = self._by_photo(logits, thinned)
        return torch.stack([torch.stack(entropy), torch.stack(divisor), others, torch.ones_like(others)], dim=1)

    @staticmethod
    def combined(sums: torch.Tensor) -> float:
        """Return the loss, without the teacher's term, of photos whose rows of `of_photos` sum to `sums` (4,)."""
        entropy, divisor, others, photos = sums.tolist()
        return entropy / max(divisor, 1e-12) + others / photos

    def _by_photo(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        terms = torch.zeros(len(labels), device=logits.device)
        if self.parsing.dice_weight:
            terms = terms + self.parsing.dice_weight * soft_dice(logits, labels)
        if self.parsing.lovasz_weight:
            terms = terms + self.parsing.lovasz_weight * lovasz_softmax(logits, labels)
        return terms
