"""Masks and pictures for virtual try-on: where a diffusion model may draw the new garment.

The rules follow the published preprocessing of CatVTON (`model/cloth_masker.py`), IDM-VTON
(`gradio_demo/utils_mask.py`) and OOTDiffusion (`run/utils_ootd.py`): the old garment and the skin that the new one may
cover are masked, the outline is widened so that it does not give away the old garment's shape, and face, hair, hands,
shoes, accessories and the other garment are protected. They use DensePose or OpenPose besides the label map; this
uses the label map alone. Where a label set has no class for hands, as ATR has none, a hand is estimated as the end of
the arm: docs/tryon.md.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.labels import ATR, LabelSet
from clothseg.options import TryonOptions
from clothseg.outputs.cutout import fill_holes, grow
from clothseg.outputs.masks import write_zip as write_pictures
from clothseg.postprocess.class_pixels import class_mask


Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

FOLDERS = ("agnostic-mask", "agnostic")
"""Names of mask and picture in ZIPs and folders, after those of VITON-HD."""

GREY = 128
"""Level of the masked part of the picture."""

REACH = 1 / 50
"""Default width, as a share of the photo's longer side, by which the mask is wider than the garment and the limbs:
10 of 512 pixels, as in IDM-VTON."""

MASKED = {
    "upper": ("upper", "dress", "torso", "belt", "arm"),
    "lower": ("pants", "skirt", "lower", "dress", "belt", "sock", "leg"),
    "overall": ("upper", "dress", "pants", "skirt", "lower", "belt", "sock", "torso", "arm", "leg"),
}
"""Part -> roles of the classes that a new garment replaces or may cover."""

GARMENTS = ("upper", "dress", "pants", "skirt", "lower", "belt", "sock")
"""Roles of classes that are replaced in full; the skin beside them is masked except for hands."""

HAND = 2.0
"""Length of a hand, in times the width of the arm."""

_SMALL = 384
"""Longer side in pixels of the map on which hands are estimated."""


class Tryon(NamedTuple):
    """Inputs of a try-on model.

    Attributes:
        mask: mode L, the photo's size: white where the model draws, black where the photo stays.
        picture: RGB, the photo with that part in grey.
    """

    mask: Image.Image
    picture: Image.Image


def tryon_mask(label_map: Pixels, options: TryonOptions, labels: LabelSet = ATR) -> Mask:
    """Return where a try-on model may draw.

    Args:
        label_map: (H, W) uint8 class ids.
        options: which garment, and how wide.
        labels: the classes.

    Returns:
        (H, W) bool. It contains every pixel of the replaced garments and none that is protected.

    >>> upper, pants = ATR.label2id["Upper-clothes"], ATR.label2id["Pants"]
    >>> label_map = np.repeat(np.uint8([[0, 0, upper, upper, pants, pants, 0, 0]]).T, 4, axis=1)
    >>> tryon_mask(label_map, TryonOptions(part="upper", reach=1))[:, 0].tolist()
    [False, True, True, True, False, False, False, False]
    """
    masked = _among(label_map, labels, MASKED[options.part])
    garment = masked & _among(label_map, labels, GARMENTS)
    masked &= ~(hands := find_hands(label_map, labels))
    protected = (label_map != 0) & ~masked | hands
    reach = round(REACH * max(label_map.shape)) if options.reach is None else options.reach
    area = _hulls(masked) if options.shape == "hull" else masked
    # Again without protected pixels, so that the mask does not reach around them, for example between the legs.
    area = grow(area & ~protected, reach)
    return fill_holes(area & ~protected) & ~protected | garment


def tryon_levels(mask: Mask, blur: float) -> Pixels:
    """Return a mask (H, W) bool as (H, W) uint8: 0 and 255, blurred over `blur` pixels about its outline."""
    levels = np.where(mask, np.uint8(255), np.uint8(0))
    if not blur:
        return levels
    side = 2 * int(np.ceil(blur)) + 1
    return np.asarray(cv2.GaussianBlur(levels, (side, side), blur / 2, borderType=cv2.BORDER_REPLICATE), np.uint8)


def make_tryon(photo: Pixels, label_map: Pixels, options: TryonOptions, labels: LabelSet = ATR) -> Tryon:
    """Return mask and picture for a try-on model.

    Args:
        photo: (H, W, 3) uint8 RGB.
        label_map: (H, W) uint8 class ids.
        options: which garment, and how wide and soft the mask is.
        labels: the classes.
    """
    levels = tryon_levels(tryon_mask(label_map, options, labels), options.blur)
    return Tryon(Image.fromarray(levels), Image.fromarray(agnostic(photo, levels)))


def write_zip(path: Path, made: Tryon) -> None:
    """Write a ZIP atomically, with `agnostic-mask.png` and `agnostic.png`.

    Raises:
        ConfigError: the folder does not exist.
    """
    write_pictures(path, dict(zip(FOLDERS, made, strict=True)))


def agnostic(photo: Pixels, levels: Pixels) -> Pixels:
    """Return a photo (H, W, 3) uint8 in grey where the mask's levels (H, W) uint8 are 255, and mixed between."""
    share = levels[..., None].astype(np.float32) / 255
    return np.rint(photo * (1 - share) + GREY * share).astype(np.uint8)


