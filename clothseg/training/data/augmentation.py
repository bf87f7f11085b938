"""Random changes to a photo and its label map, on OpenCV and numpy.

Until version 0.1 this used albumentations, whose last release (2.0.8) is archived and whose successor is under the
AGPL. The changes here have the same ranges, probabilities and results, as measured by `benchmarks/augmentation.py`.
All randomness comes from the given generator, so a seed repeats a change exactly.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import BACKGROUND, IGNORE, SWAP_SIDES


Pixels = npt.NDArray[np.uint8]
Window = tuple[int, int, int, int]
"""(top, bottom, left, right) of a crop."""

KINDS = ("none", "standard", "strong", "portraits")
MEAN_COLOR = (124, 116, 104)
"""ImageNet's mean, which is zero for the network."""
BLACK, WHITE = (0, 0, 0), (255, 255, 255)

MOVES = ("affine", "far", "far on black", "far on white", "portrait", "none")
MOVE_SHARES = {
    "strong": (0.62, 0.1, 0.05, 0.05, 0.14, 0.04),
    "portraits": (0.46, 0.09, 0.04, 0.04, 0.33, 0.04),
}
"""Probability of each change of the view."""
GREY_SHARES = {"strong": 0.05, "portraits": 0.1}
"""Share of the photos that lose their colours."""
BLUR_SIZES, BLUR_SHARES = (3, 5, 7), (0.2, 0.4, 0.4)


def augment(
    photo: Pixels,
    mask: Pixels,
    rng: np.random.Generator,
    kind: str = "strong",
    class_crop: float = 0.0,
    swap_table: Pixels = SWAP_SIDES,
) -> tuple[Pixels, Pixels]:
    """Change a photo and its label map at random.

    Args:
        photo: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8 class ids, 255 for not annotated.
        rng: the only source of randomness.
        kind: `none`, `standard` (the first version's: flip, noise, colour, downscaling), `strong` (also zoom,
            shift, rotation, small figures, half-lengths, blur, grey and dark photos; uncovered ground is Background
            in a plain colour) or `portraits` (as `strong`, with more half-lengths, portraits and grey photos).
        class_crop: share of the photos that are cropped around a class, instead of other geometric changes.
        swap_table: of the label set, (256,) uint8, for mirrored photos.

    Returns:
        New photo and mask of the same size, which may be smaller; class ids are never interpolated.
    """
    if kind not in KINDS:
        raise ValueError(f"augmentation {kind!r} is none of {', '.join(KINDS)}")
    if kind == "none":
        return photo, mask
    if rng.random() < 0.5:
        photo, mask = mirror_sides(photo, mask, swap_table)
    if rng.random() < class_crop:
        photo, mask = crop(photo, mask, class_window(mask, rng))
    elif kind in MOVE_SHARES:
        photo, mask = change_view(photo, mask, rng, kind)
    return change_colors(photo, rng, kind), mask


def change_view(photo: Pixels, mask: Pixels, rng: np.random.Generator, kind: str = "strong") -> tuple[Pixels, Pixels]:
    """Move, scale and rotate the photo, show the figure small on a plain background, or crop to its upper part."""
    move = MOVES[int(rng.choice(len(MOVES), p=MOVE_SHARES[kind]))]
    if move == "none":
        return photo, mask
    if move == "portrait":
        return crop(photo, mask, portrait_window(mask, rng))
    if move == "affine":
        matrix = affine_matrix(mask.shape, rng, scale=(0.65, 1.8), shift=0.15, rotate=12, shear=4)
        return warp(photo, mask, matrix, MEAN_COLOR)
    matrix = affine_matrix(mask.shape, rng, scale=(0.28, 0.65), shift=0.2)
    return warp(photo, mask, matrix, {"far": MEAN_COLOR, "far on black": BLACK, "far on white": WHITE}[move])


