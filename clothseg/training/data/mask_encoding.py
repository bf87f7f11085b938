"""Check that masks contain ATR's class ids, and recognise other encodings before a model is trained on them.

Masks in another encoding often decode without an error: 0 and 255 for background and figure, LIP's ids, ids shifted by
one. A model trained on them gets good figures and is useless. The positions of the classes in the photos reveal such
masks.

The limits were measured on the 799 rows of CCP-as-ATR `train.parquet`: along the borders of every photo at least 94 %
of the pixels are Background; 99.8 % of the orders in `ORDER` hold over all photos, and at least 87 % in each single
photo. If LIP's ids are read as ATR's, at most 75 % of them hold; with ids shifted by one 64 to 71 %; with permuted ids
70 % (median).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clothseg.labels import ATR, BACKGROUND, IGNORE, LABEL2ID, NAMES, LabelSet
from clothseg.training.data.mask_statistics import MaskStatistics


_HEAD = ("Hat", "Hair", "Sunglasses", "Face")
_LEGS = ("Left-leg", "Right-leg")
_SHOES = ("Left-shoe", "Right-shoe")
ORDER: tuple[tuple[str, str], ...] = (
    *((upper, lower) for upper in _HEAD for lower in ("Upper-clothes", "Skirt", "Pants", "Dress", "Belt")),
    *((upper, lower) for upper in (*_HEAD, "Upper-clothes", "Skirt", "Dress", "Belt", "Scarf") for lower in _LEGS),
    *((upper, lower) for upper in (*_HEAD, *_LEGS, "Left-arm", "Right-arm") for lower in _SHOES),
    *((upper, lower) for upper in ("Upper-clothes", "Skirt", "Pants", "Dress", "Belt", "Scarf") for lower in _SHOES),
    *(("Upper-clothes", lower) for lower in ("Skirt", "Pants")),
    ("Scarf", "Pants"),
)
"""Pairs of classes: the first one is above the second one on a standing person."""

MIN_ORDERED = 0.8
"""Share of the orders that hold, in the direction that suits each photo best, below which the ids must be wrong."""
MIN_ORDERS = 30
"""Least number of observed pairs for a decision: one or two photos of whole people."""
MIN_OTHER, MIN_BETTER = 0.95, 0.1
"""Share of the orders that hold if masks are read in another encoding, and its lead over ATR's ids, from which on the
other encoding is more likely."""
MIN_UPRIGHT = 0.75
"""Share of the orders that hold in upright photos, below which there is a warning."""
MIN_SIDES, MIN_SIDES_SEEN = 0.35, 20
"""Share of the pairs whose left part is on the photo's right, below which sides may be the viewer's, and the least
number of observed pairs."""
MIN_BORDER = 0.5
"""Least share of Background along the borders; a lower share means close-ups or wrong ids."""
MIN_BACKGROUND = 0.02
"""Least share of Background among the annotated pixels."""
MAX_IGNORED = 0.5
"""Largest share of 255 in the photos' centre."""
MAX_LONE_HAT = 0.1
"""Largest share of Hat pixels in masks that contain only Background and Hat."""
BORDERLESS = (*_HEAD, *_LEGS, *_SHOES, "Belt", "Left-arm", "Right-arm", "Scarf")
"""Classes that cannot fill a photo's borders, even in close-ups; only large garments and bags can."""

_LIP = {
    "Hat": 1, "Hair": 2, "Sunglasses": 4, "Upper-clothes": 5, "Dress": 6, "Pants": 9, "Scarf": 11, "Skirt": 12,
    "Face": 13, "Left-arm": 14, "Right-arm": 15, "Left-leg": 16, "Right-leg": 17,
}  # fmt: skip
OTHER_IDS: dict[str, dict[str, int]] = {
    "the ids of LIP (or CIHP), whose 20 classes have another order": _LIP,
    "ATR's ids plus one": {name: index + 1 for index, name in enumerate(NAMES[:-1])},
    "ATR's ids minus one": {name: index - 1 for index, name in enumerate(NAMES) if index},
}
"""Other encodings: their name, and the id of each class in them."""


class Finding(NamedTuple):
    """A problem with masks. `refused`: they cannot be right, so training would be wasted."""

    text: str
    refused: bool


def findings_about(masks: MaskStatistics, labels: LabelSet = ATR) -> list[Finding]:
    """Return reasons why masks may not contain the ids of a label set, the worst first; an empty list for valid masks.

    A lack of masks, and photos of something other than whole people, give warnings at most. So do label sets other
    than ATR, whose classes are known only by their names, unless the masks show a single class.
    """
    shown = np.flatnonzero(masks.pixels.any(axis=0))
    if not (masks.pixels.any() or masks.ignored.any()):
        return []
    one_class, order = _one_class(masks, shown, labels), _order(masks, labels)
    rest = (order,) if order and order.refused else (order, _sides(masks, labels), _absent(shown, labels))
    others = [finding for finding in (*_surroundings(masks, labels), *(rest if len(shown) > 2 else ())) if finding]
    if labels != ATR:
        others = [finding._replace(refused=False) for finding in others]
    found = [*filter(None, [one_class]), *others]
    return sorted(found, key=lambda finding: not finding.refused)


