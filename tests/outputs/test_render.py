"""Pictures of label maps, on small literal arrays."""

import numpy as np
import pytest

from clothseg import ConfigError
from clothseg.labels import NUM_CLASSES, PALETTE
from clothseg.outputs.render import colorize, cutout, overlay, palette_image


ALL_IDS = np.arange(NUM_CLASSES, dtype=np.uint8).reshape(2, 9)


def test_colorize_applies_the_palette() -> None:
    np.testing.assert_array_equal(colorize(ALL_IDS), PALETTE[ALL_IDS])
    np.testing.assert_array_equal(colorize(np.full((1, 2), 255, np.uint8)), 0)


def test_palette_image_keeps_ids_and_shows_colours() -> None:
    image = palette_image(ALL_IDS)
    assert image.mode == "P"
    np.testing.assert_array_equal(np.asarray(image), ALL_IDS)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), PALETTE[ALL_IDS])


@pytest.mark.parametrize("opacity", [0, 0.25, 0.6, 1])
def test_overlay_blends_all_but_background(opacity: float) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (2, 9, 3), np.uint8)
    before = photo.copy()
    blend = overlay(photo, ALL_IDS, opacity)
    expected = (1 - opacity) * photo + opacity * PALETTE[ALL_IDS]
    expected[0, 0] = photo[0, 0]
    assert blend.dtype == np.uint8
    assert np.abs(blend - expected).max() <= 0.51
    np.testing.assert_array_equal(photo, before)


@pytest.mark.parametrize("opacity", [-0.1, 1.01, float("nan")])
def test_invalid_opacity_raises_config_error(opacity: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        overlay(np.zeros((2, 9, 3), np.uint8), ALL_IDS, opacity)


def test_cutout_clears_hidden_pixels() -> None:
    photo = np.full((1, 3, 3), 200, np.uint8)
    out = cutout(photo, np.array([[True, False, True]]))
    assert out.tolist() == [[[200, 200, 200, 255], [0, 0, 0, 0], [200, 200, 200, 255]]]


def test_overlay_of_a_large_photo_has_no_seams() -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (1100, 800, 3), np.uint8)
    label_map = rng.integers(0, NUM_CLASSES, (1100, 800), np.uint8)
    blend = overlay(photo, label_map, 0.6)
    for top in (0, 300, 1000):
        np.testing.assert_array_equal(
            blend[top : top + 100], overlay(photo[top : top + 100], label_map[top : top + 100])
        )
