"""Photos prepared for an engine, and the pixels of several of them for one pass."""

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from clothseg.images.color_space import on_white


class Prepared(NamedTuple):
    """A photo on white, the network's input for it, and the photo itself.

    `pixels` is (1, 3, h, w), an array, or a tensor if the engine works on a GPU. `original` is RGBA if the photo is
    not opaque.
    """

    photo: Image.Image
    pixels: Any
    original: Image.Image


def prepare_later(photo: Image.Image) -> Prepared:
    """Prepare a photo whose input sizes are not known yet."""
    return Prepared(on_white(photo), np.empty(0, np.float32), photo)


def joined(prepared: list[Prepared]) -> Any:
    """Return the network's input for one pass over several photos: an array (N, 3, h, w), or a list of tensors."""
    parts = [each.pixels for each in prepared]
    if not isinstance(parts[0], np.ndarray):
        return parts
    return np.concatenate(parts) if len(parts) > 1 else parts[0]
