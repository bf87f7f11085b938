"""clothseg.edges: the same result as the plain guided filter, in windows, and borders where the photo has them."""

import tracemalloc

import cv2
import numpy as np
import pytest

from clothseg import edges
from clothseg.guided import apply as apply_line
from clothseg.guided import as_bands, fits, resize


def blobs(rng: np.random.Generator, classes: int, size: tuple[int, int]) -> np.ndarray:
    noise = rng.normal(size=(classes, *size)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(plane, (0, 0), 3) for plane in noise]) * 40


@pytest.mark.parametrize("size", [(300, 200), (130, 700), (64, 64), (20, 900), (1, 1), (3, 2)])
def test_windows_change_nothing(size: tuple[int, int], rng: np.random.Generator) -> None:
    photo = cv2.GaussianBlur(rng.integers(0, 256, (*size, 3), dtype=np.uint8), (5, 5), 2).reshape(*size, 3)
    logits = blobs(rng, 5, (30, 24))
    made = edges.follow_edges(logits, photo)
    assert made.shape == size and made.dtype == np.uint8

    shrink = max(1, max(size) / edges.FIT_SIDE)
    small = (max(1, round(size[0] / shrink)), max(1, round(size[1] / shrink)))
    shares = np.exp(logits - logits.max(0))
    planes = resize(shares / shares.sum(0), small)
    planes[planes < 0.02] = 0
    guide = as_bands(cv2.resize(photo, small[::-1], interpolation=cv2.INTER_AREA))
    lines = fits(guide, planes, max(1, round(edges.RADIUS * max(small))), edges.EPS)
    expected = np.stack([apply_line(line, as_bands(photo)) for line in lines])
    won = np.unique(logits.argmax(0))
    top = np.sort(expected[won], axis=0)
    clear = top[-1] - top[-2] > 1e-3
    assert (made == won[expected[won].argmax(0)])[clear].all()


def test_borders_move_to_the_photo(rng: np.random.Generator) -> None:
    rows, columns = np.mgrid[:480, :320]
    truth = ((rows - 240) / 1.5) ** 2 + (columns - 160) ** 2 < 110**2
    photo = np.where(truth[..., None], (180, 60, 70), (150, 150, 160)) + rng.normal(0, 4, (480, 320, 3))
    photo = photo.clip(0, 255).astype(np.uint8)
    inside = truth[4::8, 4::8].astype(np.float32) * 8 - 4
    plain = inside.repeat(8, 0).repeat(8, 1) > 0
    made = edges.follow_edges(np.stack([-inside, inside, np.full_like(inside, -9)]), photo)
    assert (made != truth).sum() < 0.2 * (plain != truth).sum()


def test_one_class_fills_the_photo() -> None:
    logits = np.zeros((18, 8, 8), np.float32)
    logits[7] = 1
    assert (edges.follow_edges(logits, np.zeros((50, 70, 3), np.uint8)) == 7).all()


def test_memory_hardly_grows_with_the_photo(rng: np.random.Generator) -> None:
    """Beyond the label map itself: the small copy has one size, windows as well."""
    logits = blobs(rng, 6, (30, 24))
    beyond = []
    for height, width in ((800, 640), (2400, 1920)):
        photo = np.zeros((height, width, 3), np.uint8)
        tracemalloc.start()
        edges.follow_edges(logits, photo)
        beyond.append(tracemalloc.get_traced_memory()[1] - height * width)
        tracemalloc.stop()
    assert beyond[1] < beyond[0] + 2e6 and beyond[1] < 30e6
