"""What a click's region leaves over along the borders of the label map."""

import numpy as np
import pytest

from clothseg.postprocess.remains import take_remains


SKIRT, DRESS, BAG = 5, 7, 16


def skirt(scale: int) -> tuple[np.ndarray, np.ndarray]:
    """A label map with a skirt and a bag beside it, and a region inside the skirt that leaves a strip over."""
    label_map = np.zeros((400 * scale, 300 * scale), np.uint8)
    label_map[100 * scale : 300 * scale, 100 * scale : 200 * scale] = SKIRT
    label_map[100 * scale : 160 * scale, 200 * scale : 240 * scale] = BAG
    inside = np.zeros(label_map.shape, np.bool_)
    inside[100 * scale : 300 * scale, 100 * scale + 2 * scale : 200 * scale] = True
    return label_map, inside


@pytest.mark.parametrize("scale", [1, 5])
def test_strips_are_taken_and_other_classes_are_not(scale: int) -> None:
    label_map, inside = skirt(scale)
    np.testing.assert_array_equal(take_remains(label_map, inside, DRESS), label_map == SKIRT)
    inside[200 * scale :] = False  # the lower half is left over: too wide for a strip
    taken = take_remains(label_map, inside, DRESS)
    np.testing.assert_array_equal(taken[: 200 * scale], (label_map == SKIRT)[: 200 * scale])
    assert taken[205 * scale :].sum() == 0


def test_small_rests_are_taken_unless_another_click_is_in_the_piece() -> None:
    label_map, inside = skirt(1)
    inside[260:] = False
    np.testing.assert_array_equal(take_remains(label_map, inside, DRESS), label_map == SKIRT)
    kept = take_remains(label_map, inside, DRESS, [(290, 150)])
    assert kept[:255, 100:200].sum() == 155 * 100 and not kept[270:].any()


def test_a_region_of_the_class_itself_stays_as_it_is() -> None:
    label_map, inside = skirt(1)
    np.testing.assert_array_equal(take_remains(label_map, inside, SKIRT), inside)
    nothing = np.zeros_like(inside)
    np.testing.assert_array_equal(take_remains(label_map, nothing, DRESS), nothing)
