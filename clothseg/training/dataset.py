"""Rows of a data set as the Trainer takes them: decoded, augmented, encoded."""

import numpy as np
import torch
from datasets import Dataset
from transformers import SegformerImageProcessorPil

from clothseg.training.data import decode_row
from clothseg.training.transforms import augmentation, encode


class ParsingDataset(torch.utils.data.Dataset):
    """Rows as the Trainer takes them: `pixel_values` (3, h, w) float32 and `labels` (h, w) int64.

    The augmentation of a row depends on seed, epoch and row only, so that a run is repeatable, whatever the number
    of loader processes, and goes on unchanged from a checkpoint.
    """

    def __init__(
        self, rows: Dataset, processor: SegformerImageProcessorPil, kind: str = "none", seed: int = 0
    ) -> None:
        """Serve `rows` (undecoded, as `load_splits` gives them) augmented by `augmentation(kind)`."""
        self.rows, self.processor, self.seed, self.epoch = rows, processor, seed, 0
        self.augment = augmentation(kind) if kind != "none" else None

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader at each epoch's start."""
        self.epoch = int(epoch)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        photo, mask = decode_row(self.rows[index])
        if self.augment is not None:
            self.augment.set_random_seed(
                int(np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1)[0])
            )
            changed = self.augment(image=photo, mask=mask)
            photo, mask = changed["image"], changed["mask"]
        return encode(photo, mask, self.processor)
