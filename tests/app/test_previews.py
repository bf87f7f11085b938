"""Preview pictures of a result."""

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import Segmentation
from clothseg.app.previews import (
    PREVIEW,
    before_and_after,
    difference,
    numbered,
    reduced,
)


@pytest.fixture
def doll() -> Segmentation:
    """A result larger than previews."""
    image, mask, _ = draw(3, 1600, 1100)
    return Segmentation(Image.fromarray(image), mask)


def test_before_and_after_differ_only_in_the_regions(doll: Segmentation) -> None:
    before, after = before_and_after(doll, 0.6)
    assert before.size == after.size and max(before.size) == PREVIEW
    colored = reduced(doll).label_map > 0
    changed = (np.asarray(before) != np.asarray(after)).any(-1)
    assert changed[colored].mean() > 0.95 and changed[~colored].mean() < 0.01  # a number may reach over its region


def test_previews_of_transparent_photos_keep_alpha_and_use_white(doll: Segmentation) -> None:
    pixels = np.dstack([np.asarray(doll.photo), np.full(doll.label_map.shape, 255, np.uint8)])
    pixels[: pixels.shape[0] // 2, :, 3], pixels[:, : pixels.shape[1] // 2, 3] = 0, 90
    pixels[: pixels.shape[0] // 3] = 0, 0, 0, 0
    clear = Segmentation(pixels, doll.label_map)  # type: ignore[arg-type]
    small = reduced(clear)
    assert small.alpha is not None and not small.label_map[small.alpha == 0].any()
    cutout = np.asarray(small.cutout(*(name for name in small.areas if name != "Background")))
    assert (cutout[..., 3] <= small.alpha).all() and 0 < np.count_nonzero(cutout[..., 3] == 90)
    assert (np.asarray(before_and_after(clear, 0.6)[0])[:50] == 255).all()


def test_class_number_is_drawn_within_regions_that_have_room() -> None:
    label_map = np.zeros((200, 200), np.uint8)
    label_map[40:160, 20:90] = 5
    label_map[10:12, :] = 8
    blank = np.full((200, 200, 3), 128, np.uint8)
    rows, columns = np.nonzero((numbered(blank, label_map) != blank).any(-1))
    assert (label_map[rows, columns] == 5).all() and len(rows)
    assert np.array_equal(numbered(blank, np.zeros_like(label_map)), blank)


def test_differences_are_highlighted_on_grey() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
    differs = np.zeros((8, 6), bool)
    differs[2, 3] = True
    shown = difference(photo, differs)
    assert np.ptp(shown[~differs], axis=-1).max() == 0 and np.ptp(shown[2, 3]) > 100
