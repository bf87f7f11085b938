"""Change the colour of garments and keep their folds, shadows and texture.

In CIELAB, all pixels of the mask are shifted by the difference between the new colour and their median, so that what
differs from the median (shading, folds, pattern) stays. The shift of colour fades in deep shadows and highlights, so
that black seams and white buttons hardly take the colour. Lightness is scaled towards black or white where a shift
would leave the range, so that folds do not become flat patches. Edges follow the cut-out's soft edge.
"""

import re

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.errors import ConfigError
from clothseg.outputs.matting import soft_alpha


Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def parse_color(color: str) -> tuple[int, int, int]:
    """Return (red, green, blue) of a colour such as "#a03050".

    Raises:
        ConfigError: another text.

    >>> parse_color("#a03050")
    (160, 48, 80)
    """
    if not isinstance(color, str) or not _COLOR.fullmatch(color):
        raise ConfigError(f'color must be a colour such as "#a03050", not {repr(color)[:50]}.')
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def recolor(photo: Pixels, mask: Mask, color: str) -> Pixels:
    """Return the photo with the masked part in another colour.

    Args:
        photo: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        color: such as "#a03050"; the median colour of the part becomes this one.

    Returns:
        (H, W, 3) uint8 RGB; equal to the photo away from the mask's edge.

    Raises:
        ConfigError: `color` is no colour.
    """
    red, green, blue = parse_color(color)
    made = photo.copy()
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    if not width:
        return made
    margin = 16 + max(mask.shape) // 50
    box = slice(max(0, top - margin), top + height + margin), slice(max(0, left - margin), left + width + margin)
    part, inside = photo[box], mask[box]
    lab = np.asarray(cv2.cvtColor(part.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    pixel = np.array([[[red, green, blue]]], np.float32) / 255
    target = cv2.cvtColor(pixel, cv2.COLOR_RGB2LAB)[0, 0]
    median = np.median(lab[inside], axis=0)
    moved = _moved(lab[..., 0], float(median[0]), float(target[0]))
    before, after = _colorfulness(lab[..., 0], float(median[0])), _colorfulness(moved, float(target[0]))
    # White stays without colour where it becomes darker; black cloth takes it where it becomes lighter.
    after = np.where(lab[..., 0] > median[0], np.minimum(before, after), after)
    lab[..., 0] = moved
    lab[..., 1:] += after[..., None] * target[1:] - before[..., None] * median[1:]
    share = soft_alpha(part, inside)[..., None]
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).clip(0, 1) * 255
    made[box] = np.rint(rgb * share + part * (1 - share)).astype(np.uint8)
    return made


def _colorfulness(lightness: npt.NDArray[np.float32], middle: float) -> npt.NDArray[np.float32]:
    """Return how much of a cloth's colour (0..1) is seen at each lightness (0..100); `middle` is its median.

    It is less in deep shadows and highlights, and none in black and white.
    """
    room = np.where(lightness < middle, lightness / max(middle, 1e-3), (100 - lightness) / max(100 - middle, 1e-3))
    return (2 * room).clip(0, 1).astype(np.float32)


def _moved(lightness: npt.NDArray[np.float32], median: float, target: float) -> npt.NDArray[np.float32]:
    """Return lightness (0..100) such that `median` becomes `target`.

    Differences from the median keep their size; on a side that has less room than before they are scaled down, so that
    the darkest and lightest pixels stay within 0..100.
    """
    below = min(1.0, target / max(median, 1e-3))
    above = min(1.0, (100 - target) / max(100 - median, 1e-3))
    difference = lightness - median
    return target + difference * np.where(difference < 0, below, above).astype(np.float32)
