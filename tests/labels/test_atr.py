"""The 18 ATR classes form one consistent table."""

import numpy as np
import pytest

from clothseg import labels
from clothseg.errors import UnknownClassError


def test_atr_ids_and_names_are_consistent() -> None:
    assert labels.NUM_CLASSES == 18 == len(set(labels.NAMES))
    assert labels.ID2LABEL[0] == "Background"
    assert {name: labels.ID2LABEL[index] for name, index in labels.LABEL2ID.items()} == {n: n for n in labels.NAMES}


def test_side_pairs_are_left_and_right_of_one_part() -> None:
    for left, right in labels.SIDE_PAIRS:
        assert labels.NAMES[left].startswith("Left-")
        assert labels.NAMES[right] == labels.NAMES[left].replace("Left-", "Right-")
    sided = {name for name in labels.NAMES if name.startswith(("Left-", "Right-"))}
    assert sided == {labels.NAMES[index] for pair in labels.SIDE_PAIRS for index in pair}


def test_swap_sides_is_its_own_inverse_and_keeps_255() -> None:
    everything = np.arange(256, dtype=np.uint8)
    assert (labels.swap_sides(labels.swap_sides(everything)) == everything).all()
    assert labels.swap_sides(np.array([labels.IGNORE], np.uint8))[0] == labels.IGNORE


def test_mirror_is_its_own_inverse(rng: np.random.Generator) -> None:
    label_map = rng.integers(0, 18, (7, 5), dtype=np.uint8)
    assert (labels.mirror(labels.mirror(label_map)) == label_map).all()
    assert not (labels.mirror(label_map) == label_map).all()


def test_garments_and_body_partition_the_foreground() -> None:
    for names in labels.GROUPS.values():
        assert labels.ids_of(names)
    garments, body = set(labels.GROUPS["All garments"]), set(labels.GROUPS["Body"])
    assert garments | body == set(labels.NAMES) - {"Background"}
    assert not garments & body


def test_palette_colours_are_unique() -> None:
    assert labels.PALETTE.shape == (18, 3)
    assert len({tuple(colour) for colour in labels.PALETTE.tolist()}) == 18
    assert labels.hex_color("Background") == "#000000"


def test_unknown_name_raises_unknown_class_error() -> None:
    with pytest.raises(UnknownClassError, match=r"'Toga'.*Upper-clothes"):
        labels.ids_of(["Hat", "Toga"])


def test_group_names_expand_to_their_classes() -> None:
    assert labels.ids_of(["Hat", "Lower", "Dress"]) == [1, 5, 6, 7, 8]
    assert labels.class_names(("Lower", "Hat")) == ("Hat", "Skirt", "Pants", "Dress", "Belt")
    with pytest.raises(UnknownClassError, match="groups of them: All garments, Upper"):
        labels.class_names(("Lower", "Shirts"))


def test_ink_has_the_better_contrast() -> None:
    for name in labels.NAMES:
        contrast = {ink: _contrast(labels.hex_color(name), ink) for ink in ("#000000", "#ffffff")}
        assert labels.ink(name) == max(contrast, key=contrast.__getitem__)
        assert contrast[labels.ink(name)] > 4.5  # WCAG's minimum for text


def _contrast(color: str, other: str) -> float:
    """WCAG's contrast ratio of two colours."""

    def luminance(text: str) -> float:
        parts = (int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(color), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
