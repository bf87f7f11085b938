"""The colours of a piece of cloth: the few that make it up, and what people call them."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt


class Color(NamedTuple):
    """One of the colours of an item.

    Attributes:
        name: what it is called, one of `NAMES`.
        hex: `#rrggbb`, sRGB.
        share: of the item's pixels, 0..1.
    """

    name: str
    hex: str
    share: float


NEUTRALS = (("black", 22.0), ("charcoal", 36.0), ("grey", 68.0), ("light grey", 88.0), ("white", 101.0))
"""Names of colours without a hue, and the lightness L* (0..100) below which each ends."""

NEUTRAL = 9.0
"""Chroma below which a colour has no hue: grey cloth in the light of a lamp or of the sky still counts as grey."""

# From the survey of Randall Munroe, https://xkcd.com/color/rgb/ (CC0), in which 222,500 people named colours.
HUES: dict[str, str] = {
    "red": "#e50000",
    "dark red": "#840000",
    "burgundy": "#610023",
    "pink": "#ff81c0",
    "light pink": "#ffd1df",
    "dusty pink": "#d58a94",
    "magenta": "#c20078",
    "salmon": "#ff796c",
    "orange": "#f97306",
    "rust": "#a83c09",
    "peach": "#ffb07c",
    "brown": "#653700",
    "dark brown": "#341c02",
    "light brown": "#ad8150",
    "tan": "#d1b26f",
    "beige": "#e6daa6",
    "cream": "#ffffc2",
    "khaki": "#aaa662",
    "mustard": "#ceb301",
    "yellow": "#ffff14",
    "olive": "#6e750e",
    "green": "#15b01a",
    "dark green": "#033500",
    "light green": "#96f97b",
    "mint": "#9ffeb0",
    "teal": "#029386",
    "turquoise": "#06c2ac",
    "light blue": "#95d0fc",
    "blue": "#0343df",
    "navy": "#01153e",
    "denim": "#3b638c",
    "purple": "#7e1e9c",
    "dark purple": "#35063e",
    "lavender": "#c79fef",
}
NAMES = (*(name for name, _ in NEUTRALS), *HUES)
"""All names that a colour can have."""

_SIDE = 192
_MOST = 6
_LEAST = 0.05
_SAME = 10.0
_LIGHTNESS = 0.5


def dominant(photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_]) -> tuple[Color, ...]:
    """The colours that make up the pixels of a mask, the largest first.

    k-means in CIELAB on a copy of at most 192 pixels a side.

    Args:
        photo: (h, w, 3) uint8 RGB.
        mask: (h, w) bool with a pixel at least.
    """
    colors = _sample(photo, mask)
    lab = _lab(colors) * np.array([_LIGHTNESS, 1, 1], np.float32)
    numbers, centres = _clusters(lab, min(_MOST, len(np.unique(lab, axis=0))))
    counts = np.bincount(numbers, minlength=len(centres))
    same = np.arange(len(centres))
    order = np.argsort(-counts, kind="stable").tolist()
    for place, number in enumerate(order):
        near = [other for other in order[:place] if np.linalg.norm(centres[other] - centres[number]) < _SAME]
        same[number] = same[near[0]] if near else number
    merged = same[numbers]
    found = []
    for number in np.unique(same).tolist():
        middle = np.median(colors[merged == number], axis=0)
        code = "#{:02x}{:02x}{:02x}".format(*np.rint(middle).astype(int))
        found.append(Color(name_of(middle), code, float(np.mean(merged == number))))
    found.sort(key=lambda color: -color.share)
    return tuple(color for place, color in enumerate(found) if color.share >= _LEAST or place == 0)


def name_of(color: npt.ArrayLike) -> str:
    """The name of an sRGB colour (3,) in 0..255."""
    lightness, green_red, blue_yellow = _lab(np.atleast_2d(np.asarray(color, np.float32)))[0].tolist()
    if np.hypot(green_red, blue_yellow) < NEUTRAL:
        return next(name for name, end in NEUTRALS if lightness < end)
    apart = _difference(_HUES, np.array([lightness, green_red, blue_yellow], np.float32))
    return tuple(HUES)[int(apart.argmin())]


def _sample(photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """(N, 3) colours of a smaller copy, of pixels that lie wholly in the mask where there are such."""
    scale = min(1.0, _SIDE / max(mask.shape))
    size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    cover = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    inner = cv2.erode(cover, np.ones((3, 3), np.uint8)) >= 1
    inside = inner if np.count_nonzero(inner) > 0.2 * cover.sum() else cover >= min(0.99, cover.max())
    return small[inside].astype(np.float32)


def _clusters(points: npt.NDArray[np.float32], count: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """k-means of (N, D): (N,) numbers of clusters, and their (count, D) centres; the same in every run."""
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    start = np.zeros(len(points), np.int32)
    _, numbers, centres = cv2.kmeans(points, count, start, criteria, 1, cv2.KMEANS_PP_CENTERS)
    return np.asarray(numbers, np.int32).ravel(), np.asarray(centres, np.float32)


def _lab(colors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(N, 3) sRGB in 0..255 as CIELAB: L* in 0..100, a* and b* about -128..127."""
    return np.asarray(cv2.cvtColor(colors[None] / np.float32(255), cv2.COLOR_RGB2LAB)[0], np.float32)


def _difference(known: npt.NDArray[np.float32], color: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """CIE94 differences of (N, 3) CIELAB colours from one: in vivid ones, chroma and hue count less."""
    chromas, chroma = np.hypot(known[:, 1], known[:, 2]), np.hypot(color[1], color[2])
    of_chroma = chromas - chroma
    of_hue = np.maximum(((known[:, 1:] - color[1:]) ** 2).sum(1) - of_chroma**2, 0)
    return np.sqrt(
        (known[:, 0] - color[0]) ** 2 + (of_chroma / (1 + 0.045 * chroma)) ** 2 + of_hue / (1 + 0.015 * chroma) ** 2
    )


_HUES = _lab(
    np.array([[int(code[start : start + 2], 16) for start in (1, 3, 5)] for code in HUES.values()], np.float32)
)
