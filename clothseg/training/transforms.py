"""From a photo and its label map to the network's input: augmentation, resizing, normalising."""

import os
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from transformers import SegformerImageProcessorPil

from clothseg.labels import BACKGROUND, swap_sides


os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks PyPI for its newest version at import otherwise
import albumentations as A


MEAN_COLOR = (124, 116, 104)  # ImageNet's mean: what the network sees as zero


class FlipSides(A.HorizontalFlip):
    """Mirror photo and label map; the mirrored left shoe is a right shoe, and so on for legs and arms."""

    def apply_to_mask(self, mask: npt.NDArray[np.uint8], **params: Any) -> npt.NDArray[np.uint8]:
        """Mirrored label map (H, W) uint8 with the sides exchanged."""
        return swap_sides(super().apply_to_mask(mask, **params))


def augmentation(kind: str) -> A.Compose:
    """Random changes to a photo (H, W, 3) uint8 and its mask (H, W) uint8.

    Args:
        kind: `none`, `standard` (the first version's: flip, noise, colour, downscaling) or `strong` (also zoom,
            shift, rotation and blur; uncovered ground is Background in the mean colour).
    """
    colour = [
        A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.5),
        A.HueSaturationValue(hue_shift_limit=10, sat_shift_limit=30, val_shift_limit=20, p=0.3),
    ]
    # Noise and downscaling rarely: they are slow, and most photos are clean.
    quality = [
        A.GaussNoise(std_range=(0.02, 0.08), per_channel=True, noise_scale_factor=0.5, p=0.1),
        A.Downscale(scale_range=(0.4, 0.8), p=0.1),
    ]
    place = A.Affine(
        scale={"x": (0.65, 1.8), "y": (0.65, 1.8)},
        keep_ratio=False,
        rotate=(-12, 12),
        shear=(-4, 4),
        translate_percent={"x": (-0.15, 0.15), "y": (-0.15, 0.15)},
        interpolation=cv2.INTER_LINEAR,
        mask_interpolation=cv2.INTER_NEAREST,
        border_mode=cv2.BORDER_CONSTANT,
        fill=MEAN_COLOR,
        fill_mask=BACKGROUND,
        p=0.9,
    )
    soften = [A.GaussianBlur(blur_limit=(3, 7), p=0.1), A.ToGray(p=0.05), A.RandomGamma(gamma_limit=(60, 150), p=0.2)]
    steps = {
        "none": [],
        "standard": [FlipSides(p=0.5), *colour, *quality],
        "strong": [FlipSides(p=0.5), place, *colour, *soften, *quality],
    }
    # strict: an argument that this albumentations does not know is an error, not a warning.
    return A.Compose(steps[kind], strict=True)


def encode(
    photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], processor: SegformerImageProcessorPil
) -> dict[str, torch.Tensor]:
    """Resize and normalise as the model will be served, by the very processor that is saved with it.

    Args:
        photo: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8 class ids, 255 for not annotated.

    Returns:
        `pixel_values` (3, h, w) float32 and `labels` (h, w) int64, h and w the processor's size.
    """
    size = processor.size
    pixels = processor(images=Image.fromarray(photo), return_tensors="np")["pixel_values"][0]
    labels = cv2.resize(mask, (size["width"], size["height"]), interpolation=cv2.INTER_NEAREST_EXACT)
    return {
        "pixel_values": torch.from_numpy(np.asarray(pixels, np.float32)),
        "labels": torch.from_numpy(labels).long(),
    }
