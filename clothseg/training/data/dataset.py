"""Rows of a data set for the Trainer: decoded, augmented, encoded."""

import io
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset
from PIL import ExifTags
from PIL import Image as PILImage
from transformers import SegformerImageProcessorPil

from clothseg.training.data.augmentation import augment
from clothseg.training.data.copy_paste import CopyPaste
from clothseg.training.data.decoding import decode_mask, decode_row
from clothseg.training.data.mask_classes import ATR_MASKS, MaskClasses
from clothseg.training.data.network_input import encode
from clothseg.training.data.repair import repair


CLASS_IDS = "class_ids"
"""Column of rows whose masks hold class ids, even if those of other rows are mapped by a label map."""


def decode_quickly(
    row: dict[str, Any], classes: MaskClasses = ATR_MASKS
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Like `decode_row`, but decode a plain RGB JPEG with OpenCV: the same pixels in half the time.

    Both use libjpeg-turbo; Pillow copies the pixels twice more. Photos that need more than decoding (another format,
    colour space or orientation, a profile, a truncated file) are decoded by `decode_row`.

    Raises:
        DataError: as `decode_row`.
    """
    photo = _plain_jpeg((row["image"] or {}).get("bytes") or b"")
    if photo is not None:
        mask = decode_mask(row["mask"], row["id"], classes)
        if mask.shape == photo.shape[:2]:
            return photo, mask
    return decode_row(row, classes)


def _plain_jpeg(stored: bytes) -> npt.NDArray[np.uint8] | None:
    """Return pixels (H, W, 3) uint8 RGB, or None if OpenCV alone does not suffice."""
    # OpenCV fills what is missing of a file cut short with grey, and only warns; such a file lacks the end mark
    if not stored.startswith(b"\xff\xd8") or not stored.endswith(b"\xff\xd9"):
        return None
    try:
        with PILImage.open(io.BytesIO(stored), formats=["JPEG"]) as header:  # reads no pixels
            if header.mode != "RGB" or "icc_profile" in header.info:
                return None
            if "exif" in header.info and header.getexif().get(ExifTags.Base.Orientation, 1) != 1:
                return None
    except Exception:  # decode_row says what is wrong
        return None
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels: Any = cv2.imdecode(np.frombuffer(stored, np.uint8), flags)
    return pixels


class ParsingDataset(torch.utils.data.Dataset):
    """Rows for the Trainer: `pixel_values` (3, h, w), `labels` (h, w), both uint8, and `row`, the position.

    The augmentation of a row depends only on seed, epoch and row, so a run is repeatable whatever the number of loader
    processes, and continues unchanged from a checkpoint.
    """

    def __init__(
        self,
        rows: Dataset,
        processor: SegformerImageProcessorPil,
        kind: str = "none",
        seed: int = 0,
        class_crop: float = 0.0,
        repair_masks: bool = False,
        copy_paste: float = 0.0,
        paster: CopyPaste | None = None,
        classes: MaskClasses = ATR_MASKS,
    ) -> None:
        """Serve `rows` (undecoded, as `load_splits` gives them) augmented by `augment`.

        Args:
            rows: with `id`, `image` and `mask`, and optionally `CLASS_IDS`.
            processor: gives the network's input size.
            kind: kind of augmentation.
            seed: seed of the augmentation.
            class_crop: share of the rows that are cropped around a class.
            repair_masks: whether to `repair` the masks first.
            copy_paste: share of the rows that get an item of `paster`.
            paster: pastes the items.
            classes: the classes of the masks.
        """
        self.repair_masks, self.copy_paste, self.paster = repair_masks, copy_paste, paster
        self.classes = classes
        self.rows, self.processor, self.seed = rows, processor, seed
        # Shared with the loader's processes, which outlive an epoch under --dataloader_persistent_workers.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self.kind, self.class_crop = kind, class_crop

    @property
    def epoch(self) -> int:
        """Return the epoch of the current augmentation, in any process."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; the trainer calls this before each epoch."""
        self._epoch.fill_(int(epoch))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return self._encoded(index) | {"row": torch.tensor(index)}

    def _encoded(self, index: int) -> dict[str, torch.Tensor]:
        if torch.utils.data.get_worker_info() is not None:
            cv2.setNumThreads(0)  # the loader's processes share the cores already
        row = self.rows[index]
        photo, mask = decode_quickly(row, self.classes.plain if row.get(CLASS_IDS) else self.classes)
        if self.repair_masks:
            mask = repair(mask, photo).mask
        number = int(np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1)[0])
        if self.paster is not None:
            rng = np.random.default_rng([number, 1])
            if rng.random() < self.copy_paste:
                photo, mask = self.paster.dress(photo, mask, rng)
        if self.kind == "none":
            return encode(photo, mask, self.processor)
        rng, swap = np.random.default_rng(number), self.classes.labels.swap_table
        photo, mask = augment(photo, mask, rng, self.kind, self.class_crop, swap)
        return encode(photo, mask, self.processor, exact=False)
