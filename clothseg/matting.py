"""From a hard mask to a cut-out without a fringe: a soft alpha, and the colours of the foreground alone."""

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.guided import as_bands, guided_filter


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
    radius = radius or max(3, max(mask.shape) // 200)
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


def foreground(photo: npt.NDArray[np.uint8], alpha: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The foreground's own colours where alpha mixes them with what lies behind, so that no halo of it remains.

    Blur fusion after Forte, "Approximate fast foreground colour estimation" (ICIP 2021): foreground and background are
    local means weighted by alpha, then corrected so that they mix to the photo; once with wide windows, then again
    with narrow ones. Holds about 100 bytes a pixel: give it the box that matters.

    Args:
        photo: (H, W, 3) uint8 RGB.
        alpha: (H, W) float32 in 0..1.

    Returns:
        (H, W, 3) uint8: the photo itself where alpha is 1; where it is 0 colours go on outwards from the foreground.
    """
    image, share = np.moveaxis(as_bands(photo), 0, 2), alpha[..., None]
    inner, outer = image, image
    for side in (_odd(max(alpha.shape) // 11), 7):
        weight = cv2.blur(alpha, (side, side))[..., None]
        blurred = cv2.blur(inner * share, (side, side)) / (weight + 1e-5)
        behind = cv2.blur(outer * (1 - share), (side, side)) / (1 - weight + 1e-5)
        inner = np.clip(blurred + share * (image - share * blurred - (1 - share) * behind), 0, 1)
        outer = behind
    return np.rint(inner * 255).astype(np.uint8)


def _odd(length: int) -> int:
    return max(7, length | 1)
