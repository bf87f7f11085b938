"""Paper dolls: drawn, dressed figures on cluttered grounds with exact masks, repeatable by seed.

They stand in for a labelled dataset where none can be downloaded. Every shape is painted into picture and
mask with the same binary coverage; what follows touches colours only, so the mask is exact to the pixel.
All chance is here; `doll_figure` turns a look into shapes.
"""

import colorsys
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from doll_figure import ANKLE, HIP, SHOULDER, Fabric, Look, Points, paint_figure
from PIL import Image

from clothseg.labels import BACKGROUND, LABEL2ID, PALETTE


SKINS = ((250, 220, 195), (235, 190, 155), (205, 150, 110), (160, 105, 70), (110, 70, 48), (75, 48, 36))
HAIRS = ((28, 22, 20), (60, 38, 25), (110, 70, 40), (165, 120, 70), (215, 180, 120), (150, 150, 150), (130, 50, 30))
SUBPIXEL_BITS = 4


class Doll(NamedTuple):
    """A picture with its truth.

    `image` is (H, W, 3) uint8 RGB, `mask` is (H, W) uint8 of class ids, and `facing` says which way the figure
    looks: its left is on the image's right when it faces the viewer ("front"), on the left from behind ("back").
    """

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]
    facing: Literal["front", "back"]


def draw(seed: int, height: int = 384, width: int = 256) -> Doll:
    """The doll of `seed`: the same person in the same clothes at every size, (height, width) pixels large."""
    rng = np.random.default_rng(seed)
    look = _look(rng)
    sheet = Sheet(np.random.default_rng([seed, 1]), height, width)
    sheet.place(rng, np.concatenate([*look.arms.values(), *look.legs.values()]))
    paint_figure(sheet.paint, look)
    return Doll(sheet.developed(), sheet.mask, "front" if look.front else "back")


def draw_many(count: int, seed: int = 0, height: int = 384, width: int = 256) -> list[Doll]:
    """The dolls of seeds `seed` to `seed + count - 1`; seeds at least `count` apart give disjoint sets."""
    return [draw(seed + index, height, width) for index in range(count)]


def write_parquet(
    path: str | Path,
    dolls: Sequence[Doll] | int,
    seed: int = 0,
    height: int = 384,
    width: int = 256,
    mask_mode: Literal["L", "P"] = "L",
) -> None:
    """Write `dolls`, or that many new ones, as Hugging Face's `datasets` stores `id`, `image` and `mask`."""
    from datasets import Dataset, Features, Value
    from datasets import Image as ImageFeature

    if isinstance(dolls, int):
        dolls = draw_many(dolls, seed, height, width)
    columns = {
        "id": [f"doll-{seed + index:06d}" for index in range(len(dolls))],
        "image": [{"bytes": _encoded(Image.fromarray(doll.image), "JPEG"), "path": None} for doll in dolls],
        "mask": [{"bytes": _encoded(_mask_picture(doll.mask, mask_mode), "PNG"), "path": None} for doll in dolls],
    }
    features = Features({"id": Value("string"), "image": ImageFeature(), "mask": ImageFeature()})
    Dataset.from_dict(columns, features=features).to_parquet(str(path))


def _mask_picture(mask: npt.NDArray[np.uint8], mode: Literal["L", "P"]) -> Image.Image:
    picture = Image.fromarray(mask)
    if mode == "P":
        picture.putpalette(PALETTE.tobytes())
    return picture


def _encoded(picture: Image.Image, kind: Literal["JPEG", "PNG"]) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, quality=95)
    return buffer.getvalue()


# Random choices of a figure.


