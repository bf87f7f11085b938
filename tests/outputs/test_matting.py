"""clothseg.outputs.matting on pictures with known alpha and foreground."""

import cv2
import numpy as np
import pytest

from clothseg.outputs.matting import edge_tiles, foreground, soft_alpha, soft_cutout


@pytest.fixture
def disc() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A red disc with a soft edge before a textured blue wall: photo, true alpha, the disc's colour."""
    rows, columns = np.mgrid[:160, :200]
    alpha = np.clip(50.5 - np.hypot(rows - 80, columns - 100), -1.5, 1.5) / 3 + 0.5
    colour = np.array([200, 40, 50])
    wall = np.random.default_rng(0).normal((40, 60, 200), 6, (160, 200, 3))
    photo = alpha[..., None] * colour + (1 - alpha[..., None]) * wall
    return photo.clip(0, 255).astype(np.uint8), alpha.astype(np.float32), colour


def test_soft_alpha_is_more_accurate_and_changes_only_the_edge(disc: tuple) -> None:
    photo, alpha, _ = disc
    rough = cv2.resize(cv2.resize(alpha, (25, 20)), (200, 160)) > 0.5
    soft = soft_alpha(photo, rough, radius=8)
    assert soft.dtype == np.float32 and soft.min() >= 0 and soft.max() <= 1
    assert np.abs(soft - alpha).mean() < 0.5 * np.abs(rough - alpha).mean()
    far = cv2.blur(rough.astype(np.float32), (17, 17))
    np.testing.assert_array_equal(soft[(far == 0) | (far == 1)], rough[(far == 0) | (far == 1)])


@pytest.mark.parametrize("value", [False, True])
def test_mask_without_an_edge_is_kept(value: bool) -> None:
    photo = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    mask = np.full((20, 30), value)
    np.testing.assert_array_equal(soft_alpha(photo, mask), mask.astype(np.float32))


def test_foreground_colours_have_no_halo(disc: tuple) -> None:
    photo, alpha, colour = disc
    made = foreground(photo, alpha)
    edge = (alpha > 0.1) & (alpha < 0.9)
    assert np.abs(photo[edge] - colour).mean() > 40
    assert np.abs(made[edge] - colour).mean() < 12
    np.testing.assert_allclose(made[alpha == 1].astype(int), photo[alpha == 1], atol=1)


def test_foreground_on_another_background_is_close_to_the_truth(disc: tuple) -> None:
    photo, alpha, colour = disc
    white = alpha[..., None] * foreground(photo, alpha) + 255 * (1 - alpha[..., None])
    truth = alpha[..., None] * colour + 255 * (1 - alpha[..., None])
    halo = alpha[..., None] * photo + 255 * (1 - alpha[..., None])
    edge = (alpha > 0) & (alpha < 1)
    assert np.abs(white - truth)[edge].mean() < 0.4 * np.abs(halo - truth)[edge].mean()


def test_tiled_soft_cutout_equals_untiled(disc: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    photo, alpha, _ = disc
    whole = soft_cutout(photo, alpha > 0.5, radius=3)
    monkeypatch.setattr("clothseg.outputs.matting.TILE", 32)
    tiled = soft_cutout(photo, alpha > 0.5, radius=3)
    assert np.abs(whole.astype(int) - tiled).max() <= 2
    assert (whole[..., 3] > 0).any() and not whole[whole[..., 3] == 0].any()
    far = cv2.erode((alpha == 1).view(np.uint8), np.ones((9, 9))) > 0
    np.testing.assert_array_equal(whole[far], np.dstack([photo, np.full(far.shape, 255, np.uint8)])[far])


def test_edge_tiles_cover_the_edge_once_and_skip_the_interior(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clothseg.outputs.matting.TILE", 16)
    mask = np.zeros((90, 110), np.bool_)
    mask[20:, 10:100] = True
    seen, reach = np.zeros(mask.shape, int), 5
    for tile, around, inner in edge_tiles(mask, reach, 7):
        seen[tile] += 1
        assert mask[around][inner].shape == mask[tile].shape and max(mask[around].shape) <= 16 + 2 * 7
        np.testing.assert_array_equal(mask[around][inner], mask[tile])
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.dilate(mask.view(np.uint8), disc) > cv2.erode(mask.view(np.uint8), disc)
    assert (seen[near] == 1).all() and seen.max() == 1 and seen[60, 55] == 0
    assert not list(edge_tiles(np.zeros((20, 20), np.bool_), 3, 5)) + list(
        edge_tiles(np.ones((20, 20), np.bool_), 3, 5)
    )
