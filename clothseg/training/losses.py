"""Losses on logits (N, C, H, W) and labels (N, H, W), where label 255 takes no part."""

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from clothseg.labels import BACKGROUND, IGNORE, NUM_CLASSES


def class_weights(background: float, others: float, count: int = NUM_CLASSES) -> torch.Tensor:
    """(count,) float32 cross-entropy weights: `background` for the background and `others` for all other classes."""
    weights = torch.full((count,), float(others))
    weights[BACKGROUND] = background
    return weights


def frequency_weights(pixels: npt.NDArray[np.int64], cap: float) -> torch.Tensor:
    """(C,) float32 cross-entropy weights: median frequency over the class's frequency, between 1 and `cap`.

    Median frequency balancing (Eigen and Fergus, 2015) weighs small classes up to hundreds of times and common ones
    next to nothing; bounds on both sides keep Background learnt and a few pixels of noise from ruling.

    Args:
        pixels: (C,) annotated pixels of each class; a class without any weighs `cap`.
        cap: the largest weight, at least 1.
    """
    shown = pixels > 0
    median = np.median(pixels[shown]) if shown.any() else 1.0
    return torch.from_numpy(np.clip(median / np.maximum(pixels, 1), 1, cap).astype(np.float32))


def match_labels(logits: torch.Tensor, labels: torch.Tensor, stride: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Bring logits (N, C, h, w) and labels (N, H, W) to the same size: the labels', thinned by `stride`.

    Logits are resized bilinearly; labels are never interpolated, only sampled.
    """
    labels = labels[:, ::stride, ::stride]
    logits = functional.interpolate(logits.float(), size=labels.shape[-2:], mode="bilinear", align_corners=False)
    return logits, labels


def weight_sum(labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum of the class weights over all annotated pixels: what a weighted mean divides by.

    Looked up, not counted: a GPU can do it without the host waiting for how many pixels there are of what.
    """
    of_value = torch.zeros(IGNORE + 1, device=labels.device)
    of_value[: len(weights)] = weights.to(labels.device)
    return of_value[labels.long()].sum()


def weighted_cross_entropy(
    logits: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor,
    denominator: torch.Tensor | None = None,
    focal_gamma: float = 0.0,
) -> torch.Tensor:
    """Cross-entropy with one weight per class, 255 ignored.

    Args:
        denominator: what the weighted sum is divided by; by default `weight_sum(labels, weights)`, which makes it
            torch's weighted mean. A batch in several parts passes the whole batch's, so that the parts add up.
        focal_gamma: above 0, each pixel counts by (1 - probability of its class) to this power (focal loss, Lin et
            al., 2017).

    Returns:
        Scalar; zero (not NaN) where no pixel is annotated.
    """
    weights = weights.to(logits.device)
    if focal_gamma:
        surprise = functional.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")
        share = (1 - (-surprise).exp()) ** focal_gamma * weights[labels.masked_fill(labels == IGNORE, 0)]
        total = (share * surprise).sum()  # the surprise of ignored pixels is 0
    else:
        total = functional.cross_entropy(logits, labels, weights, ignore_index=IGNORE, reduction="sum")
    if denominator is None:
        denominator = weight_sum(labels, weights)
    return total / denominator.clamp(min=1e-12)


def soft_dice(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Soft Dice loss per photo: mean over the classes that the photo shows of 1 - 2|A∩B| / (|A|+|B|).

    After V-Net (Milletari et al., 2016), with probabilities in place of hard masks. Averaging per photo, not per
    batch, makes it independent of how a batch is cut into parts.

    Returns:
        (N,) in [0, 1].
    """
    valid = (labels != IGNORE).unsqueeze(1)
    probabilities = logits.softmax(dim=1) * valid
    # not one_hot, which is in int64, and on some devices waits to see that all ids are classes
    target = labels.unsqueeze(1) == torch.arange(logits.shape[1], device=labels.device).view(1, -1, 1, 1)
    overlap = (probabilities * target).sum(dim=(2, 3))
    present = target.sum(dim=(2, 3))
    dice = (2 * overlap + 1) / (probabilities.sum(dim=(2, 3)) + present + 1)
    shown = (present > 0).float()
    return ((1 - dice) * shown).sum(dim=1) / shown.sum(dim=1).clamp(min=1)


def lovasz_softmax(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Lovász-Softmax loss per photo, over the classes that the photo shows: a surrogate of 1 - IoU.

    Berman, Triki and Blaschko, 2018: the errors |truth - probability| of a class, sorted from large to small, are
    weighted by how much each, set right in this order, would lower the Jaccard loss.

    Returns:
        (N,) in [0, 1]; 0 where nothing is annotated.
    """
    losses = []
    for photo, truth in zip(logits.softmax(dim=1).flatten(2), labels.flatten(1), strict=True):
        valid = truth != IGNORE
        photo, truth = photo[:, valid], truth[valid]
        terms = []
        for index in truth.unique().tolist():
            positive = (truth == index).float()
            errors, order = (positive - photo[index]).abs().sort(descending=True)
            wrong = positive[order]
            total = wrong.sum()
            jaccard = 1 - (total - wrong.cumsum(0)) / (total + (1 - wrong).cumsum(0))
            steps = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
            terms.append(errors @ steps)
        losses.append(torch.stack(terms).mean() if terms else photo.sum() * 0)
    return torch.stack(losses)
