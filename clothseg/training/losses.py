"""Losses on logits (N, C, H, W) and labels (N, H, W); pixels labelled 255 are ignored."""

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from clothseg.labels import BACKGROUND, IGNORE, NUM_CLASSES


def class_weights(background: float, others: float, count: int = NUM_CLASSES) -> torch.Tensor:
    """Return cross-entropy weights (count,) float32: `background` for the background and `others` for all other
    classes."""
    weights = torch.full((count,), float(others))
    weights[BACKGROUND] = background
    return weights


def frequency_weights(pixels: npt.NDArray[np.int64], cap: float) -> torch.Tensor:
    """Return cross-entropy weights (C,) float32: the median frequency divided by the class's, limited to 1 to `cap`.

    Median frequency balancing (Eigen and Fergus, 2015) gives small classes weights of several hundred, and frequent
    ones hardly any. The limits keep Background learned, and prevent that a few noisy pixels dominate.

    Args:
        pixels: (C,) annotated pixels of each class; classes without pixels get `cap`.
        cap: largest weight, at least 1.
    """
    present = pixels > 0
    median = np.median(pixels[present]) if present.any() else 1.0
    return torch.from_numpy(np.clip(median / np.maximum(pixels, 1), 1, cap).astype(np.float32))


def match_labels(logits: torch.Tensor, labels: torch.Tensor, stride: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Bring logits (N, C, h, w) and labels (N, H, W) to the size of the labels divided by `stride`.

    Logits are resized bilinearly; labels are sampled, never interpolated.
    """
    labels = labels[:, ::stride, ::stride]
    logits = functional.interpolate(logits.float(), size=labels.shape[-2:], mode="bilinear", align_corners=False)
    return logits, labels


def weight_sum(labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the sum of the class weights over all annotated pixels, the divisor of a weighted mean.

    Weights are looked up instead of counted, so that a GPU does not wait for the host.
    """
    weight_of_label = torch.zeros(IGNORE + 1, device=labels.device)
    weight_of_label[: len(weights)] = weights.to(labels.device)
    return weight_of_label[labels.long()].sum()


def weighted_cross_entropy(
    logits: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor,
    denominator: torch.Tensor | None = None,
    focal_gamma: float = 0.0,
) -> torch.Tensor:
    """Return the cross-entropy with one weight per class; 255 is ignored.

    Args:
        logits: (N, C, H, W) float32.
        labels: (N, H, W) int64.
        weights: (C,) float32.
        denominator: divisor of the weighted sum; by default `weight_sum(labels, weights)`, which gives torch's
            weighted mean. For a batch in several parts, pass the sum over the whole batch, so that the parts add up.
        focal_gamma: if above 0, each pixel is weighted by (1 - probability of its class) to this power (focal loss,
            Lin et al., 2017).

    Returns:
        Scalar; zero (not NaN) if no pixel is annotated.
    """
    weights = weights.to(logits.device)
    if focal_gamma:
        entropy = functional.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")
        share = (1 - (-entropy).exp()) ** focal_gamma * weights[labels.masked_fill(labels == IGNORE, 0)]
        total = (share * entropy).sum()  # ignored pixels have the entropy 0
    else:
        total = functional.cross_entropy(logits, labels, weights, ignore_index=IGNORE, reduction="sum")
    if denominator is None:
        denominator = weight_sum(labels, weights)
    return total / denominator.clamp(min=1e-12)


def soft_dice(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the soft Dice loss of each photo: the mean over its classes of 1 - 2|A∩B| / (|A|+|B|).

    Source: V-Net (Milletari et al., 2016), with probabilities instead of masks. The mean is over a photo, not a batch,
    so it does not depend on how a batch is divided into parts.

    Returns:
        (N,) in [0, 1].
    """
    valid = (labels != IGNORE).unsqueeze(1)
    probabilities = logits.softmax(dim=1) * valid
    # not one_hot, which creates int64, and on some devices waits to check that all ids are classes
    target = labels.unsqueeze(1) == torch.arange(logits.shape[1], device=labels.device).view(1, -1, 1, 1)
    overlap = (probabilities * target).sum(dim=(2, 3))
    pixels = target.sum(dim=(2, 3))
    dice = (2 * overlap + 1) / (probabilities.sum(dim=(2, 3)) + pixels + 1)
    present = (pixels > 0).float()
    return ((1 - dice) * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)


def lovasz_softmax(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the Lovász-Softmax loss of each photo over its classes, a surrogate of 1 - IoU.

    Source: Berman, Triki and Blaschko, 2018. The errors |truth - probability| of a class, in descending order, are
    weighted by how much correcting each of them in this order would lower the Jaccard loss.

    Returns:
        (N,) in [0, 1]; 0 if nothing is annotated.
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
