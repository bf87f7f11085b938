"""Strips against the plain way: interpolate all planes with torch, then argmax and softmax."""

import tracemalloc

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from clothseg.upsample import label_pixels, sure_pixels


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
        ((18, 128, 128), (100, 47)),  # a photo smaller than the network's answer
        ((18, 128, 128), (47, 100)),
        ((18, 128, 128), (300, 50)),
        ((18, 32, 32), (1, 3000)),
        ((18, 32, 32), (3000, 1)),
        ((18, 32, 32), (2, 40_000)),
        ((18, 32, 32), (1, 1)),
        ((2, 7, 5), (64, 65)),
        ((3, 1, 1), (9, 8)),
    ],
)
def test_labels_and_probabilities_equal_the_plain_way(shape: tuple[int, int, int], size: tuple[int, int]) -> None:
    logits = smooth_logits(sum(size), shape)
    label_map, confidence = label_pixels(logits, size)
    assert (label_map.shape, label_map.dtype, label_map.flags.c_contiguous) == (size, np.uint8, True)

    full = interpolate(torch.from_numpy(logits)[None], size, mode="bilinear", align_corners=False)[0]
    expected = full.argmax(dim=0).numpy()
    # All pixels, but for ties: where the best two are within rounding of each other.
    best, second = full.topk(2, dim=0).values
    clear = (best - second).numpy() > 1e-3
    np.testing.assert_array_equal(label_map[clear], expected[clear])
    assert np.mean(label_map == expected) >= 0.999

    probability = full.softmax(dim=0).amax(dim=0).numpy()
    for class_id in range(shape[0]):
        won = label_map == class_id
        assert confidence[class_id] == pytest.approx(probability[won].mean() if won.any() else 0, abs=1e-4)


def test_of_equal_logits_the_lower_id_wins() -> None:
    logits = np.zeros((18, 4, 4), np.float32)
    logits[[3, 11]] = 2
    label_map, confidence = label_pixels(logits, (40, 40))
    assert np.unique(label_map).tolist() == [3]
    assert confidence[3] == pytest.approx(np.exp(2) / (2 * np.exp(2) + 16), abs=1e-6)
    assert np.count_nonzero(confidence) == 1


@pytest.mark.parametrize("size", [(60, 90), (2, 40_000)])
def test_unsure_pixels_are_marked(size: tuple[int, int]) -> None:
    logits = smooth_logits(3, (18, 32, 32))
    label_map, _ = label_pixels(logits, size)
    full = interpolate(torch.from_numpy(logits)[None], size, mode="bilinear", align_corners=False)[0]
    probability = full.softmax(dim=0).amax(dim=0).numpy()
    marked = sure_pixels(logits, size, 0.9)
    clear = np.abs(probability - 0.9) > 1e-3
    assert ((marked == 255) == (probability < 0.9))[clear].all() and 0 < (marked == 255).mean() < 1
    assert (marked == label_map)[marked != 255].all()


def test_large_logits_do_not_overflow() -> None:
    logits = np.zeros((18, 4, 4), np.float32)
    logits[5] = 5000
    _, confidence = label_pixels(logits, (9, 9))
    assert confidence[5] == 1


@pytest.mark.parametrize("size", [(1500, 1000), (1000, 1500), (1_500_000, 1), (1, 1_500_000)])
def test_memory_is_bounded_by_the_photo(size: tuple[int, int]) -> None:
    logits = smooth_logits(0, (18, 128, 128))
    tracemalloc.start()
    label_pixels(logits, size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    pixels = size[0] * size[1]
    assert peak < 2 * pixels + 25e6 < 18 * 4 * pixels / 3
