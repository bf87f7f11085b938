"""clothseg.postprocess.guided_edges: windows give the result of the full guided filter; borders follow the photo."""

import tracemalloc

import cv2
import numpy as np
import pytest
from PIL import Image

from clothseg.postprocess import guided_edges
from clothseg.postprocess.guided_filter import apply_linear, as_bands, fit_linear
from clothseg.postprocess.softmax import softmax
from clothseg.postprocess.upsample import winners


def blobs(rng: np.random.Generator, classes: int, size: tuple[int, int]) -> np.ndarray:
    noise = rng.normal(size=(classes, *size)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(plane, (0, 0), 3) for plane in noise]) * 40


def interpolated(values: np.ndarray, length: int, shrink: int, axis: int) -> np.ndarray:
    """Interpolate along an axis whose cells are `shrink` pixels each, to `length` pixels; clamped at the ends."""
    last = values.shape[axis] - 1
    position = np.clip((np.arange(length) + 0.5) / shrink - 0.5, 0, last)
    before = position.astype(int)
    share = (position - before).reshape([-1 if place == axis else 1 for place in range(3)]).astype(np.float32)
    return values.take(before, axis) * (1 - share) + values.take(np.minimum(before + 1, last), axis) * share


@pytest.mark.parametrize("size", [(300, 200), (130, 700), (64, 64), (20, 900), (1300, 777), (1, 1), (3, 2), (1, 2000)])
def test_windowed_edges_equal_the_full_computation(
    size: tuple[int, int], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = cv2.GaussianBlur(rng.integers(0, 256, (*size, 3), dtype=np.uint8), (5, 5), 2).reshape(*size, 3)
    logits = blobs(rng, 5, (30, 24))
    quick = guided_edges.follow_edges(logits, photo)
    assert quick.shape == size and quick.dtype == np.uint8
    monkeypatch.setattr(guided_edges, "_CANDIDATE", 0.1)  # by default some classes are left out that win a few pixels
    made = guided_edges.follow_edges(logits, photo)
    assert (quick == made).mean() > 0.99

    fine, cell = guided_edges.reduction(size)
    shrink = fine * cell
    small = (max(1, size[0] // shrink), max(1, size[1] // shrink))
    won = np.unique(logits.argmax(0))
    planes = guided_edges.resize_probabilities(softmax(logits)[won], size, shrink)
    within = Image.fromarray(photo[: small[0] * shrink, : small[1] * shrink])
    guide = as_bands(np.asarray(within.reduce(fine)))
    expected = np.empty((len(won), *size), np.float32)
    fitted = fit_linear(guide, planes, max(1, round(guided_edges.RADIUS * max(small))), guided_edges.EPS)
    for plane, (box, line) in zip(expected, fitted, strict=True):
        everywhere = np.zeros((*small, 4), np.float32)
        everywhere[box] = line
        factors = interpolated(interpolated(everywhere, size[0], shrink, 0), size[1], shrink, 1)
        plane[...] = apply_linear(factors, as_bands(photo))
    top = np.sort(expected, axis=0)
    clear = top[-1] - top[-2] > 1e-3
    assert (made == won[expected.argmax(0)])[clear].all()


def test_borders_follow_the_photo(rng: np.random.Generator) -> None:
    rows, columns = np.mgrid[:480, :320]
    truth = ((rows - 240) / 1.5) ** 2 + (columns - 160) ** 2 < 110**2
    photo = np.where(truth[..., None], (180, 60, 70), (150, 150, 160)) + rng.normal(0, 4, (480, 320, 3))
    photo = photo.clip(0, 255).astype(np.uint8)
    inside = truth[4::8, 4::8].astype(np.float32) * 8 - 4
    plain = inside.repeat(8, 0).repeat(8, 1) > 0
    made = guided_edges.follow_edges(np.stack([-inside, inside, np.full_like(inside, -9)]), photo)
    assert (made != truth).sum() < 0.2 * (plain != truth).sum()


def test_images_and_arrays_give_equal_edges(rng: np.random.Generator) -> None:
    photo, logits = rng.integers(0, 256, (700, 500, 3), dtype=np.uint8), blobs(rng, 5, (30, 24))
    made = guided_edges.follow_edges(logits, Image.fromarray(photo))
    np.testing.assert_array_equal(made, guided_edges.follow_edges(logits, photo))
    assert len(np.unique(made)) == 5


def test_single_class_fills_the_photo() -> None:
    logits = np.zeros((18, 8, 8), np.float32)
    logits[7] = 1
    assert (guided_edges.follow_edges(logits, np.zeros((50, 70, 3), np.uint8)) == 7).all()


def test_memory_is_nearly_independent_of_photo_size(rng: np.random.Generator) -> None:
    """Apart from the label map: the reduced copy and the windows have a fixed size."""
    logits = blobs(rng, 6, (30, 24))
    beyond = []
    for height, width in ((800, 640), (2400, 1920)):
        photo = np.zeros((height, width, 3), np.uint8)
        tracemalloc.start()
        guided_edges.follow_edges(logits, photo)
        beyond.append(tracemalloc.get_traced_memory()[1] - height * width)
        tracemalloc.stop()
    assert beyond[1] < beyond[0] + 2e6 and beyond[1] < 30e6


@pytest.mark.parametrize("lead", [0.02, 0.2, 1.0, 8.0])
def test_low_probabilities_keep_the_argmax(lead: float, rng: np.random.Generator) -> None:
    """With 18 nearly equally likely classes, as early in training, no class reaches a fixed threshold."""
    truth = np.repeat(np.repeat(np.arange(18).reshape(3, 6), 16, axis=0), 8, axis=1)
    logits = rng.normal(scale=lead / 20, size=(18, *truth.shape)).astype(np.float32)
    logits += lead * (truth == np.arange(18)[:, None, None])
    photo = np.repeat(np.repeat(truth, 8, axis=0), 8, axis=1)
    colors = rng.integers(0, 256, (18, 3), np.uint8)
    for guide in (colors[photo], np.full((*photo.shape, 3), 128, np.uint8)):
        found = guided_edges.follow_edges(logits, guide)
        assert (found == winners(logits, photo.shape)).mean() > 0.97
        assert (found == photo).mean() > 0.97