def _look(rng: np.random.Generator) -> Look:
    front, bag_side = bool(rng.random() < 0.7), int(rng.choice([-1, 1]))
    bag = str(rng.choice(["none", "hand", "shoulder", "pack"], p=[0.45, 0.25, 0.2, 0.1]))
    hair = HAIRS[rng.integers(len(HAIRS))]
    outfit = str(rng.choice(["pants", "skirt", "dress"], p=[0.45, 0.25, 0.3]))
    tucked = outfit == "dress" or rng.random() < 0.5
    return Look(
        front=front,
        arms=_arms(rng, bag_side if bag == "hand" else None),
        legs=_legs(rng),
        skin=Fabric(SKINS[rng.integers(len(SKINS))]),
        hair=Fabric(hair, [0.7 * value for value in hair], "pinstripes", 0.08),
        hair_end=rng.choice([0.0, 1.3, 2.1], p=[0.4, 0.3, 0.3]),
        parting=rng.uniform(-0.15, 0.15),
        waist=rng.uniform(0.44, 0.54),
        hips=rng.uniform(0.58, 0.66),
        outfit=outfit,
        top=_fabric(rng),
        bottom=_fabric(rng),
        leather=Fabric(_color(rng)),
        shoes=Fabric(_color(rng)),
        boots=bool(rng.random() < 0.25),
        sleeve=rng.choice([0.0, 0.7, 1.1, 2.2], p=[0.15, 0.35, 0.1, 0.4]),
        neckline=rng.uniform(1.35, 1.75),
        top_end=None if tucked else rng.uniform(3.25, 3.75),
        skirt_end=rng.choice([4.5, 5.3, 6.4], p=[0.35, 0.45, 0.2]) + rng.uniform(-0.15, 0.15),
        trousers=rng.choice([3.0, 1.0, 1.75], p=[0.7, 0.15, 0.15]),
        wide=rng.uniform(1.0, 1.45),
        belt=bool(tucked and rng.random() < 0.5),
        bag=bag,
        bag_side=bag_side,
        scarf=_fabric(rng) if rng.random() < 0.2 else None,
        scarf_end=(0.2 * rng.choice([-1, 1]), rng.uniform(1.9, 2.5)),
        hat=str(rng.choice(["none", "beanie", "cap", "brim"], p=[0.7, 0.1, 0.1, 0.1])),
        felt=_fabric(rng),
        sunglasses=bool(rng.random() < 0.35),
    )


def _color(rng: np.random.Generator, saturation: float = 0.85) -> tuple[float, float, float]:
    """Any RGB colour in 0..255 but the darkest."""
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, saturation), rng.uniform(0.2, 0.98))
    return (255 * red, 255 * green, 255 * blue)


def _fabric(rng: np.random.Generator) -> Fabric:
    pattern = str(rng.choice(["plain", "stripes", "pinstripes", "checks", "dots"], p=[0.5, 0.15, 0.1, 0.15, 0.1]))
    return Fabric(_color(rng), _color(rng), pattern, rng.uniform(0.12, 0.35))


def _arms(rng: np.random.Generator, hanging: int | None) -> dict[int, Points]:
    """Shoulder, elbow and wrist of both arms; the arm of side `hanging` hangs down, with a bag."""
    poses = {  # of upper arm and forearm: degrees from straight down, outwards
        "down": ((8, 22), (2, 18)),
        "hip": ((40, 50), (-58, -46)),
        "raised": ((125, 155), (150, 178)),
        "out": ((20, 60), (70, 125)),
        "across": ((12, 22), (-78, -55)),
    }
    arms = {}
    across_side = rng.choice([-1, 1])  # only one, or the hands would trade sides
    for side in (-1, 1):
        pose = str(rng.choice(list(poses), p=[0.35, 0.15, 0.1, 0.15, 0.25]))
        if side == hanging or (pose == "across" and side != across_side):
            pose = "down"
        upper, fore = (np.radians(rng.uniform(*span)) for span in poses[pose])
        shoulder = np.array([0.68 * side, SHOULDER])
        elbow = shoulder + 1.25 * np.array([side * np.sin(upper), np.cos(upper)])
        arms[side] = np.array([shoulder, elbow, elbow + 1.05 * np.array([side * np.sin(fore), np.cos(fore)])])
    return arms


