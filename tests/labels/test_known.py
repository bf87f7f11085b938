"""The built-in label sets have the published ids and suitable roles."""

import pytest

from clothseg.labels.known import ATR, CIHP, FASHIONPEDIA, FASHN, KNOWN, LIP
from clothseg.labels.label_set import LabelSet


@pytest.mark.parametrize(
    ("labels", "count", "some"),
    [
        (ATR, 18, {0: "Background", 4: "Upper-clothes", 9: "Left-shoe", 17: "Scarf"}),
        (LIP, 20, {0: "Background", 3: "Glove", 7: "Coat", 10: "Jumpsuits", 19: "Right-shoe"}),
        (CIHP, 20, {0: "Background", 3: "Glove", 7: "Coat", 10: "Torso-skin", 19: "Right-shoe"}),
        (FASHN, 18, {0: "background", 3: "top", 12: "arms", 15: "feet", 17: "jewelry"}),
        (FASHIONPEDIA, 47, {1: "shirt, blouse", 27: "umbrella", 28: "hood", 46: "tassel"}),
    ],
)
def test_ids_are_the_published_ones(labels: LabelSet, count: int, some: dict[int, str]) -> None:
    assert len(labels) == count
    assert {index: labels.names[index] for index in some} == some


def test_every_built_in_class_has_a_role() -> None:
    assert not [
        name for each in KNOWN.values() for name, role in zip(each.names, each.roles, strict=True) if role == "other"
    ]


def test_classes_of_the_same_role_and_side_share_a_colour() -> None:
    for other in (LIP, CIHP, FASHN, FASHIONPEDIA):
        for name in ("Hair", "Skirt", "Bag", "Right-arm"):
            role, side = ATR.roles[ATR.id_of(name)], name.startswith("Right")
            twins = [each for each, its in zip(other.names, other.roles, strict=True) if its == role]
            twins = [each for each in twins if each.startswith("Right") == side]
            assert not twins or other.hex_color(twins[0]) == ATR.hex_color(name)


def test_built_in_sets_have_side_pairs() -> None:
    assert LIP.pairs == CIHP.pairs == ((14, 15), (16, 17), (18, 19))
    assert FASHN.pairs == FASHIONPEDIA.pairs == ()
