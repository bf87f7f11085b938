"""transformers' image processing of SegFormer without importing transformers, which takes seconds.

The results are equal to those of its PIL processor to the last bit, tested for the files of published models.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image


_TYPES = ("SegformerImageProcessor", "SegformerImageProcessorFast", "SegformerImageProcessorPil")
_NAMES = ("image_processor_type", "feature_extractor_type", "processor_class")
_SWITCHES = ("do_resize", "do_rescale", "do_normalize")


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
        resized = [image.resize((size["width"], size["height"]), self.resample) for image in images]
        # the order of operations and their number formats are transformers'
        values = np.stack([np.asarray(image) for image in resized]).astype(np.float64)
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


class NetworkInput:
    """Makes the network's input of photos, exactly as a processor of transformers makes it.

    Beyond resizing, processors only map values: found out once for all 256, instead of computed for each pixel.

    Attributes:
        size: (height, width) of the network's usual input.
        resample: PIL's filter.
        values: (3, 256) float32, the network's value for each level of a channel.
    """

    def __init__(self, processor: Any) -> None:
        """Read the settings of an image processor (PIL backend) with a fixed height and width."""
        self.size: tuple[int, int] = (processor.size["height"], processor.size["width"])
        self.resample = processor.resample
        ramp = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2))
        made = processor(images=[ramp], size={"height": 16, "width": 16}, return_tensors="np")["pixel_values"]
        self.values = np.asarray(made, dtype=np.float32).reshape(3, 256)

    def __call__(self, photos: Sequence[Image.Image], size: tuple[int, int]) -> npt.NDArray[np.float32]:
        """Return the pixels (N, 3, h, w) float32 of RGB photos at a size (h, w)."""
        height, width = size
        pixels = np.empty((len(photos), 3, height, width), np.float32)
        for photo, planes in zip(photos, pixels, strict=True):
            small = np.asarray(photo.resize((width, height), self.resample))
            for channel, plane in enumerate(planes):
                self.values[channel].take(small[..., channel], out=plane, mode="clip")
        return pixels