def _legs(rng: np.random.Generator) -> dict[int, Points]:
    """Hip, knee and ankle of both legs, standing, apart or in a stride; the one behind comes first."""
    stances = {"stand": (0.24, 0.34), "apart": (0.5, 0.95), "stride": (0.15, 0.45)}
    stance, behind = str(rng.choice(list(stances))), int(rng.choice([-1, 1]))
    legs = {}
    for side in (behind, -behind):
        lift = rng.uniform(0.15, 0.5) if stance == "stride" and side == behind else 0.0
        hip, ankle = np.array([0.29 * side, HIP]), np.array([rng.uniform(*stances[stance]) * side, ANKLE - lift])
        legs[side] = np.array([hip, (hip + ankle) / 2 + (rng.uniform(0, 0.08) * side, -0.05), ankle])
    return legs


# The sheet of paper.


class Sheet:
    """Picture (H, W, 3) float32 and mask (H, W) uint8, painted in step."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        self.rng = rng
        self.mask = np.full((height, width), BACKGROUND, np.uint8)
        self.grain = rng.standard_normal((height, width), np.float32)
        self.image = _ground(rng, self.grain)

    def place(self, rng: np.random.Generator, joints: Points) -> None:
        """Choose scale, lean and position so that the figure with these `joints` is whole on the sheet."""
        height, width = self.mask.shape
        lean = np.radians(rng.uniform(-5, 5))
        turn = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
        outline = np.concatenate([joints, [(-0.6, 0.1), (0.6, 0.1), (-0.5, 7.0), (0.5, 7.0)]]) @ turn.T
        margin = (0.55, 0.45)  # for a hand, a foot, a hat or a bag
        low, high = outline.min(0) - margin, outline.max(0) + margin
        self.head = rng.uniform(0.85, 1.0) * min((width, height) / (high - low))
        self.turn = turn * self.head
        self.origin = rng.random(2) * ((width, height) - self.head * (high - low)) - self.head * low
        # A soft shadow on the floor, below the feet: colours only.
        x, y = self.turn @ (0, 7.15) + self.origin
        band = slice(max(int(y - 0.6 * self.head), 0), height)
        rows, columns = (axis.astype(np.float32) for axis in np.ogrid[band, :width])
        spot = np.exp(-(((columns - x) / (1.1 * self.head)) ** 2)) * np.exp(-(((rows - y) / (0.25 * self.head)) ** 2))
        self.image[band] *= _grey(1 - 0.45 * spot)

    def paint(self, name: str, fabric: Fabric, *pieces: Points, relief: float = 0.3) -> None:
        """Paint the union of `pieces` as class `name`; `relief` darkens its rim, which reads as roundness."""
        one = 1 << SUBPIXEL_BITS
        corners = np.rint((np.concatenate(pieces) @ self.turn.T + self.origin) * one).astype(np.int32)
        height, width = self.mask.shape
        left, top = np.maximum(corners.min(0) // one - 1, 0)
        right, bottom = np.minimum(corners.max(0) // one + 3, (width, height))
        if left >= right or top >= bottom:
            return
        cover = np.zeros((bottom - top, right - left), np.uint8)
        corners -= np.array([left, top], np.int32) * one
        for polygon in np.split(corners, np.cumsum([len(piece) for piece in pieces[:-1]])):
            cv2.fillPoly(cover, [polygon], 1, shift=SUBPIXEL_BITS)
        window = np.s_[top:bottom, left:right]
        depth = cv2.distanceTransform(cover, cv2.DIST_L2, 3) / np.float32(0.14 * self.head)
        shade = 1 - relief * (1 - np.minimum(depth, 1)) ** 2 + 0.025 * self.grain[window]
        cv2.copyTo(self._woven(fabric, top, left, *cover.shape) * _grey(shade), cover, self.image[window])
        self.mask[window][cover > 0] = LABEL2ID[name]

    def _woven(self, fabric: Fabric, top: int, left: int, height: int, width: int) -> npt.NDArray[np.float32]:
        """(height, width, 3) of the fabric's colours, or (3,) when it is plain."""
        color = np.float32(fabric.color)
        if fabric.pattern == "plain":
            return color
        period = max(fabric.period * self.head, 2)
        rows, columns = np.ogrid[top : top + height, left : left + width]
        x, y = columns % period / period - 0.5, rows % period / period - 0.5
        return color + _grey(fabric.mix(x, y)) * (np.float32(fabric.other) - color)

    def developed(self) -> npt.NDArray[np.uint8]:
        """The picture under its own light: (H, W, 3) uint8."""
        light = self.rng.uniform(0.9, 1.08, 3) * self.rng.uniform(0.85, 1.1, (2, 2, 1))
        return cv2.multiply(self.image, _stretched(light, *self.mask.shape), dtype=cv2.CV_8U)


