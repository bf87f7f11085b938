"""Shared classes of two label sets, and tables that map both label maps to them."""

from itertools import permutations

import numpy as np

from clothseg.labels import ATR, FASHIONPEDIA, FASHN, IGNORE, KNOWN, LIP, LabelSet, label_set_of
from clothseg.labels.shared import shared_classes


def test_label_set_shares_all_classes_with_itself() -> None:
    for known in KNOWN.values():
        first, second = shared_classes(known, known).tables
        assert (first == second).all() and (first[: len(known)] == np.arange(len(known))).all()


def test_tables_are_consistent_for_all_built_in_sets() -> None:
    for one, other in permutations(KNOWN.values(), 2):
        shared = shared_classes(one, other)
        assert len(set(shared.names)) == len(shared.names)
        for labels, table, left_out in zip((one, other), shared.tables, shared.left_out, strict=True):
            used = table[: len(labels)]
            assert set(used[used != IGNORE].tolist()) == set(range(len(shared.classes)))
            assert [labels.names[i] for i in np.flatnonzero(used == IGNORE)] == list(left_out)
            assert (table[len(labels) :] == IGNORE).all() and table[0] == 0


def test_matching_is_symmetric() -> None:
    for one, other in permutations(KNOWN.values(), 2):
        forth = {(each.first, each.second) for each in shared_classes(one, other).classes}
        back = {(each.second, each.first) for each in shared_classes(other, one).classes}
        assert forth == back


def matches(first: LabelSet, second: LabelSet) -> dict[str, tuple[list[str], list[str]]]:
    return {
        each.name: ([first.names[i] for i in each.first], [second.names[i] for i in each.second])
        for each in shared_classes(first, second).classes
    }


def test_fashn_matches_atr() -> None:
    found = matches(FASHN, ATR)
    assert found["top"] == (["top"], ["Upper-clothes"])
    assert found["Arm"] == (["arms", "hands"], ["Left-arm", "Right-arm"])
    assert found["feet"] == (["feet"], ["Left-shoe", "Right-shoe"])
    assert shared_classes(FASHN, ATR).left_out == (("torso", "jewelry"), ())


def test_lip_matches_atr_with_sides() -> None:
    found = matches(LIP, ATR)
    assert found["Left-arm"] == (["Left-arm"], ["Left-arm"])
    assert found["Upper-clothes"] == (["Upper-clothes", "Coat"], ["Upper-clothes"])
    assert found["Dress"] == (["Dress", "Jumpsuits"], ["Dress"])
    assert shared_classes(LIP, ATR).left_out == (("Glove", "Socks"), ("Belt", "Bag"))
    assert matches(ATR, LIP)["Upper-clothes"] == (["Upper-clothes"], ["Upper-clothes", "Coat"])


def test_coarse_classes_match_their_parts() -> None:
    five = label_set_of(dict(enumerate(["background", "top", "bottom", "dress", "shoes", "skin"])))
    found = matches(five, ATR)
    assert found["bottom"] == (["bottom"], ["Skirt", "Pants"])
    assert found["skin"] == (["skin"], ["Face", "Left-leg", "Right-leg", "Left-arm", "Right-arm"])
    assert found["shoes"] == (["shoes"], ["Left-shoe", "Right-shoe"])
    assert matches(five, FASHN)["skin"] == (["skin"], ["face", "arms", "hands", "legs", "torso"])
    assert "Socks" in shared_classes(five, LIP).left_out[1]
    with_parts = LabelSet.of(["background", "skirt", "bottoms", "face", "skin"])
    assert matches(with_parts, ATR)["bottoms"] == (["bottoms"], ["Pants"])
    assert matches(with_parts, ATR)["skin"][1] == ["Left-leg", "Right-leg", "Left-arm", "Right-arm"]
    assert five.palette[2].tolist() == list(ATR.palette[6]) and five.groups["Lower"] == ("bottom", "dress")


def test_unknown_classes_match_by_name_only() -> None:
    one = LabelSet.of(["Background", "veil", "sleeve", "watch"])
    other = LabelSet.of(["bg", "Watch", "cloak", "zipper"])
    assert list(matches(one, other)) == ["Background", "watch"]


def test_description_names_differences() -> None:
    lines = shared_classes(FASHIONPEDIA, ATR).describe(FASHIONPEDIA, ATR)
    assert "Pants: pants + shorts = Pants" in lines
    assert lines[-1] == "only in ATR: Hair, Face, Left-leg, Right-leg, Left-arm, Right-arm"
