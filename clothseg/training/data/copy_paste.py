"""Copy-paste augmentation: paste hats, sunglasses and scarves of other photos, which few photos show.

After Simple Copy-Paste (Ghiasi et al., 2021), but not at random places: the item is moved and scaled so that the
donor's face matches the wearer's.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from datasets import Dataset

from clothseg.labels import IGNORE, LABEL2ID, mirror
from clothseg.training.data.decoding import decode_row


WORN = {LABEL2ID["Hat"]: (-1, 0.2, 0.5), LABEL2ID["Sunglasses"]: (0.05, 0.6, 0.3), LABEL2ID["Scarf"]: (0.75, 3, 0.8)}
"""What has its place relative to the face: where its middle lies at the highest and at the lowest (0 is the top of the
face, 1 the chin), and how far aside (in widths of the face)."""

ITEMS = tuple(WORN)

FACE, HAIR = LABEL2ID["Face"], LABEL2ID["Hair"]
MIN_FACE = 12
"""Least width of a face in pixels; smaller faces give no reliable place and scale."""
MIN_PIXELS = 60
"""Least size of an item that can be pasted."""
SCALES = (0.4, 2.5)
"""Limits of the scale: larger items would be blurred, smaller ones only a few pixels."""


class Face(NamedTuple):
    """A face in pixels: its middle column, the rows of its top and chin, its width, and its mean brightness."""

    middle: float
    top: float
    chin: float
    width: float
    brightness: float


def find_face(photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]) -> Face | None:
    """Return the largest connected face of a label map (H, W), or None if it is less than `MIN_FACE` wide.

    Sunglasses count as face here; otherwise they would cut it in two.
    """
    shown = ((mask == FACE) | (mask == LABEL2ID["Sunglasses"])).view(np.uint8)
    _, pieces, boxes, middles = cv2.connectedComponentsWithStats(shown, connectivity=8)
    if len(boxes) < 2:
        return None
    largest = 1 + int(boxes[1:, cv2.CC_STAT_AREA].argmax())
    _, top, width, height, _ = boxes[largest].tolist()
    if width < MIN_FACE:
        return None
    return Face(float(middles[largest, 0]), top, top + height, width, float(photo[pieces == largest].mean()))


def sits(item: int, inside: npt.NDArray[np.bool_], face: Face) -> bool:
    """Return whether an item's pixels (H, W) are where it is worn: a hat at the brow or above, a scarf below the
    mouth.

    A partly visible face, or one that includes the neck, gives a wrong place.
    """
    if not inside.any():
        return False
    rows, columns = np.nonzero(inside)
    height = (rows.mean() - face.top) / (face.chin - face.top)
    aside = abs(columns.mean() - face.middle) / face.width
    highest, lowest, farthest = WORN[item]
    return bool(highest <= height <= lowest and aside <= farthest)


class CopyPaste:
    """Rows with an item to paste, and a face to place it by."""

    def __init__(self, rows: Dataset, pixels: npt.NDArray[np.int64]) -> None:
        """Search rows for items.

        Args:
            rows: undecoded, with `id`, `image` and `mask`.
            pixels: (N, 18), each row's pixels of each class.
        """
        lends = pixels[:, ITEMS] >= MIN_PIXELS
        lends &= pixels[:, FACE, None] >= MIN_FACE**2 // 2
        self.rows = rows
        self.lenders = {item: np.flatnonzero(lends[:, place]) for place, item in enumerate(ITEMS)}

    def dress(
        self, photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Paste one item that the photo does not show; the class and the donor are drawn evenly.

        Args:
            photo: (H, W, 3) uint8 RGB.
            mask: (H, W) uint8 class ids, 255 for not annotated.

        Returns:
            New photo and mask; the same ones if there is no face, no donor, or nothing that fits.
        """
        missing = [item for item, lenders in self.lenders.items() if len(lenders) and not (mask == item).any()]
        face = find_face(photo, mask)
        if face is None or not missing:
            return photo, mask
        item = int(rng.choice(missing))
        lent, lent_mask = decode_row(self.rows[int(rng.choice(self.lenders[item]))])
        if rng.random() < 0.5:
            lent, lent_mask = np.ascontiguousarray(lent[:, ::-1]), mirror(lent_mask)
        lender = find_face(lent, lent_mask)
        if lender is None or not SCALES[0] <= face.width / lender.width <= SCALES[1]:
            return photo, mask
        scale = face.width / lender.width * rng.uniform(0.92, 1.12)
        place = np.array(
            [[scale, 0, face.middle - scale * lender.middle], [0, scale, face.chin - scale * lender.chin]]
        )
        size = mask.shape[1], mask.shape[0]
        worn = np.asarray(cv2.warpAffine((lent_mask == item).view(np.uint8) * 255, place, size), np.uint8)
        inside = worn > 127
        if item == LABEL2ID["Sunglasses"]:
            inside &= (mask == FACE) | (mask == HAIR) | (mask == IGNORE)
            worn = np.where(inside, worn, 0).astype(np.uint8)
        if not sits(item, inside, face):
            return photo, mask
        # as light as the wearer: shade and sun differ from photo to photo
        light = float(np.clip(face.brightness / max(lender.brightness, 1), 0.7, 1.4))
        colors = cv2.warpAffine(cv2.convertScaleAbs(lent, alpha=light), place, size)
        share = worn[..., None].astype(np.float32) / 255
        dressed = (photo * (1 - share) + colors * share).round().astype(np.uint8)
        return dressed, np.where(inside, np.uint8(item), mask)
