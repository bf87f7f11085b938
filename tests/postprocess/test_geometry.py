"""Geometry of masks."""

import numpy as np

from clothseg.postprocess.geometry import deepest_point


def test_deepest_point_is_farthest_from_the_outline() -> None:
    mask = np.zeros((60, 90), np.bool_)
    mask[10:31, 40:81] = True
    mask[40:50, 5:15] = True
    x, y, depth = deepest_point(mask)
    assert (y, 50 <= x <= 70) == (20, True) and 10 <= depth <= 12
    mask[20, 60] = False
    assert deepest_point(mask)[2] < depth


def test_deepest_point_keeps_away_from_the_image_border() -> None:
    x, y, depth = deepest_point(np.ones((21, 41), np.bool_))
    assert y == 10 and 10 <= x <= 30 and 10 <= depth <= 12
    assert deepest_point(np.zeros((4, 5), np.bool_)) == (0, 0, 0.0)
