"""clothseg.rules on label maps painted by hand."""

import numpy as np
import pytest

from clothseg.labels import LABEL2ID
from clothseg.rules import drop_specks, drop_strays, keep_on_head, tidy


def painted(*boxes: tuple[str, int, int, int, int]) -> np.ndarray:
    """A 100 x 80 map with boxes (class, top, left, bottom, right), later ones over earlier ones."""
    label_map = np.zeros((100, 80), np.uint8)
    for name, top, left, bottom, right in boxes:
        label_map[top:bottom, left:right] = LABEL2ID[name]
    return label_map


PERSON = (("Hair", 10, 30, 20, 50), ("Face", 15, 33, 30, 47), ("Upper-clothes", 30, 20, 60, 60))


@pytest.mark.parametrize(
    ("rule", "wrong", "becomes"),
    [
        (drop_specks, ("Belt", 45, 40, 46, 42), "Upper-clothes"),
        (drop_specks, ("Background", 45, 40, 46, 42), "Upper-clothes"),
        (drop_specks, ("Bag", 80, 5, 81, 7), "Background"),
        (drop_strays, ("Bag", 80, 5, 84, 9), "Background"),
        (keep_on_head, ("Hat", 80, 5, 90, 20), "Background"),
        (keep_on_head, ("Sunglasses", 40, 30, 44, 40), "Upper-clothes"),
        (tidy, ("Hat", 80, 5, 90, 20), "Background"),
    ],
)
def test_rejects(rule, wrong: tuple, becomes: str) -> None:
    label_map = painted(*PERSON, wrong)
    changed = rule(label_map)
    changed = label_map if changed is None else changed
    np.testing.assert_array_equal(changed, painted(*PERSON, (becomes, *wrong[1:])))


@pytest.mark.parametrize(
    "right",
    [("Hat", 5, 30, 10, 50), ("Sunglasses", 18, 35, 21, 45), ("Belt", 55, 20, 58, 60), ("Bag", 60, 5, 80, 20)],
)
def test_leaves_what_can_be(right: tuple[str, int, int, int, int]) -> None:
    label_map = painted(*PERSON, right)
    np.testing.assert_array_equal(tidy(label_map), label_map)


@pytest.mark.parametrize("value", [0, 4])
def test_one_class_alone_stays(value: int) -> None:
    label_map = np.full((30, 20), value, np.uint8)
    np.testing.assert_array_equal(tidy(label_map), label_map)


def test_twice_is_once_and_the_argument_stays(rng: np.random.Generator) -> None:
    label_map = rng.integers(0, 18, (12, 10), dtype=np.uint8).repeat(9, 0).repeat(9, 1)
    before = label_map.copy()
    once = tidy(label_map)
    np.testing.assert_array_equal(label_map, before)
    assert set(np.unique(once)) <= set(np.unique(before))
