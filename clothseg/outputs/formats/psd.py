"""A photo with a layer for each item, as a Photoshop document: for Photoshop, GIMP, Krita, Affinity and Photopea.

Each layer has the photo's own pixels in the item's box and the item's mask as layer mask, so that its outline can be
corrected with a brush.
"""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError, needs_extra
from clothseg.outputs.items import Item


Pixels = npt.NDArray[np.uint8]

LONGEST = 30_000
"""Longest side of a Photoshop document in pixels."""


def to_psd(items: Sequence[Item], photo: Pixels, alpha: Pixels | None = None) -> bytes:
    """Return a PSD with the photo as its lowest layer and a masked layer for each item, such as "03 Bag".

    Args:
        items: of the photo.
        photo: (H, W, 3) uint8 RGB.
        alpha: (H, W) uint8, opacity of the photo; None: opaque.

    Raises:
        ConfigError: psd-tools is not installed, or the photo is too large for the format.
    """
    with needs_extra("Writing PSD", "psd"):
        from psd_tools import PSDImage
    height, width = photo.shape[:2]
    if max(height, width) > LONGEST:
        raise ConfigError(
            f"A PSD has at most {LONGEST:,} pixels a side, not {width:,} x {height:,}; use another format."
        )
    document = PSDImage.new("RGB", (width, height))
    document.create_pixel_layer(_rgba(photo, alpha), name="Photo")
    for item in items:
        x, y, wide, high = item.box
        box = slice(y, y + high), slice(x, x + wide)
        mask = np.where(item.mask, 255 if alpha is None else alpha[box], 0).astype(np.uint8)
        layer = _rgba(photo[box], mask)
        document.create_pixel_layer(layer, name=f"{item.index:02d} {item.name}", top=y, left=x)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _rgba(photo: Pixels, alpha: Pixels | None) -> Image.Image:
    return Image.fromarray(photo if alpha is None else np.dstack([photo, alpha]))
