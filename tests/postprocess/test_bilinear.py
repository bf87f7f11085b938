"""Bilinear interpolation cell by cell equals PyTorch's, and the cells cover every pixel once."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from clothseg.postprocess.bilinear import Axis, mix, positions


@pytest.mark.parametrize(
    ("source", "size"), [((5, 4), (37, 23)), ((3, 7), (2, 300)), ((1, 1), (9, 5)), ((8, 8), (8, 8))]
)
def test_cells_reassemble_the_full_interpolation(
    source: tuple[int, int], size: tuple[int, int], rng: np.random.Generator
) -> None:
    values = rng.normal(size=source).astype(np.float32)
    axes = down, across = [Axis.of(*axis) for axis in zip(source, size, strict=True)]
    for axis, side in zip(axes, size, strict=True):
        covered = [axis.pixels[cell, :count] for cell, count in enumerate(axis.counts)]
        assert np.array_equal(np.concatenate(covered), np.arange(side))
        for cell, count in enumerate(axis.counts):
            assert (axis.cells[axis.pixels[cell, :count]] == cell).all()
            assert count == 0 or (axis.pixels[cell, count:] == axis.pixels[cell, count - 1]).all()
    padded = np.pad(values, ((0, 1), (0, 1)), mode="edge")
    upper, lower = padded[down.cells], padded[down.cells + 1]
    low, high = (mix(rows[:, across.cells], rows[:, across.cells + 1], across.shares) for rows in (upper, lower))
    expected = functional.interpolate(torch.from_numpy(values)[None, None], size, mode="bilinear")[0, 0].numpy()
    np.testing.assert_allclose(mix(low, high, down.shares[:, None]), expected, atol=1e-5)


def test_positions_are_within_bounds_and_monotonic() -> None:
    above, share = positions(np.arange(100), 7, 100)
    assert above.min() == 0 and above.max() == 6 and (np.diff(above) >= 0).all()
    assert ((share >= 0) & (share <= 1)).all()