def _grey(plane: npt.NDArray) -> npt.NDArray[np.float32]:
    """(H, W) as (H, W, 3) float32; much faster to multiply by than a broadcast trailing axis."""
    return cv2.cvtColor(np.float32(plane), cv2.COLOR_GRAY2RGB)


def _stretched(coarse: npt.NDArray, height: int, width: int) -> npt.NDArray[np.float32]:
    """A few values spread smoothly over (height, width)."""
    return cv2.resize(np.float32(coarse), (width, height), interpolation=cv2.INTER_LINEAR)


def _ground(rng: np.random.Generator, grain: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(H, W, 3) float32: wall, floor and clutter, none of it like a person, under the (H, W) noise `grain`."""
    height, width = grain.shape
    image, floor = (_stretched(rng.normal(_color(rng, 0.4), 15, (2, 2, 3)), height, width) for _ in range(2))
    horizon, period = int(height * rng.uniform(0.6, 0.92)), max(int(height * rng.uniform(0.03, 0.12)), 3)
    rows, columns = np.ogrid[:height, :width]
    match rng.choice(["plain", "stripes", "planks", "bricks"]):
        case "stripes":
            image[:, np.arange(width) % period < period // 2] *= 0.88
        case "planks":
            image[np.arange(height) % period < max(period // 8, 1)] *= 0.75
        case "bricks":
            image[(rows % period == 0) | ((columns + rows // period % 2 * period) % (2 * period) == 0)] *= 0.8
    for _ in range(rng.integers(0, 6)):
        _clutter(rng, image, horizon)
    image[horizon:] = floor[horizon:]
    image[horizon : horizon + max(height // 120, 1)] *= 0.6
    if rng.random() < 0.5:
        _clutter(rng, image, min(horizon + height // 20, height))
    return cv2.add(image, _grey(_stretched(rng.normal(0, 8, (16, 12)), height, width) + 4 * grain))


def _clutter(rng: np.random.Generator, image: npt.NDArray[np.float32], foot: int) -> None:
    """Stand or hang one thing before the wall: a box, a picture, a tree, a lamp or shelves."""
    height, width = image.shape[:2]
    x, size = rng.uniform(0, width), height * rng.uniform(0.06, 0.2) + 2
    color, other = _color(rng), _color(rng)
    things = {  # as blocks: left, top, right and bottom edge in multiples of `size` from (x, foot), and colour
        "box": [(0, -1, 1, 0, color), (0, -1, 1, -0.75, other)],
        "picture": [(0, -4, 1, -3, color), (0.15, -3.85, 0.85, -3.15, other)],
        "tree": [(-0.1, -3, 0.1, 0, (90, 65, 45))],
        "lamp": [(-0.04, -3, 0.04, 0, color), (-0.4, -3.5, 0.4, -3, other)],
        "shelves": [],
    }
    thing = str(rng.choice(list(things)))
    blocks = things[thing]
    if thing == "shelves":
        for level in range(1, 5):
            blocks += [(0, -level, 2, 0.1 - level, color), (0.3, -0.5 - level, 1, -level, _color(rng))]
    for left, top, right, bottom, paint in blocks:
        corners = [(int(x + a * size), int(foot + b * size)) for a, b in ((left, top), (right, bottom))]
        cv2.rectangle(image, *corners, paint, -1)
    if thing == "tree":
        for dx, dy in rng.uniform(-0.7, 0.7, (7, 2)):
            leaves = (int(x + dx * size), int(foot + (dy - 3) * size))
            cv2.circle(image, leaves, int(size / 2), (50, rng.uniform(90, 150), 50), -1)