def change_colors(photo: Pixels, rng: np.random.Generator, kind: str) -> Pixels:
    """Change brightness, contrast, colours and sharpness; the mask is not changed."""
    if rng.random() < 0.5:
        photo = change_contrast(photo, 1 + rng.uniform(-0.2, 0.2), 255 * rng.uniform(-0.2, 0.2))
    if rng.random() < 0.3:
        photo = shift_hsv(photo, rng.uniform(-10, 10), rng.uniform(-30, 30), rng.uniform(-20, 20))
    if kind in GREY_SHARES:
        if rng.random() < 0.1:
            photo = blur(photo, int(rng.choice(BLUR_SIZES, p=BLUR_SHARES)), rng.uniform(0.5, 3))
        if rng.random() < GREY_SHARES[kind]:
            photo = grey(photo)
        if rng.random() < 0.2:
            photo = change_gamma(photo, rng.uniform(0.6, 1.5))
        if rng.random() < 0.03:
            photo = change_contrast(photo, 1 + rng.uniform(-0.2, 0.2), 255 * rng.uniform(-0.6, -0.3))
    # Noise and downscaling rarely: they are slow, and most photos are clean.
    if rng.random() < 0.1:
        photo = add_noise(photo, 255 * rng.uniform(0.02, 0.08), rng)
    if rng.random() < 0.1:
        photo = coarsen(photo, rng.uniform(0.4, 0.8))
    return photo


# Geometry: of photo and mask


def mirror_sides(photo: Pixels, mask: Pixels, swap_table: Pixels = SWAP_SIDES) -> tuple[Pixels, Pixels]:
    """Mirror photo and label map and swap left and right labels."""
    mirrored: Any = cv2.flip(photo, 1), cv2.LUT(cv2.flip(mask, 1), swap_table)
    return mirrored


def crop(photo: Pixels, mask: Pixels, window: Window) -> tuple[Pixels, Pixels]:
    """Crop photo and mask to the window."""
    top, bottom, left, right = window
    return np.ascontiguousarray(photo[top:bottom, left:right]), np.ascontiguousarray(mask[top:bottom, left:right])


