"""transformers' image processing of SegFormer without importing transformers, which takes seconds.

The results are equal to those of its PIL processor to the last bit, tested for the files of published models.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image


_TYPES = ("SegformerImageProcessor", "SegformerImageProcessorFast", "SegformerImageProcessorPil")
_NAMES = ("image_processor_type", "feature_extractor_type", "processor_class")
_SWITCHES = ("do_resize", "do_rescale", "do_normalize")


AREA = -1
"""Used like one of PIL's filters: means of areas, like OpenCV's INTER_AREA. PIL's box filter is equal only if a photo
is reduced by a whole number."""


def resize(photo: Image.Image, size: tuple[int, int], resample: int) -> npt.NDArray[np.uint8]:
    """Return an RGB photo at a size (h, w): (h, w, 3) uint8.

    Args:
        photo: of any size.
        size: of the result.
        resample: PIL's filter, or `AREA`.
    """
    if resample == AREA:
        return np.asarray(cv2.resize(np.asarray(photo), size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(photo.resize(size[::-1], resample))


@dataclass(frozen=True)
class Preprocessing:
    """Resize, scale and normalise: the part of `SegformerImageProcessorPil` that we use, with the same names."""

    size: dict[str, int]
    resample: int
    rescale_factor: float
    image_mean: Sequence[float]
    image_std: Sequence[float]
    do_resize: bool = True

    def __call__(
        self, images: Sequence[Image.Image], size: dict[str, int] | None = None, return_tensors: str = "np"
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Return the pixels (N, 3, h, w) float32 of RGB pictures, under `pixel_values`."""
        size = size or self.size
        resized = [resize(image, (size["height"], size["width"]), self.resample) for image in images]
        # the order of operations and their number formats are transformers'
        values = np.stack(resized).astype(np.float64)
        scaled = (values * self.rescale_factor).astype(np.float32)
        pixels = (scaled - np.asarray(self.image_mean, np.float32)) / np.asarray(self.image_std, np.float32)
        return {"pixel_values": np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))}


def read_preprocessing(path: str | Path) -> Preprocessing | None:
    """Read a preprocessor_config.json of SegFormer; return None if it relies on transformers' defaults."""
    try:
        stated: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        kind = {stated.pop(name, None) for name in _NAMES} - {None}
        stated.pop("do_reduce_labels", None)  # of masks
        switches = [stated.pop(name) for name in _SWITCHES]
        made = Preprocessing(**stated)
        usual = sorted(made.size) == ["height", "width"] and len(made.image_mean) == len(made.image_std) == 3
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return made if usual and all(switch is True for switch in switches) and kind and kind <= set(_TYPES) else None


def fixed_size(processor: Any, any_size: bool = True, trained: Any = None) -> tuple[int, int]:
    """Return the (height, width) to which photos are resized for a network.

    Processors that keep a photo's proportions, crop or pad would give label maps of a part of the photo, or of more
    than it: for those, the whole photo is resized to the crop, or to a square of its shorter side.

    Args:
        processor: an image processor of transformers.
        any_size: whether the network takes other sizes than `trained`.
        trained: the configuration's `image_size`, if it has one.
    """
    if not any_size and trained:
        return (trained, trained) if isinstance(trained, int) else (int(trained[0]), int(trained[1]))
    size = dict(getattr(processor, "size", None) or {})
    if getattr(processor, "do_center_crop", None):
        size = dict(processor.crop_size)
    if size.get("height") and size.get("width"):
        return size["height"], size["width"]
    side = 32 * round((size.get("shortest_edge") or 512) / 32)
    return side, side


class NetworkInput:
    """Makes the network's input of photos, exactly as a processor of transformers makes it.

    Beyond resizing, processors only map values and may reverse channels: found out once for all 256 levels, instead of
    computed for each pixel.

    Attributes:
        size: (height, width) of the network's usual input.
        resample: PIL's filter, or `AREA`.
        values: (3, 256) float32, the network's value for each level of a channel.
        reversed: whether the network takes BGR.
    """

    def __init__(self, processor: Any, size: tuple[int, int] | None = None) -> None:
        """Read the settings of an image processor (PIL backend).

        Args:
            processor: of transformers, or `Preprocessing`.
            size: (height, width) of the input; by default as the processor states it.
        """
        self.size = size or fixed_size(processor)
        self.resample = processor.resample
        ramp = np.zeros((16, 16, 3), np.uint8)
        ramp[..., 0] = np.arange(256, dtype=np.uint8).reshape(16, 16)
        grey = np.repeat(ramp[..., :1], 3, axis=2)
        # A ramp in red alone varies in blue if the channels are reversed.
        red, made = (_unresized(processor, Image.fromarray(each)) for each in (ramp, grey))
        self.reversed = bool(np.ptp(red[2]) > 0)
        self.values = made

    def __call__(self, photos: Sequence[Image.Image], size: tuple[int, int]) -> npt.NDArray[np.float32]:
        """Return the pixels (N, 3, h, w) float32 of RGB photos at a size (h, w)."""
        height, width = size
        pixels = np.empty((len(photos), 3, height, width), np.float32)
        for photo, planes in zip(photos, pixels, strict=True):
            small = resize(self.arranged(photo), (height, width), self.resample)
            for channel, plane in enumerate(planes):
                cv2.LUT(cv2.extractChannel(small, channel), self.values[channel], dst=plane)
        return pixels

    def arranged(self, photo: Image.Image) -> Image.Image:
        """Return an RGB photo with the channels in the network's order."""
        return Image.merge("RGB", photo.split()[::-1]) if self.reversed else photo


def _unresized(processor: Any, image: Image.Image) -> npt.NDArray[np.float32]:
    """Return the values (3, 256) of an RGB image of 16 x 16 pixels, without resizing, cropping and padding it."""
    if isinstance(processor, Preprocessing):
        made = processor(images=[image], size={"height": 16, "width": 16})["pixel_values"]
    else:
        switches = ("do_resize", "do_center_crop", "do_pad", "do_split_image")
        off = {name: False for name in switches if getattr(processor, name, None) is not None}
        made = processor(images=[image], return_tensors="np", **off)["pixel_values"]
    return np.asarray(made, dtype=np.float32).reshape(3, 256)
