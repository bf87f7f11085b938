"""Photos prepared for an engine: joined for one pass without needless copies."""

import numpy as np
import pytest
from PIL import Image

from clothseg.engines.inputs import Prepared, joined, prepare_later


@pytest.mark.parametrize("count", [1, 3])
def test_arrays_are_joined_in_order_and_a_single_one_is_not_copied(count: int) -> None:
    photo = Image.new("RGB", (4, 4))
    parts = [np.full((1, 3, 2, 2), number, np.float32) for number in range(count)]
    made = joined([Prepared(photo, part, photo) for part in parts])
    np.testing.assert_array_equal(made[:, 0, 0, 0], range(count))
    assert made.shape == (count, 3, 2, 2) and (made is parts[0]) == (count == 1)


def test_tensors_stay_apart() -> None:
    photo, tensors = Image.new("RGB", (4, 4)), [object(), object()]
    assert joined([Prepared(photo, each, photo) for each in tensors]) == tensors


def test_photo_of_later_size_keeps_its_alpha_and_lies_on_white() -> None:
    photo = Image.new("RGBA", (2, 2), (10, 20, 30, 0))
    prepared = prepare_later(photo)
    assert prepared.original is photo and prepared.pixels.size == 0
    assert prepared.photo.mode == "RGB" and prepared.photo.getpixel((0, 0)) == (255, 255, 255)
