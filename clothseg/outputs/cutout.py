"""What a cut-out looks like: its outline cleaned, grown and softened, cropped, and laid on a ground.

The steps, in the order in which `refine` takes them; each is a pure function on arrays and does nothing by default:

1. `drop_specks`: pieces too small to mean anything go.
2. `fill_holes`: small holes are filled.
3. `grow`: the outline moves outwards, or inwards.
4. soft edges: alpha follows the photo, and what lies behind is taken out of the colours (`clothseg.outputs.matting`).
5. `feather`: the edge is blurred; colours beyond the outline go on from within it, so that nothing behind shows.
6. `limit_alpha`: where the photo is transparent, so is the cut-out.
7. crop: to what is visible, with a margin.
8. `lay_on`: a colour, or another picture scaled to cover, goes behind.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError
from clothseg.images.decode import Photo, load_photo
from clothseg.outputs import matting, render


Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

MOST_GROWTH = 64
"""Furthest that an outline is moved, in pixels."""

MOST_FEATHER = 64.0
"""Widest feather, in pixels."""

MOST_MARGIN = 1000
"""Widest margin about a cropped cut-out, in pixels."""

SPECK = 3e-4
"""Pieces below this share of the photo are specks, as `clothseg.postprocess.cleanup.drop_specks` has it."""

HOLE = 0.01
"""Holes below this share of the mask are filled; through larger ones, as by an arm on a hip, one is to see."""

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def _number(name: str, value: Any, least: float, most: float, kind: str = "a number") -> float:
    numeric = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not numeric or not least <= value <= most or (kind == "a whole number" and value != int(value)):
        raise ConfigError(f"The option {name} can be {kind} from {least} to {most:g}, not {value!r}.")
    return float(value)


@dataclass(frozen=True)
class CutoutOptions:
    """How a cut-out is made; the defaults are the plain one. The page, the API and the command line have the same.

    Attributes:
        background: "none" (transparent), a colour such as "#ff8800", or a picture as
        `clothseg.images.decode.load_photo`
            takes it. A path must be a `pathlib.Path`, so that no text from outside opens a file.
        crop: cut the picture down to what is visible.
        margin: pixels left about a cropped cut-out on each side, 0 to 1000; beyond the photo's edge they are empty.
        grow: pixels by which the outline moves outwards, or inwards if negative: -64 to 64.
        feather: pixels on both sides of the outline over which it fades, 0 to 64.
        soft_edges: let alpha follow hair, fringes and blur, and take the colours behind out of the edge.
        fill_holes: fill holes below 1 % of the cut-out's area.
        drop_specks: drop pieces below 0.03 % of the photo; the largest always stays.

    Raises:
        ConfigError: a value of another kind or out of its range.
        ImageError: the background is a picture that cannot be used.
    """

    background: str | Photo = "none"
    crop: bool = False
    margin: int = 0
    grow: int = 0
    feather: float = 0.0
    soft_edges: bool = False
    fill_holes: bool = False
    drop_specks: bool = False

    def __post_init__(self) -> None:
        for name in ("crop", "soft_edges", "fill_holes", "drop_specks"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise ConfigError(f"The option {name} can be true or false, not {getattr(self, name)!r}.")
        for name, least, most in (("margin", 0, MOST_MARGIN), ("grow", -MOST_GROWTH, MOST_GROWTH)):
            object.__setattr__(self, name, int(_number(name, getattr(self, name), least, most, "a whole number")))
        object.__setattr__(self, "feather", float(_number("feather", self.feather, 0, MOST_FEATHER)))
        background = self.background
        if isinstance(background, str):
            if background != "none" and not _COLOR.fullmatch(background):
                raise ConfigError(
                    f'The background can be "none", a colour such as "#ff8800" or a picture, not {background!r}.'
                )
            object.__setattr__(self, "background", background.lower())
        else:
            object.__setattr__(self, "background", load_photo(background))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Options from a mapping such as a JSON object; what it lacks, or has as None, is as by default.

        Raises:
            ConfigError: a name that is no option, or a value that is not allowed.
        """
        known = [field.name for field in fields(cls)]
        unknown = [name for name in values if name not in known]
        if unknown:
            raise ConfigError(f"A cut-out has no option {unknown[0]!r}; the options are: {', '.join(known)}.")
        return cls(**{name: value for name, value in values.items() if value is not None})


PLAIN = CutoutOptions()


