"""Losses match their definitions, ignore 255, and add up over parts of a batch."""

import numpy as np
import pytest
import torch

from clothseg.training.losses import (
    class_weights,
    frequency_weights,
    lovasz_softmax,
    match_labels,
    soft_dice,
    weight_sum,
    weighted_cross_entropy,
)


WEIGHTS = class_weights(1, 3)


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    labels = torch.randint(0, 18, (4, 12, 8))
    labels[torch.rand(labels.shape) < 0.3] = 255
    return torch.randn(4, 18, 12, 8), labels


def test_class_weights_are_one_for_background_and_fixed_for_others() -> None:
    assert WEIGHTS.tolist() == [1.0] + [3.0] * 17


def test_frequency_weights_are_capped_median_frequency() -> None:
    pixels = np.array([1000, 100, 50, 30, 1, 0] + [100] * 12)
    assert frequency_weights(pixels, 4).tolist() == pytest.approx([1, 1, 2, 100 / 30, 4, 4] + [1] * 12)
    assert frequency_weights(np.zeros(18, np.int64), 4).isfinite().all()


def test_cross_entropy_equals_torch(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    expected = torch.nn.functional.cross_entropy(logits, labels, WEIGHTS, ignore_index=255)
    assert torch.allclose(weighted_cross_entropy(logits, labels, WEIGHTS), expected)


def test_losses_of_batch_parts_add_up(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    labels[0] = 0  # parts of very different weight
    whole = weight_sum(labels, WEIGHTS)
    parts = [weighted_cross_entropy(logits[i : i + 1], labels[i : i + 1], WEIGHTS, whole) for i in range(4)]
    assert torch.allclose(sum(parts), weighted_cross_entropy(logits, labels, WEIGHTS))
    assert torch.allclose(torch.cat([soft_dice(logits[i : i + 1], labels[i : i + 1]) for i in range(4)]),
                          soft_dice(logits, labels))  # fmt: skip


@pytest.mark.parametrize(
    "loss",
    [lambda x, y: weighted_cross_entropy(x, y, WEIGHTS), soft_dice, lovasz_softmax],
    ids=["ce", "dice", "lovasz"],
)
def test_unannotated_pixels_are_ignored(loss, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    changed = torch.where((labels == 255).unsqueeze(1), torch.randn_like(logits) * 9, logits)
    assert torch.allclose(loss(logits, labels), loss(changed, labels))


def test_loss_without_annotation_is_zero_with_finite_gradients() -> None:
    logits, labels = torch.randn(2, 18, 4, 4, requires_grad=True), torch.full((2, 4, 4), 255)
    by_photo = soft_dice(logits, labels) + lovasz_softmax(logits, labels)
    loss = weighted_cross_entropy(logits, labels, WEIGHTS) + by_photo.sum()
    loss.backward()
    assert loss.item() == 0 and torch.isfinite(logits.grad).all()


def test_dice_equals_a_loop(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    for photo in range(4):
        probability, terms = logits[photo].softmax(dim=0), []
        valid = labels[photo] != 255
        for index in range(18):
            truth = labels[photo] == index
            if truth.any():
                overlap = probability[index][truth].sum()
                terms.append(1 - (2 * overlap + 1) / (probability[index][valid].sum() + truth.sum() + 1))
        assert torch.allclose(soft_dice(logits, labels)[photo], torch.stack(terms).mean(), atol=1e-6)


@pytest.mark.parametrize("gamma", [1e-9, 2.0])
def test_focal_loss_equals_a_loop(gamma: float, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    total, weight = 0.0, 0.0
    for photo, row, column in (labels != 255).nonzero().tolist():
        truth = int(labels[photo, row, column])
        p = logits[photo, :, row, column].softmax(0)[truth]
        total += WEIGHTS[truth] * (1 - p) ** gamma * -p.log()
        weight += WEIGHTS[truth]
    assert torch.allclose(weighted_cross_entropy(logits, labels, WEIGHTS, None, gamma), total / weight, atol=1e-5)


def test_lovasz_of_hard_predictions_is_one_minus_iou(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    """At the corners of the cube, where probabilities are 0 or 1, the extension equals the set function."""
    logits, labels = batch
    hard = 500.0 * torch.nn.functional.one_hot(logits.argmax(dim=1), 18).movedim(-1, 1).float()
    for photo in range(4):
        terms, valid = [], labels[photo] != 255
        guess = logits[photo].argmax(dim=0)
        for index in labels[photo][valid].unique():
            truth, found = (labels[photo] == index) & valid, (guess == index) & valid
            terms.append(1 - (truth & found).sum() / (truth | found).sum())
        assert torch.allclose(lovasz_softmax(hard, labels)[photo], torch.stack(terms).mean(), atol=1e-5)


def test_lovasz_is_between_0_and_1_and_decreases_along_its_gradient(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    logits.requires_grad_()
    loss = lovasz_softmax(logits, labels)
    assert ((loss > 0) & (loss < 1)).all()
    slope = torch.autograd.grad(loss.sum(), logits)[0]
    assert (lovasz_softmax(logits - 20 * slope, labels) < loss).all()


def test_perfect_prediction_has_zero_loss(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    _, labels = batch
    sure = 50.0 * torch.nn.functional.one_hot(labels.masked_fill(labels == 255, 0), 18).movedim(-1, 1).float()
    assert soft_dice(sure, labels).max() < 1e-5
    assert lovasz_softmax(sure, labels).max() < 1e-5
    assert weighted_cross_entropy(sure, labels, WEIGHTS) < 1e-5


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_match_labels_samples_labels_without_interpolation(stride: int) -> None:
    labels = torch.randint(0, 18, (1, 16, 8))
    logits, thinned = match_labels(torch.randn(1, 18, 4, 2), labels, stride)
    assert logits.shape[-2:] == thinned.shape[-2:] == (16 // stride, 8 // stride)
    assert set(thinned.unique().tolist()) <= set(labels.unique().tolist())
