"""Packshots: a cut-out, cropped and centred on a plain background, with an optional soft shadow."""

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.options import PackshotOptions
from clothseg.outputs.cutout import crop
from clothseg.outputs.recolor import parse_color


Pixels = npt.NDArray[np.uint8]

WHITE = "#ffffff"

_DEPTH = 0.35
"""Share of the background that the shadow takes away where it is darkest."""

_FALL, _BLUR = 0.02, 0.02
"""How far below the cut-out the shadow lies, and how soft it is, as shares of the cut-out's longer side."""


def packshot(cutout: Pixels, options: PackshotOptions | None = None, background: str = WHITE) -> Pixels:
    """Return a packshot of a cut-out.

    Args:
        cutout: (H, W, 4) uint8 RGBA; its visible part is centred, at its own size in pixels.
        options: aspect, padding and shadow.
        background: colour behind it, such as "#ffffff".

    Returns:
        (h, w, 3) uint8 RGB of the aspect; the visible part fills it up to the padding in width or in height.

    Raises:
        ConfigError: `background` is no colour.

    >>> packshot(np.full((40, 10, 4), 255, np.uint8), PackshotOptions(aspect="4:5", padding=0.1)).shape
    (50, 40, 3)
    """
    options = options or PackshotOptions()
    color = np.array(parse_color(background), np.float32)
    part = crop(cutout)
    high, wide = part.shape[:2]
    across, down = map(int, options.aspect.split(":"))
    inner = 1 - 2 * options.padding
    unit = max(wide / across, high / down) / inner
    height, width = max(high, round(unit * down)), max(wide, round(unit * across))
    top, left = (height - high) // 2, (width - wide) // 2
    place = slice(top, top + high), slice(left, left + wide)
    alpha = np.zeros((height, width), np.float32)
    alpha[place] = part[..., 3].astype(np.float32) / 255
    ground = np.broadcast_to(color, (height, width, 3)).copy()
    if options.shadow:
        ground *= 1 - _DEPTH * _shadow(alpha, max(high, wide))[..., None]
    share = alpha[place][..., None]
    ground[place] = part[..., :3] * share + ground[place] * (1 - share)
    return np.rint(ground).astype(np.uint8)


def _shadow(alpha: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.float32]:
    """Return the shadow's strength (H, W) in 0..1: alpha moved down by a share of `side`, and blurred."""
    fall = max(1, round(_FALL * side))
    moved = np.zeros_like(alpha)
    moved[fall:] = alpha[:-fall]
    return np.asarray(cv2.GaussianBlur(moved, (0, 0), max(0.8, _BLUR * side)), np.float32)
