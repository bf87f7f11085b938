"""Windows, strips and grid equal a direct computation: interpolate all planes with torch, then argmax and softmax."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from clothseg import Segmenter
from clothseg.images.decode import load_photo
from clothseg.postprocess.upsample import GRID_SIDE, strips, sure_pixels, winners, winning_probability
from clothseg.postprocess.zoom_crop import confidences


def smooth_logits(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.normal(0, 4, (1, shape[0], 6, 5)))
    return interpolate(coarse, shape[1:], mode="bicubic")[0].numpy().astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((18, 128, 128), (768, 512)),
        ((18, 128, 128), (511, 767)),
        ((18, 32, 48), (1000, 400)),
        ((18, 32, 48), (32, 48)),
        ((18, 128, 128), (100, 47)),  # a photo smaller than the logits
        ((18, 128, 128), (47, 100)),
        ((18, 128, 128), (300, 50)),
        ((18, 32, 32), (1, 3000)),
        ((18, 32, 32), (3000, 1)),
        ((18, 32, 32), (2, 40_000)),
        ((18, 120, 80), (1700, 1100)),
        ((18, 32, 32), (1, 1)),
        ((2, 7, 5), (64, 65)),
        ((3, 1, 1), (9, 8)),
    ],
)
def test_labels_and_probabilities_equal_direct_interpolation(
    shape: tuple[int, int, int], size: tuple[int, int]
) -> None:
    logits = smooth_logits(sum(size), shape)
    label_map, grid = winners(logits, size), winning_probability(logits, size)
    assert (label_map.shape, label_map.dtype, label_map.flags.c_contiguous) == (size, np.uint8, True)

    full = interpolate(torch.from_numpy(logits)[None], size, mode="bilinear", align_corners=False)[0]
    expected = full.argmax(dim=0).numpy()
    # All pixels except ties, where the best two are within rounding of each other.
    best, second = full.topk(2, dim=0).values
    clear = (best - second).numpy() > 1e-3
    np.testing.assert_array_equal(label_map[clear], expected[clear])
    assert np.mean(label_map == expected) >= 0.999

    assert max(grid.shape) == min(max(size), GRID_SIDE)
    coarse = interpolate(torch.from_numpy(logits)[None], grid.shape, mode="bilinear", align_corners=False)[0]
    np.testing.assert_allclose(grid, 255 * coarse.softmax(dim=0).amax(dim=0), atol=0.52)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.data())
def test_no_class_is_lost(seed: int, data: st.DataObject) -> None:
    """For smooth, random and few-valued logits; the last have ties and classes that win only between two others."""
    shape = tuple(data.draw(st.integers(1, most)) for most in (9, 24, 24))
    size = (data.draw(st.integers(1, 400)), data.draw(st.integers(1, 700)))
    rng = np.random.default_rng(seed)
    kind = data.draw(st.sampled_from(["smooth", "wild", "few"]))
    if kind == "smooth":
        logits = smooth_logits(seed, shape)
    else:
        logits = rng.normal(0, 3, shape).astype(np.float32) if kind == "wild" else rng.integers(0, 3, shape) * 1.0
        logits = logits.astype(np.float32)
    full = interpolate(torch.from_numpy(logits).double()[None], size, mode="bilinear", align_corners=False)[0].numpy()
    chosen = np.take_along_axis(full, winners(logits, size)[None].astype(np.intp), axis=0)[0]
    assert (full.max(axis=0) - chosen).max() <= 1e-5


def test_class_that_wins_only_between_two_others_is_found() -> None:
    logits = np.array([[[5.0, -5.0]], [[-5.0, 5.0]], [[1.0, 1.0]]], np.float32)
    assert np.unique(winners(logits, (1, 100))).tolist() == [0, 1, 2]


def test_mean_probabilities_on_the_grid_equal_those_of_all_pixels(shared_data: Path) -> None:
    """For real garments at 2 megapixels."""
    import pyarrow.parquet

    table = pyarrow.parquet.ParquetFile(shared_data / "sample_validation.parquet").read_row_group(0)
    segmenter = Segmenter.from_pretrained(device="cpu")
    for row in table["image"].to_pylist()[:4]:
        logits = segmenter.logits([load_photo(row["bytes"])])[0]
        label_map = winners(logits, (1700, 1200))
        confidence = confidences(label_map, winning_probability(logits, label_map.shape))
        counts, total = np.zeros(18), np.zeros(18)
        for window, labels, probability in strips(logits, label_map.shape):
            np.testing.assert_array_equal(labels, label_map[window])
            counts += np.bincount(labels.ravel(), minlength=18)
            total += np.bincount(labels.ravel(), weights=probability.ravel(), minlength=18)
        np.testing.assert_array_equal(confidence > 0, counts > 0)
        means, share = total / np.maximum(counts, 1), counts / label_map.size
        for least, tolerance in ((5e-4, 0.1), (2e-3, 0.03)):  # the grid hardly shows smaller areas
            np.testing.assert_allclose(confidence[share > least], means[share > least], atol=tolerance)


def test_lower_id_wins_among_equal_logits() -> None:
    logits = np.zeros((18, 4, 4), np.float32)
    logits[[3, 11]] = 2
    assert np.unique(winners(logits, (40, 40))).tolist() == [3]
    grid = winning_probability(logits, (40, 40))
    assert np.unique(grid) == round(255 * np.exp(2) / (2 * np.exp(2) + 16))


@pytest.mark.parametrize("size", [(60, 90), (2, 40_000)])
def test_low_confidence_pixels_are_marked(size: tuple[int, int]) -> None:
    logits = smooth_logits(3, (18, 32, 32))
    label_map = winners(logits, size)
    full = interpolate(torch.from_numpy(logits)[None], size, mode="bilinear", align_corners=False)[0]
    probability = full.softmax(dim=0).amax(dim=0).numpy()
    marked = sure_pixels(logits, size, 0.9)
    clear = np.abs(probability - 0.9) > 1e-3
    assert ((marked == 255) == (probability < 0.9))[clear].all() and 0 < (marked == 255).mean() < 1
    assert (marked == label_map)[marked != 255].all()


def test_large_logits_do_not_overflow() -> None:
    logits = np.zeros((18, 4, 4), np.float32)
    logits[5] = 5000
    assert (winning_probability(logits, (9, 9)) == 255).all()


@pytest.mark.parametrize("size", [(1500, 1000), (1000, 1500), (14_000, 140), (140, 14_000)])
def test_memory_is_bounded_by_the_photo(size: tuple[int, int]) -> None:
    logits = smooth_logits(0, (18, 128, 128))
    tracemalloc.start()
    winners(logits, size), winning_probability(logits, size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    pixels = size[0] * size[1]
    assert peak < 2 * pixels + 20e6 < 18 * 4 * pixels / 3