def class_window(
    mask: Pixels,
    rng: np.random.Generator,
    height: tuple[float, float] = (0.25, 0.8),
    width: tuple[float, float] = (0.4, 1.0),
) -> Window:
    """Return a window around a pixel of a class drawn evenly from the classes in the photo; without any, around its
    centre.

    Classes are drawn evenly, not by pixels, so sunglasses are seen as often as trousers. The windows also resemble
    half-length portraits and details.

    Args:
        mask: (H, W) uint8.
        rng: draws class, pixel, size and place.
        height: range of the window's height, in shares of the photo's.
        width: of its width.
    """
    shown = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))  # np.unique would sort all pixels
    shown = shown[(shown != BACKGROUND) & (shown != IGNORE)]
    if len(shown):
        pixels = np.flatnonzero(mask == rng.choice(shown))
        centre = divmod(int(rng.choice(pixels)), mask.shape[1])
    else:
        centre = (mask.shape[0] // 2, mask.shape[1] // 2)
    edges: list[int] = []
    for middle, side, shares in zip(centre, mask.shape, (height, width), strict=True):
        length = max(1, round(side * rng.uniform(*shares)))
        start = middle - int(rng.integers(length))  # anywhere that keeps the pixel inside
        start = min(max(start, 0), side - length)
        edges += [start, start + length]
    return edges[0], edges[1], edges[2], edges[3]


def portrait_window(
    mask: Pixels,
    rng: np.random.Generator,
    share: tuple[float, float] = (0.25, 0.7),
    aspect: tuple[float, float] = (0.7, 1.4),
) -> Window:
    """Return a window with the upper part of the figure, from the photo's top, like a half-length portrait.

    The window is about as wide as high, around the middle of the visible part of the figure. A mask without a figure
    is not cropped.

    Args:
        mask: (H, W) uint8.
        rng: draws size and shape.
        share: range of the share of the figure's height that is shown.
        aspect: range of the window's width over its height.
    """
    figure = (mask != BACKGROUND) & (mask != IGNORE)
    height, width = figure.shape
    rows = np.flatnonzero(figure.any(axis=1))
    shown, wide_by = rng.uniform(*share), rng.uniform(*aspect)
    if not len(rows):
        return 0, height, 0, width
    bottom = max(2, min(height, int(rows[0] + shown * (rows[-1] - rows[0]))))
    columns = np.flatnonzero(figure[:bottom].any(axis=0))
    wide = min(width, max(2, round(wide_by * bottom)))
    middle = (columns[0] + columns[-1]) // 2 if len(columns) else width // 2
    left = min(max(0, int(middle) - wide // 2), width - wide)
    return 0, bottom, left, left + wide


def affine_matrix(
    array_shape: tuple[int, ...],
    rng: np.random.Generator,
    scale: tuple[float, float],
    shift: float,
    rotate: float = 0,
    shear: float = 0,
) -> npt.NDArray[np.float64]:
    """Return a random affine map (2, 3) around the centre: scale, rotate, shear, then shift.

    Args:
        array_shape: of the photo: its height and width come first.
        rng: draws the map.
        scale: range of the factor, drawn separately for each side.
        shift: largest shift, as a share of the side.
        rotate: largest angle, in degrees.
        shear: largest shear of each axis, in degrees.
    """
    height, width = array_shape[:2]
    middle = np.array([width / 2 - 0.5, height / 2 - 0.5])
    moved = np.trunc(rng.uniform(-shift, shift, 2) * (width, height))
    angle, (across, down) = np.deg2rad(rng.uniform(-rotate, rotate)), np.tan(np.deg2rad(rng.uniform(-shear, shear, 2)))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    linear = np.array([[1, across], [down, 1]]) @ turn @ np.diag(rng.uniform(*scale, 2))
    return np.column_stack([linear, middle + moved - linear @ middle])


def warp(
    photo: Pixels, mask: Pixels, matrix: npt.NDArray[np.float64], fill: tuple[int, int, int]
) -> tuple[Pixels, Pixels]:
    """Apply an affine map (2, 3) to photo and mask, at the same size; uncovered pixels get the colour `fill` and
    Background."""
    size = mask.shape[1], mask.shape[0]
    warped: Any = (
        cv2.warpAffine(photo, matrix, size, flags=cv2.INTER_LINEAR, borderValue=fill),
        cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_NEAREST, borderValue=BACKGROUND),
    )
    return warped


# Colours and sharpness: of the photo alone


def _by_table(photo: Any, values: npt.NDArray[Any]) -> Pixels:
    """Replace each grey level of the photo by one of 256 values, rounded and clipped to 0 and 255."""
    changed: Any = cv2.LUT(photo, np.rint(values.clip(0, 255)).astype(np.uint8))
    return changed


def change_contrast(photo: Pixels, factor: float, shift: float) -> Pixels:
    """Multiply all values by `factor`, then add `shift` grey levels."""
    return _by_table(photo, np.arange(256) * factor + shift)


def change_gamma(photo: Pixels, gamma: float) -> Pixels:
    """Raise all values, as shares of 255, to the power of `gamma`; above 1 is darker."""
    return _by_table(photo, 255 * (np.arange(256) / 255) ** gamma)


def shift_hsv(photo: Pixels, hue: float, saturation: float, value: float) -> Pixels:
    """Shift hue (180 is the full circle), saturation and value (255 is the maximum); grey pixels stay grey."""
    levels = np.arange(256.0)
    saturations = levels + saturation
    saturations[0] = 0
    tables = np.stack([np.floor((levels + hue) % 180), saturations, levels + value], axis=-1)
    shifted: Any = cv2.cvtColor(_by_table(cv2.cvtColor(photo, cv2.COLOR_RGB2HSV), tables[None]), cv2.COLOR_HSV2RGB)
    return shifted


def grey(photo: Pixels) -> Pixels:
    """Return the photo without colour, still (H, W, 3)."""
    without: Any = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return without


def blur(photo: Pixels, size: int, sigma: float) -> Pixels:
    """Blur by a Gaussian of `size` x `size` pixels (odd)."""
    blurred: Any = cv2.GaussianBlur(photo, (size, size), sigma)
    return blurred


def coarsen(photo: Pixels, scale: float) -> Pixels:
    """Reduce the photo to `scale` of its size and enlarge it again, with nearest-neighbour interpolation."""
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    coarse: Any = cv2.resize(small, (photo.shape[1], photo.shape[0]), interpolation=cv2.INTER_NEAREST)
    return coarse


def add_noise(photo: Pixels, deviation: float, rng: np.random.Generator) -> Pixels:
    """Add noise with a grain of two pixels: drawn at half the size with `deviation` grey levels, separately for each
    channel."""
    height, width = photo.shape[:2]
    small = rng.standard_normal((max(1, height // 2), max(1, width // 2), 3), np.float32) * np.float32(deviation)
    grain = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    noisy: Any = cv2.add(photo, grain, dtype=cv2.CV_8U)
    return noisy
