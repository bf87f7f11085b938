"""Pictures that the page shows of a result."""

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import Segmentation
from clothseg.app.i18n import use_language
from clothseg.app.previews import (
    PREVIEW,
    annotate,
    before_and_after,
    difference,
    legend,
    named,
    names_found,
    numbered,
    reduced,
)
from clothseg.labels import NAMES


@pytest.fixture
def doll() -> Segmentation:
    """A result larger than previews are."""
    image, mask, _ = draw(3, 1600, 1100)
    return Segmentation(Image.fromarray(image), mask)


def test_annotate(doll: Segmentation) -> None:
    photo, regions = annotate(doll)
    assert max(photo.size) == PREVIEW
    assert [named(said) for _, said in regions] == names_found(doll)
    stack = np.stack([mask for mask, _ in regions])
    assert stack.shape[1:] == (photo.height, photo.width)
    assert ((stack > 0).sum(axis=0) <= 1).all(), "no pixel has two classes"
    assert 0 <= stack.min() and stack.max() <= 1


def test_before_and_after_are_of_one_size_and_differ_by_the_regions(doll: Segmentation) -> None:
    before, after = before_and_after(doll, 0.6)
    assert before.size == after.size and max(before.size) == PREVIEW
    inside = annotate(doll)[1]
    colored = np.any([mask > 0 for mask, _ in inside], axis=0)
    changed = (np.asarray(before) != np.asarray(after)).any(-1)
    assert changed[colored].mean() > 0.95 and changed[~colored].mean() < 0.01  # a number may reach over its region


def test_previews_of_a_transparent_photo_have_its_alpha_and_lie_on_white(doll: Segmentation) -> None:
    pixels = np.dstack([np.asarray(doll.photo), np.full(doll.label_map.shape, 255, np.uint8)])
    pixels[: pixels.shape[0] // 2, :, 3], pixels[:, : pixels.shape[1] // 2, 3] = 0, 90
    pixels[: pixels.shape[0] // 3] = 0, 0, 0, 0
    clear = Segmentation(pixels, doll.label_map)  # type: ignore[arg-type]
    small = reduced(clear)
    assert small.alpha is not None and not small.label_map[small.alpha == 0].any()
    cutout = np.asarray(small.cutout(*names_found(small)))
    assert (cutout[..., 3] <= small.alpha).all() and 0 < np.count_nonzero(cutout[..., 3] == 90)
    assert (np.asarray(before_and_after(clear, 0.6)[0])[:50] == 255).all()
    assert (np.asarray(annotate(clear)[0])[:50] == 255).all()


def test_a_number_stands_in_its_region_if_it_has_room() -> None:
    label_map = np.zeros((200, 200), np.uint8)
    label_map[40:160, 20:90] = 5
    label_map[10:12, :] = 8
    blank = np.full((200, 200, 3), 128, np.uint8)
    rows, columns = np.nonzero((numbered(blank, label_map) != blank).any(-1))
    assert (label_map[rows, columns] == 5).all() and len(rows)
    assert np.array_equal(numbered(blank, np.zeros_like(label_map)), blank)


def test_the_legend_says_number_and_name() -> None:
    assert legend("Bag") == "16 Bag"
    with use_language("de"):
        assert legend("Bag") == "16 Tasche"
        assert [named(legend(name)) for name in NAMES] == list(NAMES)


def test_differences_stand_out_of_grey() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
    differs = np.zeros((8, 6), bool)
    differs[2, 3] = True
    shown = difference(photo, differs)
    assert np.ptp(shown[~differs], axis=-1).max() == 0 and np.ptp(shown[2, 3]) > 100
