"""From a photo and its label map to the network's input: augmentation, resizing, normalising."""

import os
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from transformers import SegformerImageProcessorPil

from clothseg.labels import BACKGROUND, IGNORE, swap_sides


os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks PyPI for its newest version at import otherwise
import albumentations as A


MEAN_COLOR = (124, 116, 104)  # ImageNet's mean: what the network sees as zero


class FlipSides(A.HorizontalFlip):
    """Mirror photo and label map; the mirrored left shoe is a right shoe, and so on for legs and arms."""

    def apply_to_mask(self, mask: npt.NDArray[np.uint8], **params: Any) -> npt.NDArray[np.uint8]:
        """Mirrored label map (H, W) uint8 with the sides exchanged."""
        return swap_sides(super().apply_to_mask(mask, **params))


class LookCloser(A.DualTransform):
    """Crop a window about a pixel of a class drawn evenly from those that the photo shows.

    Evenly over classes, not pixels: a pair of sunglasses is looked at as often as the trousers. The windows are
    also what half-length portraits and details look like. Cropping is all: `encode` resizes.
    """

    def __init__(
        self, height: tuple[float, float] = (0.25, 0.8), width: tuple[float, float] = (0.4, 1.0), p: float = 0.5
    ) -> None:
        """Windows of `height` and `width` as shares of the photo's."""
        super().__init__(p=p)
        self.height, self.width = height, width

    @property
    def targets_as_params(self) -> list[str]:
        """What `get_params_dependent_on_data` is given."""
        return ["mask"]

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw the window as (top, bottom, left, right)."""
        mask = data["mask"]
        shown = [index for index in np.unique(mask) if index not in (BACKGROUND, IGNORE)]
        if shown:
            pixels = np.flatnonzero(mask == self.py_random.choice(shown))
            centre = divmod(int(pixels[self.py_random.randrange(len(pixels))]), mask.shape[1])
        else:
            centre = (mask.shape[0] // 2, mask.shape[1] // 2)
        window: list[int] = []
        for middle, side, shares in zip(centre, mask.shape, (self.height, self.width), strict=True):
            length = max(1, round(side * self.py_random.uniform(*shares)))
            # anywhere that keeps the pixel inside
            start = middle - self.py_random.randrange(length)
            start = min(max(start, 0), side - length)
            window += [start, start + length]
        return {"window": tuple(window)}

    def apply(
        self, img: npt.NDArray[np.uint8], window: tuple[int, int, int, int] = (0, 1, 0, 1), **params: Any
    ) -> npt.NDArray[np.uint8]:
        """The window of a photo (H, W, 3) or mask (H, W)."""
        top, bottom, left, right = window
        return np.ascontiguousarray(img[top:bottom, left:right])

    apply_to_mask = apply


def augmentation(kind: str) -> A.Compose:
    """Random changes to a photo (H, W, 3) uint8 and its mask (H, W) uint8.

    Args:
        kind: `none`, `standard` (the first version's: flip, noise, colour, downscaling) or `strong` (also zoom,
            shift, rotation, windows about a garment, small figures, blur, grey and dark photos; uncovered ground is
            Background in a plain colour).
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
    ground = {
        "interpolation": cv2.INTER_LINEAR,
        "mask_interpolation": cv2.INTER_NEAREST,
        "border_mode": cv2.BORDER_CONSTANT,
        "fill_mask": BACKGROUND,
    }
    place = A.Affine(
        scale={"x": (0.65, 1.8), "y": (0.65, 1.8)},
        keep_ratio=False,
        rotate=(-12, 12),
        shear=(-4, 4),
        translate_percent={"x": (-0.15, 0.15), "y": (-0.15, 0.15)},
        fill=MEAN_COLOR,
        p=0.6,
        **ground,
    )
    away = {"scale": (0.28, 0.65), "translate_percent": {"x": (-0.2, 0.2), "y": (-0.2, 0.2)}}
    distance = [
        A.Affine(fill=fill, p=weight, **away, **ground)
        for fill, weight in ((MEAN_COLOR, 0.06), (0, 0.03), (255, 0.03))
    ]
    # exactly one of these or nothing: their p are shares of 1
    view = A.OneOf([place, LookCloser(p=0.25), *distance, A.NoOp(p=0.03)], p=1)
    soften = [
        A.GaussianBlur(blur_limit=(3, 7), p=0.1),
        A.ToGray(p=0.05),
        A.RandomGamma(gamma_limit=(60, 150), p=0.2),
        A.RandomBrightnessContrast(brightness_limit=(-0.6, -0.3), contrast_limit=(-0.2, 0.2), p=0.03),
    ]
    steps = {
        "none": [],
        "standard": [FlipSides(p=0.5), *colour, *quality],
        "strong": [FlipSides(p=0.5), view, *colour, *soften, *quality],
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
