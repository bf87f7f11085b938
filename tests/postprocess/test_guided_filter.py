"""clothseg.postprocess.guided_filter equals the filter's definition, window by window."""

import numpy as np
import pytest

from clothseg.postprocess.guided_filter import fit_linear, guided_filter


def by_definition(guide: np.ndarray, source: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """He, Sun and Tang (2013), equations 19 to 21, in float64: a ridge regression in every window, then the mean."""
    height, width = source.shape
    channels = guide.reshape(height, width, -1).astype(np.float64)
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            window = np.s_[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
            inside = channels[window].reshape(-1, channels.shape[-1])
            values = source[window].astype(np.float64).ravel()
            centred = inside - inside.mean(0)
            covariance = centred.T @ centred / len(inside) + eps * np.eye(inside.shape[1])
            factors = np.linalg.solve(covariance, centred.T @ (values - values.mean()) / len(inside))
            total[window] += (channels[window] - inside.mean(0)) @ factors + values.mean()
            count[window] += 1
    return total / count


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize(
    ("size", "radius", "eps"), [((17, 23), 3, 1e-2), ((12, 9), 1, 1e-4), ((5, 6), 8, 1e-3), ((1, 7), 2, 1e-2)]
)
def test_guided_filter_equals_its_definition(colour: bool, size: tuple[int, int], radius: int, eps: float) -> None:
    rng = np.random.default_rng(1)
    guide = rng.random((*size, 3) if colour else size, dtype=np.float32)
    source = rng.normal(size=(2, *size)).astype(np.float32)
    result = guided_filter(guide, source, radius, eps)
    assert result.dtype == np.float32
    for plane, made in zip(source, result, strict=True):
        np.testing.assert_allclose(made, by_definition(guide, plane, radius, eps), atol=2e-4)
    np.testing.assert_array_equal(guided_filter(guide, source[0], radius, eps), result[0])


@pytest.mark.parametrize("size", [(6, 9), (1, 5), (4, 1)])
def test_functions_of_cells_are_fitted_to_all_pixels_of_a_finer_guide(size: tuple[int, int]) -> None:
    """As by ridge regressions over the guide's own pixels, all of which have their cell's value."""
    rng, radius, eps = np.random.default_rng(4), 2, 1e-3
    guide, source = rng.random((3, 2 * size[0], 2 * size[1]), np.float32), rng.random(size, np.float32)
    pixels = guide.reshape(3, size[0], 2, size[1], 2).transpose(1, 3, 2, 4, 0).reshape(*size, 4, 3).astype(float)
    expected, count = np.zeros((*size, 4)), np.zeros((*size, 1))
    for y, x in np.ndindex(size):
        window = np.s_[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
        inside, values = pixels[window].reshape(-1, 3), source[window].astype(float).ravel().repeat(4)
        centred = inside - inside.mean(0)
        covariance = centred.T @ centred / len(inside) + eps * np.eye(3)
        factors = np.linalg.solve(covariance, centred.T @ (values - values.mean()) / len(inside))
        expected[window] += [*factors, values.mean() - inside.mean(0) @ factors]
        count[window] += 1
    ((box, line),) = fit_linear(guide, source[None], radius, eps)
    assert line.shape[:2] == size == tuple(part.stop for part in box)
    np.testing.assert_allclose(line, expected / count, atol=1e-3)


def test_guided_filter_is_stable_with_equal_channels() -> None:
    """Three equal channels give singular covariances, solvable only through eps."""
    rng = np.random.default_rng(2)
    grey = np.repeat(rng.integers(0, 256, (14, 15, 1), dtype=np.uint8), 3, axis=2)
    source = rng.random((14, 15), dtype=np.float32)
    expected = by_definition(grey / 255, source, 2, 1e-5)
    np.testing.assert_allclose(guided_filter(grey, source, 2, 1e-5), expected, atol=5e-3)


@pytest.mark.parametrize("shrink", [1, 2, 4])
@pytest.mark.parametrize("size", [(40, 60), (41, 63)])
def test_constant_and_linear_sources_are_kept(shrink: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    guide = rng.random((*size, 3), dtype=np.float32)
    same = np.full(size, 0.7, np.float32)
    np.testing.assert_allclose(guided_filter(guide, same, 8, 1e-3, shrink), same, atol=1e-4)
    linear = guide @ np.array([0.2, 0.5, -0.3], np.float32) + 1
    np.testing.assert_allclose(guided_filter(guide, linear, 8, 1e-6, shrink), linear, atol=2e-3)


@pytest.mark.parametrize("shrink", [1, 4])
def test_coarse_mask_moves_to_the_photos_edge(shrink: int) -> None:
    rows, columns = np.mgrid[:120, :120]
    disc = (rows - 60) ** 2 + (columns - 60) ** 2 < 40**2
    photo = np.where(disc[..., None], (180, 60, 70), (150, 150, 160)).astype(np.uint8)
    blocks = disc[4::8, 4::8].repeat(8, 0).repeat(8, 1)
    result = guided_filter(photo, blocks.astype(np.float32), 12, 1e-4, shrink) > 0.5
    assert (blocks != disc).sum() > 400
    assert (result != disc).sum() < (blocks != disc).sum() / 10


@pytest.mark.parametrize(
    ("guide", "radius", "eps", "shrink"),
    [((4, 5), 1, 1e-3, 1), ((4, 4), 0, 1e-3, 1), ((4, 4), 1, 0.0, 1), ((4, 4), 1, 1e-3, 0)],
)
def test_invalid_arguments_raise_value_error(guide: tuple[int, int], radius: int, eps: float, shrink: int) -> None:
    with pytest.raises(ValueError):
        guided_filter(np.zeros(guide, np.float32), np.zeros((4, 4), np.float32), radius, eps, shrink)
