"""Motion between frames, and consistency of labels with it."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_dolls import draw

from clothseg.postprocess.geometry import Box
from clothseg.video.optical_flow import consistency, from_frame, grey_copy, motion_between, places, to_frame


def test_motion_of_a_shift_is_estimated() -> None:
    grey = grey_copy(draw(3, 320, 240).image)
    shift = np.float32([[1, 0, 5], [0, 1, -3]])
    moved = cv2.warpAffine(grey, shift, grey.shape[::-1], borderMode=cv2.BORDER_REFLECT)
    motion = motion_between(grey, moved)
    assert motion is not None
    inner = motion.flow[60:-60, 60:-60]
    assert np.abs(np.median(inner, axis=(0, 1)) - (-5, 3)).max() < 0.2
    assert motion.trust.mean() > 0.9 and 0 <= motion.trust.min() and motion.trust.max() <= 1


def test_new_content_is_not_trusted() -> None:
    grey = grey_copy(draw(3, 320, 240).image)
    after = grey.copy()
    after[100:160, 80:140] = np.random.default_rng(0).integers(0, 256, (60, 60))
    motion = motion_between(grey, after)
    assert motion is not None
    assert motion.trust[110:150, 90:130].mean() < 0.5 < 0.95 < motion.trust[200:].mean()


def test_different_scenes_and_sizes_are_cuts() -> None:
    one, other = (grey_copy(draw(seed, 320, 240).image) for seed in (3, 4))
    assert motion_between(one, other) is None
    assert motion_between(one, one[:200]) is None
    assert motion_between(one, one) is not None


@pytest.mark.parametrize(
    ("size", "expected"), [((1280, 720), (320, 180)), ((100, 60), (100, 60)), ((4, 900), (16, 320))]
)
def test_grey_copies_have_a_limited_size(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert grey_copy(np.zeros((*size, 3), np.uint8)).shape == expected


def test_consistency_ignores_background_and_occlusions() -> None:
    before = np.zeros((8, 8), np.uint8)
    before[2:6, 2:4] = 4
    labels = np.roll(before, 1, axis=1)
    right_by_one = places((8, 8)) - np.float32([1, 0])
    assert consistency(labels, before, right_by_one) == 1
    assert consistency(labels, before, places((8, 8))) == pytest.approx(1 / 3)  # a column keeps, one goes, one comes
    labels[2, 3] = 5
    assert consistency(labels, before, right_by_one) == 7 / 8
    unseen = right_by_one.copy()
    unseen[2, 3] = np.nan
    assert consistency(labels, before, unseen) == 1
    assert consistency(np.zeros_like(labels), np.zeros_like(labels), right_by_one) == 1


@given(
    st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(60, 300), st.integers(60, 300)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_frame_coordinates_round_trip(box: tuple[int, int, int, int], shape: tuple[int, int]) -> None:
    there = to_frame(places(shape), Box(*box), shape)
    assert there.min() >= min(box[:2]) - 0.5
    np.testing.assert_allclose(from_frame(there, Box(*box), shape), places(shape), atol=1e-3)
