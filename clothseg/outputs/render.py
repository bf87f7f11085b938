"""Pictures of label maps: palette PNGs, coloured maps, overlays and cut-outs. Pure functions on arrays."""

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError
from clothseg.labels import ATR, BACKGROUND, LabelSet


def palette_image(label_map: npt.NDArray[np.uint8], labels: LabelSet = ATR) -> Image.Image:
    """Return a label map (H, W) uint8 as a PIL image of mode P: pixel values are the class ids, viewers show the
    palette."""
    image = Image.fromarray(label_map)
    image.putpalette(labels.palette.tobytes())
    return image


def colorize(label_map: npt.NDArray[np.uint8], labels: LabelSet = ATR) -> npt.NDArray[np.uint8]:
    """Return the palette colours (H, W, 3) uint8 RGB of a label map (H, W) uint8; ids beyond the classes are black."""
    return np.asarray(cv2.applyColorMap(label_map, labels.palette[:, None]), dtype=np.uint8)


def overlay(
    photo: npt.NDArray[np.uint8], label_map: npt.NDArray[np.uint8], opacity: float = 0.6, labels: LabelSet = ATR
) -> npt.NDArray[np.uint8]:
    """Blend the palette over the photo; Background keeps the photo's own pixels.

    Args:
        photo: (H, W, 3) uint8 RGB.
        label_map: (H, W) uint8 class ids.
        opacity: 0 shows the photo alone, 1 the colours alone.
        labels: the classes.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        ConfigError: `opacity` is not within 0..1.
    """
    if not 0 <= opacity <= 1:
        raise ConfigError(f"opacity must be between 0 and 1, not {opacity}.")
    blend = np.empty_like(photo)
    count = max(1, 2**20 // max(1, photo[:1].size))  # some rows at a time, so that colours take no memory
    for top in range(0, len(photo), count):
        rows = np.s_[top : top + count]
        part, ids = photo[rows], label_map[rows]
        blend[rows] = cv2.addWeighted(part, 1 - opacity, colorize(ids, labels), opacity, 0)
        np.copyto(blend[rows], part, where=(ids == BACKGROUND)[..., None])
    return blend


def cutout(photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Return the photo (H, W, 3) uint8 where `mask` (H, W) bool is true, as (H, W, 4) uint8 RGBA.

    Pixels outside are transparent black, so the file does not contain the rest of the photo.
    """
    if not mask.size:
        return np.zeros((*mask.shape, 4), np.uint8)
    out = np.asarray(cv2.cvtColor(photo, cv2.COLOR_RGB2RGBA), np.uint8)  # opaque
    pixels = out.view(np.uint32)[..., 0]
    np.multiply(pixels, mask, out=pixels)
    return out