def refine(photo: Pixels, mask: Mask, options: CutoutOptions = PLAIN, alpha: Pixels | None = None) -> Pixels:
    """Cut a mask out of a photo.

    Args:
        photo: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        options: the steps to take, and how far.
        alpha: (H, W) uint8, how opaque the photo is; the cut-out is nowhere more so. None: opaque.

    Returns:
        (H, W, 4) uint8 RGBA whose pixels are transparent black where alpha is 0; (H, W, 3) RGB where a background was
        asked for. Smaller, or larger by the margin, if cropped; an empty cut-out is not cropped.
    """
    if options.drop_specks:
        mask = drop_specks(mask)
    if options.fill_holes:
        mask = fill_holes(mask)
    mask = grow(mask, options.grow)
    made = matting.soft_cutout(photo, mask) if options.soft_edges else render.cutout(photo, mask)
    if options.feather:
        made = feather(made, options.feather)
    if alpha is not None:
        made = limit_alpha(made, alpha)
    if options.crop:
        made = crop(made, options.margin)
    background = cast(str | Image.Image, options.background)  # pictures were loaded with the options
    return made if background == "none" else lay_on(made, background)


def drop_specks(mask: Mask, share: float = SPECK) -> Mask:
    """(H, W) bool without its pieces below `share` of all pixels; the largest piece always stays."""
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = areas >= min(share * mask.size, areas[1:].max(initial=0))
    keep[0] = False
    return keep.take(numbers) if count > 1 else mask


def fill_holes(mask: Mask, share: float = HOLE) -> Mask:
    """(H, W) bool with its holes below `share` of its area filled; what reaches the picture's edge is no hole."""
    outside = (~mask).view(np.uint8)
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    left, top, width, height, areas = stats.T
    inner = (left > 0) & (top > 0) & (left + width < mask.shape[1]) & (top + height < mask.shape[0])
    fill = inner & (areas < share * np.count_nonzero(mask))
    fill[0] = True  # the mask itself
    return fill.take(numbers)


def grow(mask: Mask, pixels: int) -> Mask:
    """(H, W) bool whose outline lies `pixels` further out, or further in if negative. The picture's edge is none."""
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
    """Blur the edge of an (H, W, 4) uint8 cut-out over `width` pixels on both sides, from opaque to clear.

    Beyond the old edge, where the cut-out has no colours, those within go on outwards.
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
    """(H, W, 4) uint8 that is nowhere more opaque than `alpha`, (H, W) uint8, and transparent black where it is 0.

    The smaller of both, not their product: where the outline of a garment is that of the photo, they are one edge.
    """
    made = cutout.copy()
    np.minimum(made[..., 3], alpha, out=made[..., 3])
    made[made[..., 3] == 0] = 0
    return made


def crop(cutout: Pixels, margin: int = 0) -> Pixels:
    """(h, w, 4) uint8: the box of all pixels with alpha above 0, with a margin; an empty cut-out stays as it is."""
    left, top, width, height = cv2.boundingRect(cutout[..., 3])
    if not width:
        return cutout
    part = cutout[top : top + height, left : left + width]
    return np.pad(part, ((margin, margin), (margin, margin), (0, 0))) if margin else part


def lay_on(cutout: Pixels, background: str | Image.Image) -> Pixels:
    """(H, W, 3) uint8 RGB: an (H, W, 4) cut-out before a colour (#rrggbb), or a picture scaled to cover."""
    height, width = cutout.shape[:2]
    front = Image.fromarray(cutout)
    if isinstance(background, str):
        ground = Image.new("RGB", (width, height), background)
    else:
        ground = cover(background, (width, height))
    ground.paste(front, mask=front.getchannel("A"))
    return np.asarray(ground)


def cover(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A picture scaled, in its own proportions, and cut about its middle, to fill a size (width, height)."""
    scale = max(size[0] / picture.width, size[1] / picture.height)
    wide, high = size[0] / scale, size[1] / scale
    left, top = (picture.width - wide) / 2, (picture.height - high) / 2
    box = (max(0.0, left), max(0.0, top), min(picture.width, left + wide), min(picture.height, top + high))
    return picture.resize(size, Image.Resampling.LANCZOS, box=box)


def _about(mask: Mask, margin: int) -> tuple[slice, slice]:
    """(rows, columns) of the box that holds a mask's pixels, with a margin as far as the picture goes."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return (
        slice(max(0, top - margin), top + height + margin),
        slice(max(0, left - margin), left + width + margin),
    )
