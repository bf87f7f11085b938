"""The label sets that come with clothseg: those of the field's data sets and models."""

from collections.abc import Mapping
from typing import Any

from clothseg.labels.label_set import Color, LabelSet, names_of
from clothseg.labels.roles import WHOLES, role_of, side_of, words_of


# Light/dark steps tell a pair's sides apart (left darker); neighbours on the body differ in
# lightness as well as hue, so the overlay still reads with colour-blind eyes and in grey.
_ATR: dict[str, Color] = {
    "Background": (0, 0, 0),
    "Hat": (230, 25, 75),
    "Hair": (112, 62, 20),
    "Sunglasses": (20, 20, 60),
    "Upper-clothes": (66, 133, 244),
    "Skirt": (245, 130, 190),
    "Pants": (20, 60, 150),
    "Dress": (170, 40, 190),
    "Belt": (255, 225, 25),
    "Left-shoe": (200, 80, 0),
    "Right-shoe": (255, 160, 60),
    "Face": (255, 205, 170),
    "Left-leg": (0, 110, 80),
    "Right-leg": (70, 200, 140),
    "Left-arm": (0, 120, 140),
    "Right-arm": (90, 210, 230),
    "Bag": (60, 180, 20),
    "Scarf": (190, 240, 70),
}

ATR = LabelSet.of(tuple(_ATR), "ATR", colors=tuple(_ATR.values()))
"""The default. Names, ids and order are those of the Hub's `mattmdjaga/human_parsing_dataset` and
`mattmdjaga/segformer_b2_clothes`."""


def _like_atr(names: tuple[str, ...]) -> tuple[Color | None, ...]:
    """Return ATR's colours for the first class of each of ATR's roles, so that two models' pictures can be
    compared."""
    colors: dict[tuple[str, str | None], Color] = {}
    for name, color in list(_ATR.items())[1:]:
        for side in {side_of(name), None}:
            colors.setdefault((role_of(name), side), color)
    roles = [role_of(name) for name in names]
    roles = [WHOLES[role][0] if role in WHOLES and not {*WHOLES[role]} & {*roles} else role for role in roles]
    sides = map(side_of, names)
    return ((0, 0, 0), *(colors.pop(each, None) for each in list(zip(roles, sides, strict=True))[1:]))


def _known(title: str, *names: str) -> LabelSet:
    return LabelSet.of(names, title, colors=_like_atr(names))


LIP = _known(
    *("LIP", "Background", "Hat", "Hair", "Glove", "Sunglasses", "Upper-clothes", "Dress", "Coat", "Socks", "Pants"),
    *("Jumpsuits", "Scarf", "Skirt", "Face", "Left-arm", "Right-arm", "Left-leg", "Right-leg", "Left-shoe"),
    "Right-shoe",
)
"""Look Into Person, in the order of its annotations and of SCHP's model."""

CIHP = _known(
    *("CIHP", "Background", "Hat", "Hair", "Glove", "Sunglasses", "Upper-clothes", "Dress", "Coat", "Socks", "Pants"),
    *("Torso-skin", "Scarf", "Skirt", "Face", "Left-arm", "Right-arm", "Left-leg", "Right-leg", "Left-shoe"),
    "Right-shoe",
)
"""Crowd Instance-level Human Parsing: as LIP, but class 10."""

FASHN = _known(
    *("FASHN", "background", "face", "hair", "top", "dress", "skirt", "pants", "belt", "bag", "hat", "scarf"),
    *("glasses", "arms", "hands", "legs", "feet", "torso", "jewelry"),
)
"""`fashn-ai/fashn-human-parser`. Its feet include shoes."""

FASHIONPEDIA = _known(
    *("Fashionpedia", "Everything Else", "shirt, blouse", "top, t-shirt, sweatshirt", "sweater", "cardigan", "jacket"),
    *("vest", "pants", "shorts", "skirt", "coat", "dress", "jumpsuit", "cape", "glasses", "hat"),
    *("headband, head covering, hair accessory", "tie", "glove", "watch", "belt", "leg warmer", "tights, stockings"),
    *("sock", "shoe", "bag, wallet", "scarf", "umbrella", "hood", "collar", "lapel", "epaulette", "sleeve", "pocket"),
    *("neckline", "buckle", "zipper", "applique", "bead", "bow", "flower", "fringe", "ribbon", "rivet", "ruffle"),
    *("sequin", "tassel"),
)
"""Fashionpedia's 27 garments and accessories and 19 parts, in the order of `sayeed99/segformer-b3-fashion`. There are
no classes for body parts."""

KNOWN = {each.title: each for each in (ATR, LIP, CIHP, FASHN, FASHIONPEDIA)}
"""The built-in label sets by title."""


def label_set_of(id2label: Mapping[Any, str], title: str = "") -> LabelSet:
    """Return the label set of a configuration's `id2label`: a built-in one if it has the same classes in the same
    order, however they are spelled, else `LabelSet.from_id2label`, with ATR's colours where the roles are ATR's.

    Raises:
        ConfigError: as for `LabelSet.from_id2label`.
    """
    names = names_of(id2label)
    for known in KNOWN.values():
        if known.names == names:
            return known
        if [words_of(str(name)) for name in names[1:]] == [words_of(name) for name in known.foreground]:
            return LabelSet.of(names, known.title, roles=known.roles, pairs=known.pairs, colors=known.colors)
    made = LabelSet.from_id2label(id2label, title)
    return LabelSet.of(made.names, title, colors=_like_atr(made.names))
