"""Label sets of any names are consistent, and invalid ones give a clear error."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clothseg.errors import ConfigError, UnknownClassError
from clothseg.labels import ATR, IGNORE, KNOWN, LabelSet, channel_order, label_set_of


PARTS = ("hat", "hair", "upper clothes", "skirt", "shoe", "arm", "sleeve", "zebra", "watch", "Body", "All garments")

names = st.lists(
    st.builds(lambda side, part: side + part, st.sampled_from(("", "left ", "right_", "L-")), st.sampled_from(PARTS)),
    min_size=1,
    max_size=30,
    unique=True,
)


@given(names)
def test_any_names_make_a_consistent_label_set(foreground: list[str]) -> None:
    labels = LabelSet.of(["Background", *foreground])
    assert labels.names == ("Background", *foreground) and labels.foreground == tuple(foreground)
    assert labels.roles[0] == "background" and "background" not in labels.roles[1:]
    everything = np.arange(256, dtype=np.uint8)
    assert (labels.swap_sides(labels.swap_sides(everything)) == everything).all()
    assert labels.swap_table[0] == 0 and labels.swap_table[IGNORE] == IGNORE
    assert len(set(labels.colors)) == len(labels) and not labels.palette[len(labels) :].any()
    for group, members in labels.groups.items():
        assert members and labels.ids_of([group]) == [labels.id_of(name) for name in members]
    assert set(labels.garments) <= set(labels.foreground) and labels.garments
    assert LabelSet.of(labels.names) == labels == pickle.loads(pickle.dumps(labels))
    assert hash(LabelSet.of(labels.names)) == hash(labels)


@given(names, st.randoms())
def test_background_is_moved_to_class_0(foreground: list[str], random: object) -> None:
    mixed = [*foreground, "background"]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    labels = LabelSet.from_id2label(dict(enumerate(mixed)))
    order = channel_order(mixed)
    assert sorted(order) == list(range(len(mixed)))
    assert [mixed[channel] for channel in order if channel is not None] == list(labels.names)
    assert labels.background == "background"


@given(names)
def test_missing_background_is_added(foreground: list[str]) -> None:
    labels = LabelSet.from_id2label(dict(enumerate(foreground)))
    assert labels.names == ("Background", *foreground)
    assert channel_order(foreground) == (None, *range(len(foreground)))


def test_numbered_names_start_with_the_background() -> None:
    numbered = {i: f"LABEL_{i}" for i in range(3)}
    assert LabelSet.from_id2label(numbered).names == tuple(numbered.values())


def test_mirroring_swaps_pairs(rng: np.random.Generator) -> None:
    labels = LabelSet.of(["background", "left_glove", "shoe R", "right_glove", "shoe L"])
    assert labels.pairs == ((1, 3), (4, 2))
    label_map = rng.integers(0, 5, (6, 4), dtype=np.uint8)
    assert (labels.mirror(label_map) == labels.swap_sides(label_map)[:, ::-1]).all()
    assert (labels.mirror(labels.mirror(label_map)) == label_map).all()


@pytest.mark.parametrize(
    ("id2label", "message"),
    [
        ({0: "Background", 2: "Hat"}, "without gaps, but 1 has no name"),
        ({0: "Background", 1: "Hat", 2: "Hat"}, "'Hat'"),
        ({0: "Background", 1: " "}, "printable"),
        ({0: "Background", 1: None}, "printable"),
        ({0: "Background"}, "2 to 255 classes"),
        ({i: f"class {i}" for i in range(300)}, "not 301"),
        ({"zero": "Background", "one": "Hat"}, "whole numbers"),
        ({0: "Background", "0": "Hat"}, "twice"),
        (["Background", "Hat"], "whole numbers"),
    ],
)
def test_invalid_id2label_raises_config_error(id2label: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        label_set_of(id2label)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"roles": ("background", "toga", "hat")}, "no role 'toga'"),
        ({"roles": ("background",)}, "as many roles"),
        ({"pairs": ((1, 1),)}, "one pair only"),
        ({"pairs": ((0, 1),)}, "from 1 to 2"),
        ({"colors": (None, (1, 2, 256), None)}, "0 to 255"),
        ({"groups": {"Hat": ("Hat",)}}, "a class and of a group"),
        ({"groups": {"Heads": ("Head",)}}, "unknown class 'Head'"),
        ({"groups": {"Heads": ()}}, "no class"),
    ],
)
def test_inconsistent_parts_raise_config_error(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LabelSet.of(("Background", "Hat", "Shoe"), **given)  # type: ignore[arg-type]


def test_unknown_class_error_lists_the_classes() -> None:
    labels = LabelSet.of(["Background", "Cape"])
    for look_up in (labels.id_of, lambda name: labels.ids_of([name])):
        with pytest.raises(UnknownClassError, match=r"'Hat'; the classes are: Background, Cape"):
            look_up("Hat")


def test_label_set_of_body_parts_uses_them_as_garments() -> None:
    labels = LabelSet.of(["Background", "Face", "Hair"])
    assert labels.garments == ("Face", "Hair")


def test_known_label_sets_are_recognised_by_their_names() -> None:
    for known in KNOWN.values():
        assert label_set_of(known.id2label) is known
        louder = {index: name.upper() for index, name in known.id2label.items()}
        found = label_set_of(louder)
        assert (found.names, found.title) == (tuple(louder.values()), known.title)
        assert (found.roles, found.pairs, found.colors) == (known.roles, known.pairs, known.colors)


def test_other_sets_use_atr_colours_for_the_same_roles() -> None:
    found = label_set_of({0: "bg", 1: "boots", 2: "cape", 3: "coat"})
    assert found.hex_color("boots") == ATR.hex_color("Left-shoe")
    assert found.hex_color("cape") == ATR.hex_color("Upper-clothes") != found.hex_color("coat")