def only_class_of(pixels: npt.NDArray[np.int64], labels: LabelSet = ATR) -> str | None:
    """Return the name of the only class in masks with these pixels (..., C); None if there are none or several."""
    shown = np.flatnonzero(pixels.reshape(-1, len(labels)).any(axis=0))
    return labels.names[shown[0]] if len(shown) == 1 else None


def _one_class(masks: MaskStatistics, shown: npt.NDArray[np.int64], labels: LabelSet) -> Finding | None:
    """Find masks of a figure and a background, or without classes."""
    total, ignored = int(masks.pixels.sum()), int(masks.ignored.sum())
    if not len(shown):
        return Finding(f"all pixels are {IGNORE}, which means not annotated: there is nothing to learn", True)
    if len(shown) == 1:
        beside = f" and {IGNORE} (not annotated)" if ignored else ""
        guess = (
            f"; masks of 0 and {IGNORE} for background and figure must be converted to class ids first"
            if ignored and shown[0] == BACKGROUND
            else ""
        )
        return Finding(f"they contain only {shown[0]} ({labels.names[shown[0]]}){beside}: a single class{guess}", True)
    if len(shown) > 2 or BACKGROUND not in shown:
        return None
    share = masks.pixels[:, shown[1]].sum() / total
    name = labels.names[shown[1]]
    text = (
        f"they contain only 0 ({labels.background}) and {shown[1]} ({name}), the latter in {share:.0%} of the pixels"
    )
    if len(labels) == 2:
        return None
    if labels == ATR and name == "Hat" and share > MAX_LONE_HAT:
        return Finding(
            f"{text}: masks of 0 and 1 for background and figure must be converted to class ids first", True
        )
    return Finding(f"{text}: a model trained on them knows no other class", False)


def _surroundings(masks: MaskStatistics, labels: LabelSet) -> list[Finding | None]:
    """Check the photos' borders and centres."""
    border, middle = masks.border.sum(axis=0), masks.middle.sum(axis=0)
    annotated, around = masks.pixels.sum(), max(int(border[:-1].sum()), 1)
    found: list[Finding | None] = []
    if annotated and around > border[-1]:
        share, most = border[BACKGROUND] / around, int(border[:-1].argmax())
        background = masks.pixels[:, BACKGROUND].sum() / annotated
        if share < MIN_BORDER:
            impossible = border[most] / around > MIN_BORDER and (
                labels.names[most] in BORDERLESS or (most != BACKGROUND and background < MIN_BACKGROUND)
            )
            guess = " (ids shifted by one?)" if most == 1 else ""
            text = (
                f"along the photos' borders {share:.0%} of the pixels are {labels.background} and "
                f"{border[most] / around:.0%} {labels.names[most]}{guess}"
            )
            found.append(Finding(text, impossible))
    elif annotated and (background := masks.pixels[:, BACKGROUND].sum() / annotated) < MIN_BACKGROUND:
        name = labels.background
        text = f"{background:.1%} of the annotated pixels are {name}: a model trained on them hardly finds it"
        found.append(Finding(text, False))
    if annotated and middle[0] and middle[1] / middle[0] > MAX_IGNORED:
        text = f"in the photos' centre {middle[1] / middle[0]:.0%} of the pixels are {IGNORE} (not annotated)"
        found.append(Finding(text, False))
    return found


