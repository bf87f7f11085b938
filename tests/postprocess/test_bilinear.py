"""Windowed bilinear interpolation equals PyTorch's, and the windows cover every pixel once."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from clothseg.postprocess.bilinear import mix, positions, windows


@pytest.mark.parametrize(
    ("source", "size"), [((5, 4), (37, 23)), ((3, 7), (2, 300)), ((1, 1), (9, 5)), ((8, 8), (8, 8))]
)
def test_windows_reassemble_the_full_interpolation(
    source: tuple[int, int], size: tuple[int, int], rng: np.random.Generator
) -> None:
    values = rng.normal(size=source).astype(np.float32)
    made, times = np.zeros(size, np.float32), np.zeros(size, np.int64)
    for down, across in windows(source, size, (8, 16)):
        part = mix(mix(values[down.logits, across.logits], down, 0), across, 1)
        made[down.pixels, across.pixels] = part
        times[down.pixels, across.pixels] += 1
    assert (times == 1).all()
    expected = functional.interpolate(torch.from_numpy(values)[None, None], size, mode="bilinear")[0, 0].numpy()
    np.testing.assert_allclose(made, expected, atol=1e-5)


def test_positions_are_within_bounds_and_monotonic() -> None:
    above, share = positions(np.arange(100), 7, 100)
    assert above.min() == 0 and above.max() == 6 and (np.diff(above) >= 0).all()
    assert ((share >= 0) & (share <= 1)).all()
