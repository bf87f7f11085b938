"""clothseg.postprocess.cleanup on hand-painted label maps."""

import numpy as np
import pytest

from clothseg.labels import LABEL2ID
from clothseg.postprocess.cleanup import (
    LEGS_DOUBTED,
    LEGS_LEAST,
    apply_cleanup,
    drop_specks,
    drop_strays,
    keep_on_head,
    without_legs,
)


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
        (apply_cleanup, ("Hat", 80, 5, 90, 20), "Background"),
    ],
)
def test_rule_replaces_wrong_region(rule, wrong: tuple, becomes: str) -> None:
    label_map = painted(*PERSON, wrong)
    changed = rule(label_map)
    changed = label_map if changed is None else changed
    np.testing.assert_array_equal(changed, painted(*PERSON, (becomes, *wrong[1:])))


@pytest.mark.parametrize(
    "right",
    [("Hat", 5, 30, 10, 50), ("Sunglasses", 18, 35, 21, 45), ("Belt", 55, 20, 58, 60), ("Bag", 60, 5, 80, 20)],
)
def test_cleanup_keeps_plausible_regions(right: tuple[str, int, int, int, int]) -> None:
    label_map = painted(*PERSON, right)
    np.testing.assert_array_equal(apply_cleanup(label_map), label_map)


@pytest.mark.parametrize("value", [0, 4])
def test_cleanup_keeps_single_class_maps(value: int) -> None:
    label_map = np.full((30, 20), value, np.uint8)
    np.testing.assert_array_equal(apply_cleanup(label_map), label_map)


def test_cleanup_copies_its_argument_and_adds_no_class(rng: np.random.Generator) -> None:
    label_map = rng.integers(0, 18, (12, 10), dtype=np.uint8).repeat(9, 0).repeat(9, 1)
    before = label_map.copy()
    once = apply_cleanup(label_map)
    np.testing.assert_array_equal(label_map, before)
    assert set(np.unique(once)) <= set(np.unique(before))


HALF_LENGTH = (("Hair", 10, 24, 30, 56), ("Face", 14, 28, 44, 52), ("Upper-clothes", 44, 10, 100, 70))
STRAY = ("Left-shoe", 97, 40, 100, 50)


def as_logits(label_map: np.ndarray, second: str, best: float = 5) -> np.ndarray:
    """Logits of a label map with `second` as the second best class; confidence grows with `best` above 1."""
    logits = np.full((18, *label_map.shape), -4, np.float32)
    logits[LABEL2ID[second]] = 1
    np.put_along_axis(logits, label_map[None].astype(np.int64), best, axis=0)
    return logits


@pytest.mark.parametrize("second", ["Upper-clothes", "Bag"])
@pytest.mark.parametrize("stray", [STRAY, ("Right-leg", 90, 60, 94, 65)])
def test_legs_are_removed_from_half_length_photos(stray: tuple, second: str) -> None:
    logits = as_logits(painted(*HALF_LENGTH, stray), second)
    before = logits.copy()
    label_map = without_legs(logits).argmax(axis=0)
    np.testing.assert_array_equal(label_map, painted(*HALF_LENGTH, (second, *stray[1:])))
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize(
    "boxes",
    [
        (*PERSON, ("Left-leg", 97, 40, 100, 46)),  # the photo extends far enough below the face
        (*HALF_LENGTH, ("Left-leg", 80, 20, 100, 50)),  # a large leg: seated
        (*HALF_LENGTH, ("Face", 30, 60, 40, 72), STRAY),  # of a smaller person further away
        (HALF_LENGTH[2], STRAY),  # no face to measure by
        HALF_LENGTH,
    ],
)
def test_plausible_legs_are_kept(boxes: tuple) -> None:
    logits = as_logits(painted(*boxes), "Bag")
    assert without_legs(logits) is logits


def test_tiny_false_face_does_not_keep_the_legs() -> None:
    logits = as_logits(painted(*HALF_LENGTH, ("Face", 50, 10, 51, 12), STRAY), "Bag")
    assert without_legs(logits) is not logits


@pytest.mark.parametrize(("best", "least"), [(5, LEGS_LEAST), (1.5, LEGS_DOUBTED)])
def test_leg_threshold_is_a_share_of_the_figure(best: float, least: float) -> None:
    figure = np.count_nonzero(painted(*HALF_LENGTH))
    for area in range(20, 180, 10):
        logits = as_logits(painted(*HALF_LENGTH, ("Left-leg", 90, 20, 100, 20 + area // 10)), "Bag", best)
        assert (without_legs(logits) is logits) == (area >= least * figure)
