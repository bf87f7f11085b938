"""The augmentation as it was on albumentations, to compare ours with: `pip install albumentations==2.0.8` brings it.

It is not among the requirements: its last release is archived.
"""

import os
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import BACKGROUND, IGNORE, SWAP_SIDES


os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks PyPI for its newest version at import otherwise
import albumentations as A

from clothseg.training.data.augmentation import MEAN_COLOR


class FlipSides(A.HorizontalFlip):
    """Mirror photo and label map; the mirrored left shoe is a right shoe, and so on for legs and arms."""

    def apply_to_mask(self, mask: npt.NDArray[np.uint8], **params: Any) -> npt.NDArray[np.uint8]:
        """Mirrored label map (H, W) uint8 with the sides exchanged."""
        mirrored: Any = cv2.LUT(super().apply_to_mask(mask, **params), SWAP_SIDES)
        return mirrored


class Window(A.DualTransform):
    """Crop to a window that depends on the mask; `get_params_dependent_on_data` draws it. Cropping is all: `encode`
    resizes."""

    @property
    def targets_as_params(self) -> list[str]:
        """What `get_params_dependent_on_data` is given."""
        return ["mask"]

    def apply(
        self, img: npt.NDArray[np.uint8], window: tuple[int, int, int, int] = (0, 1, 0, 1), **params: Any
    ) -> npt.NDArray[np.uint8]:
        """The window of a photo (H, W, 3) or mask (H, W)."""
        top, bottom, left, right = window
        return np.ascontiguousarray(img[top:bottom, left:right])

    apply_to_mask = apply


class ClassCrop(Window):
    """Crop a window about a pixel of a class drawn evenly from those that the photo shows.

    Evenly over classes, not pixels: a pair of sunglasses is looked at as often as the trousers. The windows are
    also what half-length portraits and details look like.
    """

    def __init__(
        self, height: tuple[float, float] = (0.25, 0.8), width: tuple[float, float] = (0.4, 1.0), p: float = 0.5
    ) -> None:
        """Windows of `height` and `width` as shares of the photo's."""
        super().__init__(p=p)
        self.height, self.width = height, width

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw the window as (top, bottom, left, right)."""
        mask = data["mask"]
        found = np.flatnonzero(np.bincount(mask.ravel()))  # np.unique would sort all pixels
        shown = [index for index in found if index not in (BACKGROUND, IGNORE)]
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


class Portrait(Window):
    """Crop to the upper part of the figure, from the photo's top: what half-lengths and portraits look like.

    The window is as wide as it is high, more or less, about the middle of what of the figure it shows. A mask without
    a figure is left whole.
    """

    def __init__(
        self, share: tuple[float, float] = (0.25, 0.7), aspect: tuple[float, float] = (0.7, 1.4), p: float = 0.5
    ) -> None:
        """Windows that show `share` of the figure's height, of width over height `aspect`."""
        super().__init__(p=p)
        self.share, self.aspect = share, aspect

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw the window as (top, bottom, left, right)."""
        figure = (data["mask"] != BACKGROUND) & (data["mask"] != IGNORE)
        height, width = figure.shape
        rows = np.flatnonzero(figure.any(axis=1))
        share, aspect = self.py_random.uniform(*self.share), self.py_random.uniform(*self.aspect)
        if not len(rows):
            return {"window": (0, height, 0, width)}
        bottom = max(2, min(height, int(rows[0] + share * (rows[-1] - rows[0]))))
        columns = np.flatnonzero(figure[:bottom].any(axis=0))
        wide = min(width, max(2, round(aspect * bottom)))
        middle = (columns[0] + columns[-1]) // 2 if len(columns) else width // 2
        left = min(max(0, int(middle) - wide // 2), width - wide)
        return {"window": (0, bottom, left, left + wide)}


class GaussNoise(A.GaussNoise):
    """albumentations' noise, a different sample in each channel, in a ninth of its time.

    The same standard deviations, drawn at `noise_scale_factor` of the photo's size and enlarged alike; but drawn in
    float32, and the sum is rounded, where albumentations cuts the noise itself to whole grey levels.
    """

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw the noise map (H, W, 3) float32 in grey levels."""
        height, width = data["image"].shape[:2]
        deviation = 255 * self.py_random.uniform(*self.std_range)
        small = np.empty((*(int(side * self.noise_scale_factor) or 1 for side in (height, width)), 3), np.float32)
        cv2.setRNGSeed(int(self.random_generator.integers(2**31)))
        cv2.randn(small, np.zeros(3), np.full(3, deviation))
        return {"noise_map": cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)}

    def apply(
        self, img: npt.NDArray[np.uint8], noise_map: npt.NDArray[np.float32], **params: Any
    ) -> npt.NDArray[np.uint8]:
        """Photo (H, W, 3) uint8 plus noise, cut off at 0 and 255."""
        noisy: Any = cv2.add(img, noise_map, dtype=cv2.CV_8U)
        return noisy


def augmentation(kind: str, class_crop: float = 0.0) -> A.Compose:
    """Random changes to a photo (H, W, 3) uint8 and its mask (H, W) uint8.

    Args:
        kind: `none`, `standard` (the first version's: flip, noise, colour, downscaling) or `strong` (also zoom,
            shift, rotation, small figures, half-lengths, blur, grey and dark photos; uncovered ground is Background
            in a plain colour).
        class_crop: share of the photos of which a window about a class is taken, in place of the other geometry.
    """
    colour = [
        A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.5),
        A.HueSaturationValue(hue_shift_limit=10, sat_shift_limit=30, val_shift_limit=20, p=0.3),
    ]
    # Noise and downscaling rarely: they are slow, and most photos are clean.
    quality = [
        GaussNoise(std_range=(0.02, 0.08), per_channel=True, noise_scale_factor=0.5, p=0.1),
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
        p=0.62,
        **ground,
    )
    away = {"scale": (0.28, 0.65), "translate_percent": {"x": (-0.2, 0.2), "y": (-0.2, 0.2)}}
    distance = [
        A.Affine(fill=fill, p=weight, **away, **ground) for fill, weight in ((MEAN_COLOR, 0.1), (0, 0.05), (255, 0.05))
    ]
    elsewhere = A.OneOf([place, *distance, Portrait(p=0.14), A.NoOp(p=0.04)], p=1 - class_crop)
    # exactly one of each choice: their p are shares of 1
    closer = ClassCrop(p=class_crop)
    view = A.OneOf([closer, elsewhere], p=1)
    soften = [
        A.GaussianBlur(blur_limit=(3, 7), p=0.1),
        A.ToGray(p=0.05),
        A.RandomGamma(gamma_limit=(60, 150), p=0.2),
        A.RandomBrightnessContrast(brightness_limit=(-0.6, -0.3), contrast_limit=(-0.2, 0.2), p=0.03),
    ]
    steps = {
        "none": [],
        "standard": [FlipSides(p=0.5), closer, *colour, *quality],
        "strong": [FlipSides(p=0.5), view, *colour, *soften, *quality],
    }
    # strict: an argument that this albumentations does not know is an error, not a warning.
    return A.Compose(steps[kind], strict=True)
