"""Make cut-outs: clean the outline, expand and soften it, crop, and add a background.

The steps, in the order of `refine`; each is a pure function on arrays and does nothing by default:

1. `drop_specks`: remove pieces that are too small to mean anything.
"""

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.options import CutoutOptions
from clothseg.outputs import matting, render


Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

SPECK = 3e-4
"""Pieces below this share of the photo are specks, as in `clothseg.postprocess.cleanup.drop_specks`."""

HOLE = 0.01
"""Holes below this share of the mask are filled; larger ones, such as between arm and hip, show the background."""

PLAIN = CutoutOptions()


def refine(photo: Pixels, mask: Mask, options: CutoutOptions = PLAIN, alpha: Pixels | None = None) -> Pixels:
    """Cut a mask out of a photo.

    Args:
        photo: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        options: the steps to take, and how far.
        alpha: (H, W) uint8, opacity of the photo, which limits that of the cut-out. None: opaque.

    Returns:
        (H, W, 4) uint8 RGBA whose pixels are transparent black where alpha is 0; (H, W, 3) RGB with a background.
        Smaller, or larger by the margin, if cropped; an empty cut-out is not cropped.
    """
    mask = clean(mask, options)
    made = matting.soft_cutout(photo, mask) if options.soft_edges else render.cutout(photo, mask)
    if options.feather:
        made = feather(made, options.feather)
    if alpha is not None:
        made = limit_alpha(made, alpha)
    if options.crop:
        made = crop(made, options.margin)
    background = cast(str | Image.Image, options.background)  # pictures were loaded with the options
    return made if background == "none" else lay_on(made, background)


def clean(mask: Mask, options: CutoutOptions) -> Mask:
    """Return an (H, W) bool mask without specks and holes, expanded or shrunk, and inverted, as the options say."""
    if options.drop_specks:
        mask = drop_specks(mask)
    if options.fill_holes:
        mask = fill_holes(mask)
    mask = grow(mask, options.grow)
    return ~mask if options.invert else mask


def drop_specks(mask: Mask, share: float = SPECK) -> Mask:
    """Return an (H, W) bool mask without pieces below `share` of all pixels; the largest piece always stays."""
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = areas >= min(share * mask.size, areas[1:].max(initial=0))
    keep[0] = False
    return keep.take(numbers) if count > 1 else mask


def fill_holes(mask: Mask, share: float = HOLE) -> Mask:
    """Return an (H, W) bool mask with holes below `share` of its area filled; a hole at the picture's edge stays."""
    outside = (~mask).view(np.uint8)
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    left, top, width, height, areas = stats.T
    inner = (left > 0) & (top > 0) & (left + width < mask.shape[1]) & (top + height < mask.shape[0])
    fill = inner & (areas < share * np.count_nonzero(mask))
    fill[0] = True  # the mask itself
    return fill.take(numbers)


def grow(mask: Mask, pixels: int) -> Mask:
    """Return an (H, W) bool mask with the outline moved `pixels` outwards, or inwards if negative, except at the
    picture's edge."""
    if not pixels or not mask.any():
        return mask
    rows, columns = _about(mask, max(pixels, 0) + 1)
    part = mask[rows, columns]
    inside = part if pixels < 0 else ~part
    distance = cv2.distanceTransform(inside.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    moved = np.zeros_like(mask)
    moved[rows, columns] = distance > -pixels if pixels < 0 else distance <= pixels
    return moved


def feather(cutout: Pixels, width: float) -> Pixels:
    """Blur the edge of an (H, W, 4) uint8 cut-out over `width` pixels on both sides.

    Beyond the old edge, where the cut-out has no colours, the colours inside are extended outwards.
    """
    visible = cutout[..., 3] > 0
    reach = int(np.ceil(width))
    side = (2 * reach + 1, 2 * reach + 1)
    made = cutout.copy()
    for tile, around, inner in matting.edge_tiles(visible, reach, reach):
        part, inside = cutout[around], visible[around].astype(np.float32)
        alpha = cv2.GaussianBlur(part[..., 3].astype(np.float32), side, width / 2, borderType=cv2.BORDER_REPLICATE)
        levels = np.rint(alpha).astype(np.uint8)[inner]
        weight = np.maximum(cv2.blur(inside, side), 1e-6)
        onwards = [np.rint(cv2.blur(part[..., band] * inside, side) / weight) for band in range(3)]
        beyond = ~visible[tile]
        made[tile][beyond, :3] = np.stack(onwards, axis=-1).clip(0, 255).astype(np.uint8)[inner][beyond]
        made[tile][..., 3] = levels
        made[tile][levels == 0] = 0
    return made


def limit_alpha(cutout: Pixels, alpha: Pixels) -> Pixels:
    """Return (H, W, 4) uint8 that is nowhere more opaque than `alpha`, (H, W) uint8, and transparent black where it is
    0.

    The smaller alpha is used, not the product: where a garment's outline coincides with the photo's, they are one
    edge.
    """
    made = cutout.copy()
    np.minimum(made[..., 3], alpha, out=made[..., 3])
    made[made[..., 3] == 0] = 0
    return made


def crop(cutout: Pixels, margin: int = 0) -> Pixels:
    """Return (h, w, 4) uint8: the box of all pixels with alpha above 0, with a margin; an empty cut-out is
    unchanged."""
    left, top, width, height = cv2.boundingRect(cutout[..., 3])
    if not width:
        return cutout
    part = cutout[top : top + height, left : left + width]
    return np.pad(part, ((margin, margin), (margin, margin), (0, 0))) if margin else part


def lay_on(cutout: Pixels, background: str | Image.Image) -> Pixels:
    """Return (H, W, 3) uint8 RGB: an (H, W, 4) cut-out on a colour (#rrggbb), or on a picture scaled to cover."""
    height, width = cutout.shape[:2]
    front = Image.fromarray(cutout)
    if isinstance(background, str):
        ground = Image.new("RGB", (width, height), background)
    else:
        ground = cover(background, (width, height))
    ground.paste(front, mask=front.getchannel("A"))
    return np.asarray(ground)


def cover(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale a picture in its own proportions, and cut it around its centre, to fill a size (width, height)."""
    scale = max(size[0] / picture.width, size[1] / picture.height)
    wide, high = size[0] / scale, size[1] / scale
    left, top = (picture.width - wide) / 2, (picture.height - high) / 2
    box = (max(0.0, left), max(0.0, top), min(picture.width, left + wide), min(picture.height, top + high))
    return picture.resize(size, Image.Resampling.LANCZOS, box=box)


def _about(mask: Mask, margin: int) -> tuple[slice, slice]:
    """Return (rows, columns) of the box of a mask's pixels, with a margin within the picture."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return (
        slice(max(0, top - margin), top + height + margin),
        slice(max(0, left - margin), left + width + margin),
    )
