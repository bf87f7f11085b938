"""Turn a hard mask into a cut-out without a fringe: a soft alpha, and the foreground's own colours."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.outputs import render
from clothseg.postprocess.guided_filter import as_bands, guided_filter


TILE = 256
"""Side in pixels of the tiles of `soft_cutout`; its memory does not grow with the photo."""

FEW_TILES = 8
"""Below this number of tiles, `soft_cutout` uses one thread."""

Window = tuple[slice, slice]
"""(rows, columns)"""

_HAZE = 0.05
"""Alpha closer to 0 or 1 than this is uncertainty of the filter: a haze outside, a trace of the background inside."""


def soft_cutout(
    photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_], radius: int | None = None
) -> npt.NDArray[np.uint8]:
    """Cut a mask out of a photo with a soft edge, in the foreground's own colours.

    This works tile by tile, only at the edge, on two tiles at a time; besides the output it takes about 100 bytes for
    each pixel of a tile and its surroundings.

    Args:
        photo: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        radius: as in `soft_alpha`.

    Returns:
        (H, W, 4) uint8 RGBA, transparent black where alpha is 0.
    """
    radius = radius or default_radius(mask.shape)
    made = render.cutout(photo, mask)

    def soften(windows: tuple[Window, Window, Window]) -> None:
        tile, around, inner = windows
        alpha = soft_alpha(photo[around], mask[around], radius)
        alpha = np.clip((alpha - _HAZE) / (1 - 2 * _HAZE), 0, 1, dtype=np.float32)
        levels = np.rint(alpha * 255).astype(np.uint8)[inner]
        made[tile][..., :3] = foreground(photo[around], alpha, 4 * radius + 1)[inner]
        made[tile][..., 3] = levels
        made[tile][levels == 0] = 0

    # the filter looks twice its radius about it, and the colours are means over as much again
    tiles = list(edge_tiles(mask, radius, 4 * radius + 4))
    if len(tiles) < FEW_TILES:
        for windows in tiles:
            soften(windows)
    else:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(soften, tiles))
    return made


def edge_tiles(mask: npt.NDArray[np.bool_], reach: int, look: int) -> Iterator[tuple[Window, Window, Window]]:
    """Yield the parts of a mask around its edge, so that work there takes no more memory for a larger photo.

    Args:
        mask: (H, W) bool.
        reach: distance from the mask's edge within which something changes, in pixels.
        look: distance around a pixel that the work reads, in pixels; at least `reach`.

    Yields:
        (rows, columns) of a tile, at most `TILE` pixels a side; of the tile with its surroundings; and of the tile
        within these. Tiles too far from any edge are left out.
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    for row in range(max(0, top - reach), min(mask.shape[0], top + height + reach), TILE):
        for column in range(max(0, left - reach), min(mask.shape[1], left + width + reach), TILE):
            y, x = max(0, row - look), max(0, column - look)
            around = np.s_[y : row + TILE + look, x : column + TILE + look]
            seen = mask[around]
            if seen.any() and not seen.all():
                inner = np.s_[row - y : row - y + TILE, column - x : column - x + TILE]
                yield np.s_[row : row + TILE, column : column + TILE], around, inner


def default_radius(size: tuple[int, ...]) -> int:
    """Return the default of `radius` for a photo of a size (height, width), in pixels, at least 3.

    It is 1/200 of the longer side, and less for wide photos, in which people are no taller than the photo.
    """
    return max(3, round(min(max(size), 1.5 * min(size))) // 200)


def soft_alpha(
    photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_], radius: int | None = None, eps: float = 1e-4
) -> npt.NDArray[np.float32]:
    """Make a mask's edge follow the photo by the guided filter; only pixels within `radius` of the edge change.

    Args:
        photo: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        radius: distance from the mask's edge within which the true edge may be, in pixels; by default
            `default_radius`.
        eps: as in `clothseg.postprocess.guided_filter.guided_filter`.

    Returns:
        (H, W) float32 in 0..1.
    """
    alpha = mask.astype(np.float32)
    radius = radius or default_radius(mask.shape)
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    if not width:
        return alpha
    margin = 2 * radius
    box = (
        slice(max(0, top - margin), top + height + margin),
        slice(max(0, left - margin), left + width + margin),
    )
    shrink = max(1, radius // 4)
    soft = guided_filter(photo[box], alpha[box], radius, eps, shrink)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    inside = mask[box].view(np.uint8)
    # beyond the picture's edge, the mask continues unchanged
    near = cv2.dilate(inside, disc) > cv2.erode(inside, disc)
    alpha[box][near] = soft.clip(0, 1)[near]
    return alpha


def foreground(
    photo: npt.NDArray[np.uint8], alpha: npt.NDArray[np.float32], window: int | None = None
) -> npt.NDArray[np.uint8]:
    """Estimate the foreground's own colours where alpha mixes them with the background, so that no halo remains.

    Blur fusion after Forte, "Approximate fast foreground colour estimation" (ICIP 2021): foreground and background are
    local means weighted by alpha, corrected so that they mix to the photo; first with wide windows, then with narrow
    ones. This takes about 100 bytes a pixel, so pass only the relevant box.

    Args:
        photo: (H, W, 3) uint8 RGB.
        alpha: (H, W) float32 in 0..1.
        window: side of the wide windows in pixels, an odd number; by default 1/11 of the longer side. It must reach
            from the edge's middle to where alpha is 0 or 1.

    Returns:
        (H, W, 3) uint8: the photo itself where alpha is 1; where alpha is 0, the foreground's colours are extended.
    """
    image, share = np.moveaxis(as_bands(photo), 0, 2), alpha[..., None]
    inner, outer = image, image
    for side in (window or _odd(max(alpha.shape) // 11), 7):
        weight = cv2.blur(alpha, (side, side))[..., None]
        blurred = cv2.blur(inner * share, (side, side)) / (weight + 1e-5)
        behind = cv2.blur(outer * (1 - share), (side, side)) / (1 - weight + 1e-5)
        inner = np.clip(blurred + share * (image - share * blurred - (1 - share) * behind), 0, 1)
        outer = behind
    return np.rint(inner * 255).astype(np.uint8)


def _odd(length: int) -> int:
    return max(7, length | 1)