def ordered_share(
    places: npt.NDArray[np.float32], pairs: Sequence[tuple[int, int]] | None = None
) -> tuple[float, float, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Measure how well the positions of classes fit a standing person.

    Args:
        places: (N, 2, C) of `MaskStatistics`.
        pairs: ids of an upper and a lower class; pairs with an id of -1 are ignored. By default ATR's in `ORDER`.

    Returns:
        The share of the pairs that hold in upright photos; the share that hold in the direction that suits
        each photo best, which is also high for photos turned sideways; (P,) how often each pair was observed and how
        often it held upright. The shares are NaN if no pair was observed.
    """
    upper, lower = np.array(ordered_ids(LABEL2ID) if pairs is None else pairs, np.int64).reshape(-1, 2).T
    apart = places[:, :, lower] - places[:, :, upper]
    known = ~np.isnan(apart[:, 0]) & (np.minimum(upper, lower) >= 0)
    with np.errstate(invalid="ignore"):
        held = np.stack([sign * apart[:, axis] > 0 for axis in (0, 1) for sign in (1, -1)]) & known
    seen = known.sum()
    if not seen:
        return float("nan"), float("nan"), known.sum(axis=0), held[0].sum(axis=0)
    best = held.sum(axis=2).max(axis=0).sum()
    return held[0].sum() / seen, best / seen, known.sum(axis=0), held[0].sum(axis=0)


def ordered_ids(ids: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return the pairs of `ORDER` as ids, -1 for names that `ids` lacks."""
    return [(ids.get(upper, -1), ids.get(lower, -1)) for upper, lower in ORDER]


def ordered_pairs(labels: LabelSet) -> list[tuple[int, int]]:
    """Return the pairs of `ORDER` as ids of a label set, by the classes' roles."""
    roles = dict.fromkeys((ATR.roles[LABEL2ID[upper]], ATR.roles[LABEL2ID[lower]]) for upper, lower in ORDER)
    return [
        (above, below)
        for upper, lower in roles
        for above in labels.with_roles(upper)
        for below in labels.with_roles(lower)
    ]


def _order(masks: MaskStatistics, labels: LabelSet) -> Finding | None:
    """Check whether the classes are where a person has them."""
    pairs = ordered_ids(LABEL2ID) if labels == ATR else ordered_pairs(labels)
    upright, best, seen, held = ordered_share(masks.places, pairs)
    if seen.sum() < MIN_ORDERS:
        return None
    others = OTHER_IDS if labels == ATR else {}
    likely = {name: ordered_share(masks.places, ordered_ids(ids)) for name, ids in others.items()}
    held_in = {name: int(reading[3].sum()) for name, reading in likely.items() if reading[2].sum() >= MIN_ORDERS}
    fitting = {name: count for name, count in held_in.items() if likely[name][1] > max(MIN_OTHER, best + MIN_BETTER)}
    if best >= MIN_ORDERED and not fitting:
        return (
            None if upright >= MIN_UPRIGHT else Finding("many photos seem to be turned sideways or upside down", False)
        )
    worst = sorted(np.flatnonzero(seen), key=lambda pair: held[pair] - seen[pair])[:2]
    names = [tuple(labels.names[each] for each in pair) for pair in pairs]
    examples = " and ".join(
        f"{names[pair][0]} is below {names[pair][1]} in {seen[pair] - held[pair]} of {seen[pair]} photos"
        for pair in worst
    )
    guess = f"; they look like {max(fitting, key=lambda key: fitting[key])}" if fitting else ""
    return Finding(f"the classes are not where a person has them: {examples}{guess}", True)


def _sides(masks: MaskStatistics, labels: LabelSet) -> Finding | None:
    """Check whether left is the wearer's own left."""
    left, right = np.array(labels.pairs, np.int64).reshape(-1, 2).T
    apart = masks.places[:, 1, left] - masks.places[:, 1, right]
    seen = int((~np.isnan(apart)).sum())
    with np.errstate(invalid="ignore"):
        share = (apart > 0).sum() / max(seen, 1)
    if seen < MIN_SIDES_SEEN or share >= MIN_SIDES:
        return None
    return Finding(
        f"{_sided(labels)} are on the photo's left in {1 - share:.0%} of the cases: left is the wearer's "
        "own, which is on the photo's right if the person faces the camera",
        False,
    )


def _sided(labels: LabelSet) -> str:
    return "left arms, legs and shoes" if labels == ATR else "left classes"


def _absent(shown: npt.NDArray[np.int64], labels: LabelSet) -> Finding | None:
    if 2 * len(shown) >= len(labels):
        return None
    names = ", ".join(labels.names[index] for index in shown)
    return Finding(f"they show {len(shown)} of the {len(labels)} classes: {names}", False)


def shares_text(parts: Mapping[str, MaskStatistics], labels: LabelSet = ATR) -> str:
    """Return a table of each class's share of the annotated pixels and of the photos, for each part of a data set."""
    lines = [["", *(f"{part}, {what}" for part in parts for what in ("pixels", "photos"))]]
    for index, name in enumerate(labels.names):
        cells = []
        for masks in parts.values():
            pixels, photos = masks.pixels[:, index], max(len(masks.pixels), 1)
            cells += [f"{pixels.sum() / max(masks.pixels.sum(), 1):.2%}", f"{np.count_nonzero(pixels) / photos:.0%}"]
        lines.append([name, *cells])
    ignored = [masks.ignored.sum() / max((masks.pixels.sum() + masks.ignored.sum()), 1) for masks in parts.values()]
    lines.append(["Not annotated (255)", *(cell for share in ignored for cell in (f"{share:.2%}", ""))])
    first, *others = (max(map(len, column)) for column in zip(*lines, strict=True))
    return "\n".join(
        "  ".join([line[0].ljust(first), *(c.rjust(w) for c, w in zip(line[1:], others, strict=True))]).rstrip()
        for line in lines
    )
