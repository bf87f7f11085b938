"""From a hard mask to a cut-out without a fringe: a soft alpha, and the colours of the foreground alone."""

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.guided import as_bands, guided_filter


TILE = 512
"""Side in pixels of the parts that `soft_cutout` works on: its memory does not grow with the photo."""


def soft_cutout(
    photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_], radius: int | None = None
) -> npt.NDArray[np.uint8]:
    """Cut a mask out of a photo with a soft edge, in the foreground's own colours.

    Works tile by tile, and only where the edge is; beyond the output it takes about 100 bytes for each pixel of a tile
    and of its surroundings.

    Args:
        photo: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        radius: as in `soft_alpha`.

    Returns:
        (H, W, 4) uint8 RGBA, transparent black where alpha is 0.
    """
    radius = radius or default_radius(mask.shape)
    made = np.zeros((*mask.shape, 4), np.uint8)
    np.copyto(made[..., :3], photo, where=mask[..., None])
    made[..., 3] = np.where(mask, np.uint8(255), np.uint8(0))
    # the filter looks twice its radius about it, and the colours are means over as much again
    reach = 4 * radius + 4
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    for row in range(max(0, top - radius), min(mask.shape[0], top + height + radius), TILE):
        for column in range(max(0, left - radius), min(mask.shape[1], left + width + radius), TILE):
            rows = slice(max(0, row - reach), row + TILE + reach)
            columns = slice(max(0, column - reach), column + TILE + reach)
            around = mask[rows, columns]
            if around.all() or not around.any():
                continue
            alpha = soft_alpha(photo[rows, columns], around, radius)
            colors = foreground(photo[rows, columns], alpha, 4 * radius + 1)
            levels = np.rint(alpha * 255).astype(np.uint8)
            inner = (
                slice(row - rows.start, row - rows.start + TILE),
                slice(column - columns.start, column - columns.start + TILE),
            )
            tile = made[row : row + TILE, column : column + TILE]
            tile[..., :3], tile[..., 3] = colors[inner], levels[inner]
            tile[tile[..., 3] == 0] = 0
    return made


def default_radius(size: tuple[int, ...]) -> int:
    """How far from a mask's edge the true one is sought in a photo of a size (height, width), in pixels."""
    return max(3, max(size) // 200)


def soft_alpha(
    photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_], radius: int | None = None, eps: float = 1e-4
) -> npt.NDArray[np.float32]:
    """Let a mask's edge follow the photo, by the guided filter; further than `radius` from its edge nothing changes.

    Args:
        photo: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        radius: how far from the mask's edge the true one is sought, in pixels; by default 1/200 of the longer side,
            and 3 at least.
        eps: as in `clothseg.guided.guided_filter`.

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
    # beyond the picture's edge the mask goes on as it is
    near = cv2.dilate(inside, disc) > cv2.erode(inside, disc)
    alpha[box][near] = soft.clip(0, 1)[near]
    return alpha


def foreground(
    photo: npt.NDArray[np.uint8], alpha: npt.NDArray[np.float32], window: int | None = None
) -> npt.NDArray[np.uint8]:
    """The foreground's own colours where alpha mixes them with what lies behind, so that no halo of it remains.

    Blur fusion after Forte, "Approximate fast foreground colour estimation" (ICIP 2021): foreground and background are
    local means weighted by alpha, then corrected so that they mix to the photo; once with wide windows, then again
    with narrow ones. Holds about 100 bytes a pixel: give it the box that matters.

    Args:
        photo: (H, W, 3) uint8 RGB.
        alpha: (H, W) float32 in 0..1.
        window: side of the wide windows in pixels, an odd number; by default 1/11 of the longer side. It must reach
            from the edge's middle to where alpha is 0 or 1.

    Returns:
        (H, W, 3) uint8: the photo itself where alpha is 1; where it is 0 colours go on outwards from the foreground.
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
