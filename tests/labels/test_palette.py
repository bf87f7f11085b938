"""Generated colours are distinguishable from each other and from given ones."""

import cv2
import numpy as np
import pytest

from clothseg.labels import KNOWN
from clothseg.labels.palette import distinct_colors, ink_on


def closest(colors: list[tuple[int, int, int]]) -> float:
    """The smallest distance of two colours in CIE Lab as OpenCV computes it; about 2.3 is just noticeable."""
    lab = cv2.cvtColor(np.array(colors, np.float32)[None] / 255, cv2.COLOR_RGB2Lab)[0]
    distances = np.linalg.norm(lab[:, None] - lab, axis=2)
    return float(distances[~np.eye(len(colors), dtype=bool)].min())


@pytest.mark.parametrize(("count", "least"), [(5, 60), (20, 20), (46, 12), (254, 4)])
def test_colours_are_distinguishable(count: int, least: float) -> None:
    colors = distinct_colors([], count)
    assert len(set(colors)) == count
    assert closest([(0, 0, 0), *colors]) >= least


def test_built_in_palettes_have_distinguishable_colours() -> None:
    for known in KNOWN.values():
        assert closest(list(known.colors)) >= 12


def test_distinct_colors_avoids_taken_ones_and_is_deterministic() -> None:
    first = distinct_colors([], 10)
    assert distinct_colors([], 10) == first
    assert not set(distinct_colors(first, 10)) & set(first)


def test_ink_is_black_on_white_and_white_on_black() -> None:
    assert (ink_on((255, 255, 255)), ink_on((0, 0, 0))) == ("#000000", "#ffffff")
