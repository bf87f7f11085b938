"""Copy-paste augmentation: paste hats, sunglasses and scarves of other photos, which few photos show.

After Simple Copy-Paste (Ghiasi et al., 2021), but not at random places: the item is moved and scaled so that the
donor's face matches the wearer's.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from datasets import Dataset

from clothseg.errors import ConfigError
from clothseg.labels import ATR, IGNORE, LabelSet
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.mask_classes import ATR_MASKS, MaskClasses


WORN = {"hat": (-1, 0.2, 0.5), "glasses": (0.05, 0.6, 0.3), "scarf": (0.75, 3, 0.8)}
"""Roles of the classes that can be pasted. Each has its place relative to the face: where its middle lies at the
highest and at the lowest (0 is the top of the face, 1 the chin), and how far aside (in widths of the face)."""

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


def find_face(photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], labels: LabelSet = ATR) -> Face | None:
    """Return the largest connected face of a label map (H, W), or None if it is less than `MIN_FACE` wide.

    Glasses count as face here; otherwise they would cut it in two.
    """
    shown = np.isin(mask, labels.with_roles("face", "glasses")).view(np.uint8)
    _, pieces, boxes, middles = cv2.connectedComponentsWithStats(shown, connectivity=8)
    if len(boxes) < 2:
        return None
    largest = 1 + int(boxes[1:, cv2.CC_STAT_AREA].argmax())
    _, top, width, height, _ = boxes[largest].tolist()
    if width < MIN_FACE:
        return None
    return Face(float(middles[largest, 0]), top, top + height, width, float(photo[pieces == largest].mean()))


def sits(role: str, inside: npt.NDArray[np.bool_], face: Face) -> bool:
    """Return whether an item's pixels (H, W) are where it is worn: a hat at the brow or above, a scarf below the
    mouth.

    A partly visible face, or one that includes the neck, gives a wrong place.
    """
    if not inside.any():
        return False
    rows, columns = np.nonzero(inside)
    height = (rows.mean() - face.top) / (face.chin - face.top)
    aside = abs(columns.mean() - face.middle) / face.width
    highest, lowest, farthest = WORN[role]
    return bool(highest <= height <= lowest and aside <= farthest)


class CopyPaste:
    """Rows with an item to paste, and a face to place it by."""

    def __init__(self, rows: Dataset, pixels: npt.NDArray[np.int64], classes: MaskClasses = ATR_MASKS) -> None:
        """Search rows for items.

        Args:
            rows: undecoded, with `id`, `image` and `mask`.
            pixels: (N, C), each row's pixels of each class.
            classes: the classes of the masks.

        Raises:
            ConfigError: there is no class for a face, or for anything that can be pasted.
        """
        labels = classes.labels
        self.roles = {item: role for role in WORN for item in labels.with_roles(role)}
        if not labels.has("face") or not self.roles:
            raise ConfigError(
                "--copy_paste needs classes for a face and for a hat, glasses or a scarf; the classes are: "
                f"{', '.join(labels.names)}."
            )
        items = list(self.roles)
        lends = pixels[:, items] >= MIN_PIXELS
        lends &= pixels[:, labels.with_roles("face")].sum(axis=1)[:, None] >= MIN_FACE**2 // 2
        self.rows, self.classes = rows, classes
        self.lenders = {item: np.flatnonzero(lends[:, place]) for place, item in enumerate(items)}

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
        labels = self.classes.labels
        face = find_face(photo, mask, labels)
        if face is None or not missing:
            return photo, mask
        item = int(rng.choice(missing))
        lent, lent_mask = decode_row(self.rows[int(rng.choice(self.lenders[item]))], self.classes)
        if rng.random() < 0.5:
            lent, lent_mask = np.ascontiguousarray(lent[:, ::-1]), labels.mirror(lent_mask)
        lender = find_face(lent, lent_mask, labels)
        if lender is None or not SCALES[0] <= face.width / lender.width <= SCALES[1]:
            return photo, mask
        scale = face.width / lender.width * rng.uniform(0.92, 1.12)
        place = np.array(
            [[scale, 0, face.middle - scale * lender.middle], [0, scale, face.chin - scale * lender.chin]]
        )
        size = mask.shape[1], mask.shape[0]
        worn = np.asarray(cv2.warpAffine((lent_mask == item).view(np.uint8) * 255, place, size), np.uint8)
        inside = worn > 127
        if self.roles[item] == "glasses":
            inside &= np.isin(mask, [*labels.with_roles("face", "hair"), IGNORE])
            worn = np.where(inside, worn, 0).astype(np.uint8)
        if not sits(self.roles[item], inside, face):
            return photo, mask
        # as light as the wearer: shade and sun differ from photo to photo
        light = float(np.clip(face.brightness / max(lender.brightness, 1), 0.7, 1.4))
        colors = cv2.warpAffine(cv2.convertScaleAbs(lent, alpha=light), place, size)
        share = worn[..., None].astype(np.float32) / 255
        dressed = (photo * (1 - share) + colors * share).round().astype(np.uint8)
        return dressed, np.where(inside, np.uint8(item), mask)
