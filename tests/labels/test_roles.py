"""Roles, sides, pairs and the background are derived from class names."""

import pytest

from clothseg.labels.roles import find_background, find_pairs, part_of, role_of, side_of


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Upper-clothes", "upper"),
        ("short sleeve top", "upper"),
        ("vest dress", "dress"),
        ("t-shirt", "upper"),
        ("LowerClothes", "lower"),
        ("bottom", "lower"),
        ("lower body", "lower"),
        ("skin", "skin"),
        ("arm skin", "arm"),
        ("Left_Lower_Arm", "arm"),
        ("Right_Upper_Leg", "leg"),
        ("Face_Neck", "face"),
        ("Torso-skin", "torso"),
        ("hair accessory", "hat"),
        ("leg warmer", "sock"),
        ("hand bag", "bag"),
        ("sunglasses", "glasses"),
        ("sleeve", "detail"),
        ("Apparel", "other"),
        ("", "other"),
        ("armour", "other"),
    ],
)
def test_last_words_determine_the_role(name: str, role: str) -> None:
    assert role_of(name) == role


@pytest.mark.parametrize(
    ("name", "side", "part"),
    [
        ("Left-shoe", "left", "shoe"),
        ("shoe_r", "right", "shoe"),
        ("RightLeg", "right", "leg"),
        ("leftover", None, "leftover"),
        ("left and right shoe", None, "and shoe"),
    ],
)
def test_sides_are_whole_words(name: str, side: str | None, part: str) -> None:
    assert (side_of(name), part_of(name)) == (side, part)


def test_pairs_need_both_sides() -> None:
    assert find_pairs(["bg", "right shoe", "Left Shoe", "left arm", "hat"]) == ((2, 1),)


def test_find_background_prefers_the_clearest_name() -> None:
    assert find_background(["unlabeled", "collar", "Background"]) == 2
    assert find_background(["Everything Else", "hat"]) == 0
    assert find_background(["wall", "floor"]) is None
