"""The figure of a paper doll: draws a person's look as shapes, the farthest from the viewer first, without randomness.

A figure is drawn in its own coordinates: one unit is a head's height, x = 0 is its middle line and grows to
the image's right, y = 0 is the crown and grows downwards; the soles are at about 7.2. A limb's `side` is +1 on
the image's right and -1 on its left; which of them is the wearer's own left depends on which way it faces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt


Corners = Sequence[tuple[float, float]]
Points = npt.NDArray[np.float64]
"""(N, 2) x, y in heads: a polygon, or the joints of a limb from the trunk outwards."""

SHOULDER, WAIST, HIP, ANKLE = 1.5, 2.6, 3.55, 6.8
"""Heights of the figure's landmarks, in heads."""
CIRCLE: Points = np.stack([f(np.linspace(0, 2 * np.pi, 24, endpoint=False)) for f in (np.cos, np.sin)], 1)
WEAVES = {"plain": (0, 0), "stripes": (0, 1), "pinstripes": (1, 0), "checks": (0.5, 0.5)}
"""Shares of a fabric's other colour in its columns and its rows."""
HATS = {"beanie": (0, -0.22, 0.1, 0.1), "cap": (0, 0.29, 0.42, 0.09), "brim": (0, 0.24, 0.85, 0.12)}
"""The oval that each hat adds to its crown: bobble, peak or brim."""