def find_hands(label_map: Pixels, labels: LabelSet = ATR) -> Mask:
    """Return the pixels of hands, (H, W) bool.

    With a class for hands, these are its pixels and those of gloves. Otherwise a hand is the end of each arm: what
    lies, measured along the arm, within `HAND` times the arm's width of the end that is not at a sleeve. An arm of
    which hardly more is seen, as below long sleeves, is all hand.
    """
    if labels.has("hand"):
        return _among(label_map, labels, ("hand", "glove"))
    hands = np.zeros(label_map.shape, np.bool_)
    scale = min(1.0, _SMALL / max(label_map.shape))
    size = max(1, round(label_map.shape[1] * scale)), max(1, round(label_map.shape[0] * scale))
    small = np.asarray(cv2.resize(label_map, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    clothes = _among(small, labels, ("upper", "dress"))
    found = np.zeros(small.shape, np.bool_)
    for class_id in labels.with_roles("arm"):
        _, numbers = cv2.connectedComponents((small == class_id).view(np.uint8))
        for number in range(1, int(numbers.max()) + 1):
            piece = numbers == number
            found |= _end(piece, clothes)
    if found.any():
        # A little wider, as edges are coarse in the small map.
        wide = cv2.dilate(found.view(np.uint8), np.ones((3, 3), np.uint8))
        wide = cv2.resize(wide, label_map.shape[::-1], interpolation=cv2.INTER_LINEAR)
        hands = (wide > 0) & _among(label_map, labels, ("arm",))
    return hands


def _end(piece: Mask, clothes: Mask) -> Mask:
    """Return the end of an arm that is not at a sleeve; all three are (h, w) bool."""
    first = _far(_steps(piece, _at(piece, *np.argwhere(piece)[0])), piece)
    away = _steps(piece, _at(piece, *first))
    other = _far(away, piece)
    back = _steps(piece, _at(piece, *other))
    length = int(away[piece].max()) + 1
    width = np.count_nonzero(piece) / length
    if length <= 1.3 * HAND * width:
        return piece
    # The sleeve continues from the arm's end or the nearest point; without clothes, the upper end is the shoulder.
    ends = [(first, away), (other, back)]
    far = (
        cv2.distanceTransform((~clothes).view(np.uint8), cv2.DIST_L2, 5) if clothes.any() else np.zeros(clothes.shape)
    )

    def key(end: tuple[tuple[int, int], npt.NDArray[np.int32]]) -> tuple[float, float, int]:
        place, steps = end
        return -_beyond(clothes, place, piece & (steps < width), width), float(far[place]), place[0]

    _, steps = min(ends, key=key)
    return piece & (steps >= length - HAND * width)


def _at(like: Mask, row: int, column: int) -> Mask:
    made = np.zeros_like(like)
    made[row, column] = True
    return made


def _far(steps: npt.NDArray[np.int32], piece: Mask) -> tuple[int, int]:
    """Return (row, column) of the pixel of a piece that is the most steps away."""
    row, column = np.unravel_index(np.where(piece, steps, -1).argmax(), steps.shape)
    return int(row), int(column)


def _beyond(clothes: Mask, end: tuple[int, int], last: Mask, width: float) -> float:
    """Return the share of clothes (0..1) beyond an arm's end (row, column), in a square of half the arm's width.

    `clothes` and `last`, the last part of the arm, are (h, w) bool.
    """
    along = np.subtract(end, np.argwhere(last).mean(0))
    row, column = np.rint(end + along / max(1e-6, float(np.hypot(*along))) * 0.75 * width).astype(int)
    reach = max(1, round(width / 4))
    seen = clothes[max(0, row - reach) : max(0, row + reach + 1), max(0, column - reach) : max(0, column + reach + 1)]
    return float(seen.mean()) if seen.size else 0.0


def _steps(inside: Mask, start: Mask) -> npt.NDArray[np.int32]:
    """Return the number of steps from `start` to each pixel within `inside`; all are (h, w).

    Steps go in four and in eight directions by turns, so that distances are about right in each.
    """
    steps = np.zeros(inside.shape, np.int32)
    reached, allowed = start.view(np.uint8), inside.view(np.uint8)
    kernels = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), np.ones((3, 3), np.uint8)
    number = 0
    while True:
        number += 1
        further = np.asarray(cv2.dilate(reached, kernels[number % 2]), np.uint8) & allowed
        fresh = further > reached
        if not fresh.any():
            return steps
        steps[fresh] = number
        reached = further


def _hulls(mask: Mask) -> Mask:
    """Return the union of the convex hulls of the pieces of a mask (H, W) bool."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    made = mask.astype(np.uint8)
    for contour in contours:
        cv2.fillConvexPoly(made, cv2.convexHull(contour), 1)
    return made.view(np.bool_)


def _among(label_map: Pixels, labels: LabelSet, roles: tuple[str, ...]) -> Mask:
    return class_mask(label_map, labels.with_roles(*roles))