class Fabric(NamedTuple):
    """Colouring of a shape: two RGB colours in 0..255, the pattern that mixes them, and its period in heads."""

    color: Sequence[float]
    other: Sequence[float] = ()
    pattern: str = "plain"
    period: float = 0.2

    def mix(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray:
        """Share of the other colour at the column `x` and row `y`, in periods from the middle of one."""
        if self.pattern == "dots":
            return x * x + y * y < 0.09
        columns, rows = WEAVES[self.pattern]
        return columns * (x < 0) + rows * (y < 0)


class Paint(Protocol):
    """Paints the union of `pieces` as class `name`; `relief` darkens its rim."""

    def __call__(self, name: str, fabric: Fabric, *pieces: Points, relief: float = 0.3) -> None: ...


@dataclass(frozen=True)
class Look:
    """One person: pose, body and clothes. Lengths are in heads; limbs are keyed by side, -1 or +1."""

    front: bool
    arms: dict[int, Points]  # shoulder, elbow, wrist
    legs: dict[int, Points]  # hip, knee, ankle; the one behind comes first
    skin: Fabric
    hair: Fabric
    hair_end: float  # height of its lower edge; 0 is short hair
    parting: float
    waist: float  # half widths
    hips: float
    outfit: str  # pants, skirt or dress
    top: Fabric
    bottom: Fabric
    leather: Fabric
    shoes: Fabric
    boots: bool
    sleeve: float  # length along the arm; 0 is sleeveless
    neckline: float
    top_end: float | None  # height of the upper's hem; None is tucked in
    skirt_end: float
    trousers: float  # length along the leg
    wide: float
    belt: bool
    bag: str  # none, hand, shoulder or pack
    bag_side: int
    scarf: Fabric | None
    scarf_end: tuple[float, float]
    hat: str  # none, beanie, cap or brim
    felt: Fabric
    sunglasses: bool

    def side_name(self, side: int) -> str:
        """Wearer's own side of the limb on this side of the image."""
        return "Left" if (side > 0) == self.front else "Right"

    def arm_is_across(self, side: int) -> bool:
        """Whether the forearm lies before the belly."""
        return bool(self.arms[side][2, 0] * side < 0.5)


def paint_figure(paint: Paint, look: Look) -> None:
    """Paint everything the person wears and is, from what is farthest from the viewer to what is nearest."""
    if look.front and look.hair_end:
        back_hair = [(0.3, 0.1), (0.46, 0.5), (0.5, look.hair_end), (0.2, look.hair_end + 0.05)]
        paint("Hair", look.hair, _blob(back_hair))
    behind = [side for side in look.arms if not look.front and look.arm_is_across(side)]
    for side in behind:
        _paint_arm(paint, look, side)
    _paint_legs(paint, look)
    _paint_clothes(paint, look)
    if look.front:
        neck = [*_limb([(0, 0.8), (0, 1.25)], (0.17, 0.18)), np.array([(-0.2, 1.2), (0.2, 1.2), (0, look.neckline)])]
        paint("Face", look.skin, *neck)
    for side in look.arms:
        if side not in behind:
            _paint_arm(paint, look, side)
    _paint_bag(paint, look)
    if look.scarf:
        x, y = look.scarf_end
        if look.front:
            paint("Scarf", look.scarf, *_limb([(0.8 * x, 1.3), (x, y)], (0.15, 0.17), flat=True))
        paint("Scarf", look.scarf, _oval(0, 1.22, 0.4, 0.2))
    _paint_head(paint, look)


def _paint_legs(paint: Paint, look: Look) -> None:
    """Bare legs down to the shoes; trousers and skirts come over them."""
    for side, leg in look.legs.items():
        knee, ankle = leg[1:]
        heel, toe = np.add(ankle, (0, 0.1)), np.add(ankle, (0.05 * side, 0.3 if look.front else 0.22))
        skin = _limb([*leg, heel], (0.29, 0.18, 0.1, 0.09))
        paint(f"{look.side_name(side)}-leg", look.skin, *skin)
        shaft = _limb([ankle + 0.45 * (knee - ankle), ankle], (0.19, 0.14)) if look.boots else []
        paint(f"{look.side_name(side)}-shoe", look.shoes, *_limb([heel, toe], (0.12, 0.17)), *shaft)


def _paint_clothes(paint: Paint, look: Look) -> None:
    """Upper, skirt, pants or dress without sleeves, and belt."""
    waist, hips = look.waist, look.hips
    torso = [(0.2, 1.2), (0.42, 1.3), (0.74, 1.38), (0.72, 1.75), (0.6, 2.0), (waist, WAIST)]
    # The skirt's hem clears both legs at its own height.
    knees = [leg[0] + (leg[2] - leg[0]) * (look.skirt_end - HIP) / (leg[2, 1] - HIP) for leg in look.legs.values()]
    flare = 0.25 * look.wide
    right = (max(hips, *(x + flare for x, _ in knees)), look.skirt_end)
    left = (min(-hips, *(x - flare for x, _ in knees)), look.skirt_end)
    skirt = [(hips, 3.3), right, right, left, left, (-hips, 3.3)]

    if look.outfit == "dress":
        paint("Dress", look.top, _blob(torso, skirt))
    elif look.top_end is None:
        paint("Upper-clothes", look.top, _blob(torso))
    if look.outfit == "skirt":
        paint("Skirt", look.bottom, _smooth([(-waist, WAIST - 0.1), (waist, WAIST - 0.1), *skirt]))
    elif look.outfit == "pants":
        for leg in look.legs.values():
            cut = _cut(leg, look.trousers)
            cuff = 0.21 if look.trousers < 2 else 0.16 * look.wide
            paint("Pants", look.bottom, *_limb(cut, np.linspace(0.32, cuff, len(cut)), flat=True))
        seat = [(waist, WAIST - 0.1), (waist, WAIST), (hips, 3.35), (hips - 0.02, 3.6), (0.1, 3.85)]
        paint("Pants", look.bottom, _blob(seat))
    if look.top_end is not None:
        hem = (hips + 0.05, look.top_end)
        paint("Upper-clothes", look.top, _blob([*torso, hem, hem]))
    if look.belt:
        band = np.array(_mirrored([(waist + 0.03, WAIST - 0.1), (waist + 0.05, WAIST + 0.08)]))
        paint("Belt", look.leather, band)
        if look.front:
            paint("Belt", Fabric((225, 205, 120)), _oval(0, WAIST - 0.01, 0.09, 0.08))


def _paint_arm(paint: Paint, look: Look, side: int) -> None:
    """Arm with its hand, and the sleeve over it."""
    arm = look.arms[side]
    wrist = arm[2]
    along = (wrist - arm[1]) / np.linalg.norm(wrist - arm[1])
    palm, thumb = wrist + 0.2 * along, wrist + 0.2 * along + 0.13 * side * np.array([-along[1], along[0]])
    hand = [_oval(*palm, 0.1, 0.1), _oval(*(palm + 0.13 * along), 0.085, 0.1), *_limb([wrist, thumb], (0.06, 0.045))]
    paint(f"{look.side_name(side)}-arm", look.skin, *_limb(arm, (0.16, 0.125, 0.085)), *hand)
    if look.sleeve:
        cut = _cut(arm, look.sleeve)
        radii = np.linspace(0.19, 0.15 if look.sleeve > 2 else 0.19, len(cut))
        paint("Dress" if look.outfit == "dress" else "Upper-clothes", look.top, *_limb(cut, radii))


def _paint_bag(paint: Paint, look: Look) -> None:
    side = look.bag_side
    if look.bag == "pack" and look.front:
        straps = [p for x in (-1, 1) for p in _limb([(0.42 * x, 1.3), (0.5 * x, 2.2)], (0.07, 0.07))]
        paint("Bag", look.leather, *straps)
    elif look.bag == "pack":
        paint("Bag", look.leather, _blob([(0.48, 1.5), (0.48, 1.5), (0.55, 2.75), (0.55, 2.75)]))
    elif look.bag == "shoulder":
        strap = _limb([(-0.45 * side, 1.3), (0.6 * side, 3.25)], (0.045, 0.045))
        paint("Bag", look.leather, *strap, _case(0.62 * side, 3.2))
    elif look.bag == "hand":
        x, y = look.arms[side][2] + (0, 0.65)
        handles = [p for end in (-0.2, 0.2) for p in _limb([(x, y - 0.42), (x + end, y)], (0.035, 0.035))]
        paint("Bag", look.leather, *handles, _case(x, y))


def _case(x: float, y: float) -> Points:
    """Body of a bag whose upper edge has its middle at (x, y)."""
    return np.array([(x - 0.33, y), (x + 0.33, y), (x + 0.42, y + 0.6), (x - 0.42, y + 0.6)])


def _paint_head(paint: Paint, look: Look) -> None:
    """Face or back of the head, hair, sunglasses and hat."""
    ears = [_oval(0.37 * side, 0.55, 0.06, 0.1) for side in (-1, 1)]
    if look.front:
        paint("Face", look.skin, _blob([(0.3, 0.1), (0.36, 0.45), (0.3, 0.8), (0.12, 1.0)]), *ears)
        for side in (-1, 1):
            paint("Face", Fabric((245, 245, 245)), _oval(0.15 * side, 0.52, 0.075, 0.04), relief=0)
            paint("Face", Fabric((40, 30, 30)), _oval(0.15 * side, 0.52, 0.035, 0.04), relief=0)
            brow = [(0.08 * side, 0.41), (0.23 * side, 0.43)]
            paint("Face", look.hair, *_limb(brow, (0.018, 0.018)), relief=0)
        paint("Face", Fabric((175, 70, 70)), _oval(0, 0.81, 0.1, 0.03), relief=0)
        temple = [(0.25, -0.03), (0.43, 0.25), (0.37, 0.6), (0.3, 0.35)]
        paint("Hair", look.hair, _blob(temple, [(look.parting, 0.22)]))
        if look.hair_end:
            locks = [p for x in (-1, 1) for p in _limb([(0.39 * x, 0.35), (0.44 * x, look.hair_end)], (0.06, 0.1))]
            paint("Hair", look.hair, *locks)
        if look.sunglasses:
            lenses = [_oval(0.17 * side, 0.53, 0.15, 0.11) for side in (-1, 1)]
            bridge = _limb([(-0.38, 0.49), (0.38, 0.49)], (0.03, 0.03))
            paint("Sunglasses", Fabric((25, 25, 30)), *lenses, *bridge)
    else:
        nape = [(0.25, -0.03), (0.42, 0.3), (0.4, 0.7), (0.2, 1.0), (0.2, 1.25), (0.1, 1.27)]
        paint("Hair", look.hair, _blob(nape), *ears)
        if look.hair_end:
            mane = [(0.25, 0.0), (0.44, 0.3), (0.5, look.hair_end), (0.2, look.hair_end + 0.1)]
            paint("Hair", look.hair, _blob(mane))
    if look.hat != "none":
        paint("Hat", look.felt, _blob([(0.28, -0.22), (0.43, -0.05), (0.44, 0.27), (0.44, 0.27)]))
        if look.hat != "cap" or look.front:
            paint("Hat", look.felt, _oval(*HATS[look.hat]))


# Outlines.


def _mirrored(right: Corners, between: Corners = ()) -> Corners:
    """Close a right-hand outline, given from top to bottom, with its mirror image; corners `between` join the two."""
    return [*right, *between, *((-x, y) for x, y in reversed(right))]


def _smooth(corners: Corners) -> Points:
    """The closed outline with its corners cut three times (Chaikin); a corner given twice stays sharper."""
    points = np.array(corners, float)
    for _ in range(3):
        following = np.concatenate([points[1:], points[:1]])
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1).reshape(-1, 2)
    return points


def _blob(right: Corners, between: Corners = ()) -> Points:
    return _smooth(_mirrored(right, between))


def _oval(x: float, y: float, across: float, down: float) -> Points:
    return CIRCLE * (across, down) + (x, y)


def _limb(joints: Points | Sequence, radii: Sequence[float], flat: bool = False) -> list[Points]:
    """Tapered tubes from joint to joint, round at the joints; `flat` cuts the last end straight."""
    points = np.asarray(joints, float)
    pieces = [CIRCLE * radius + point for point, radius in zip(points[: -1 if flat else None], radii, strict=False)]
    for start, end, r, s in zip(points, points[1:], radii, radii[1:], strict=False):
        (x, y), length = end - start, np.hypot(*(end - start))
        normal = np.array([-y, x]) / length
        pieces.append(np.array([start + r * normal, end + s * normal, end - s * normal, start - r * normal]))
    return pieces


def _cut(joints: Points, length: float) -> list[Points]:
    """The first `length` heads of a limb."""
    kept = [joints[0]]
    for start, end in pairwise(joints):
        if length <= 0.05:
            break
        reach = float(np.hypot(*(end - start)))
        kept.append(start + (end - start) * min(length / reach, 1))
        length -= reach
    return kept
