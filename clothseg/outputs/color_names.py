"""Find the main colours of an item and their names."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt


class Color(NamedTuple):
    """One of the colours of an item.

    Attributes:
        name: one of `NAMES`.
        hex: `#rrggbb`, sRGB.
        share: of the item's pixels, 0..1.
    """

    name: str
    hex: str
    share: float


NEUTRALS = (("black", 22.0), ("charcoal", 36.0), ("grey", 68.0), ("light grey", 88.0), ("white", 101.0))
"""Names of colours without a hue, and the lightness L* (0..100) below which each applies."""

_NEUTRAL = 9.0
_TINT = 0.11
"""Chroma below which a colour has no hue: an absolute value, and a share of its lightness. Grey cloth is tinted by
lamps and by the sky, and bright cloth most."""

# From the survey of Randall Munroe, https://xkcd.com/color/rgb/ (CC0), in which people named millions of colours.
SURVEY: dict[str, str] = {
    "red": "#e50000",
    "dark red": "#840000",
    "burgundy": "#610023",
    "coral": "#fc5a50",
    "salmon": "#ff796c",
    "pink": "#ff81c0",
    "light pink": "#ffd1df",
    "dusty pink": "#d58a94",
    "mauve": "#ae7181",
    "dark pink": "#cb416b",
    "magenta": "#c20078",
    "orange": "#f97306",
    "rust": "#a83c09",
    "peach": "#ffb07c",
    "brown": "#653700",
    "dark brown": "#341c02",
    "light brown": "#ad8150",
    "taupe": "#b9a281",
    "grey brown": "#7f7053",
    "tan": "#d1b26f",
    "beige": "#e6daa6",
    "cream": "#ffffc2",
    "khaki": "#aaa662",
    "mustard": "#ceb301",
    "yellow": "#ffff14",
    "olive": "#6e750e",
    "dark olive": "#373e02",
    "army green": "#4b5d16",
    "lime": "#aaff32",
    "sage": "#87ae73",
    "grey green": "#789b73",
    "pale green": "#c7fdb5",
    "light green": "#96f97b",
    "green": "#15b01a",
    "grass green": "#3f9b0b",
    "emerald": "#01a049",
    "forest green": "#06470c",
    "dark green": "#033500",
    "mint": "#9ffeb0",
    "teal": "#029386",
    "dark teal": "#014d4e",
    "petrol": "#005f6a",
    "turquoise": "#06c2ac",
    "cyan": "#00ffff",
    "pale blue": "#d0fefe",
    "light blue": "#95d0fc",
    "azure": "#069af3",
    "dusty blue": "#5a86ad",
    "slate": "#516572",
    "denim": "#3b638c",
    "blue": "#0343df",
    "navy": "#01153e",
    "royal blue": "#0504aa",
    "light lavender": "#dfc5fe",
    "lavender": "#c79fef",
    "violet": "#9a0eea",
    "purple": "#7e1e9c",
    "dusty purple": "#825f87",
    "dark purple": "#35063e",
    "plum": "#580f41",
}

DULL: tuple[tuple[str, str], ...] = (
    ("red", "#b5323a"),
    ("pink", "#e08fb0"),
    ("orange", "#d9803f"),
    ("brown", "#734e34"),
    ("cream", "#efe2c6"),
    ("mustard", "#c0a048"),
    ("yellow", "#e6cf50"),
    ("olive", "#6b5f2a"),
    ("olive", "#55593f"),
    ("green", "#46784b"),
    ("turquoise", "#4fb0ae"),
    ("blue", "#3f6fb0"),
    ("blue", "#31459a"),
    ("navy", "#2b3160"),
    ("navy", "#23304a"),
    ("purple", "#6a4a8a"),
)
"""More samples for some names, since cloth in photos is duller than the colours that people named on screens; chosen
by us."""

NAMES = tuple(dict.fromkeys([*(name for name, _ in NEUTRALS), *SURVEY]))
"""All colour names."""

_HUES = (*SURVEY.items(), *DULL)

_SIDE = 192
"""Longer side of the copy in which colours are counted, in pixels."""

_MOST = 6
_LEAST = 0.05
"""Colours below this share of an item's pixels are left out."""

_LIGHTNESS = 0.5
_SAME = 10.0
"""Colours closer than this, in CIELAB, count as one cloth. Lightness counts half, because folds have shadows."""


def dominant(photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_]) -> tuple[Color, ...]:
    """Return the main colours of the pixels of a mask, the largest first, each name once.

    Colours are clustered by k-means in CIELAB; clusters that are close to each other or have the same name are merged.

    Args:
        photo: (h, w, 3) uint8 RGB.
        mask: (h, w) bool with at least one pixel.
    """
    colors = _sample(photo, mask)
    lab = _lab(colors) * np.array([_LIGHTNESS, 1, 1], np.float32)
    codes = colors.astype(np.int32) @ np.array([2**16, 2**8, 1], np.int32)  # sorting triples takes ten times as long
    numbers, centres = _clusters(lab, min(_MOST, len(np.unique(codes))))
    order = np.argsort(-np.bincount(numbers, minlength=len(centres)), kind="stable").tolist()
    same = np.arange(len(centres))
    for place, number in enumerate(order):
        near = [other for other in order[:place] if np.linalg.norm(centres[other] - centres[number]) < _SAME]
        same[number] = same[near[0]] if near else number
    merged = same[numbers]
    found: dict[str, Color] = {}
    for number in sorted(np.unique(merged).tolist(), key=order.index):
        inside = merged == number
        middle = np.rint(np.median(colors[inside], axis=0)).astype(int)
        name, share = name_of(middle), float(inside.mean())
        code = "#{:02x}{:02x}{:02x}".format(*middle)
        found[name] = (
            found[name]._replace(share=found[name].share + share) if name in found else Color(name, code, share)
        )
    largest, *others = sorted(found.values(), key=lambda color: -color.share)
    return (largest, *(color for color in others if color.share >= _LEAST))


def name_of(color: npt.ArrayLike) -> str:
    """Return the name of an sRGB colour (3,) in 0..255."""
    lightness, green_red, blue_yellow = _lab(np.atleast_2d(np.asarray(color, np.float32)))[0].tolist()
    if np.hypot(green_red, blue_yellow) < max(_NEUTRAL, _TINT * lightness):
        return next(name for name, end in NEUTRALS if lightness < end)
    apart = _difference(_places(), np.array([lightness, green_red, blue_yellow], np.float32))
    return _HUES[int(apart.argmin())][0]


def lightness_of(code: str) -> float:
    """Return the CIELAB lightness, 0..100, of a colour such as "#3b638c"."""
    return float(_lab_of(code)[0, 0])


def chroma_of(code: str) -> float:
    """Return the CIELAB chroma of a colour such as "#3b638c": 0 for greys, about 100 for the most vivid colours."""
    return float(np.hypot(*_lab_of(code)[0, 1:]))


def difference_of(code: str, name: str) -> float:
    """Return the CIE94 difference of a colour such as "#3b638c" from the nearest sample of a name; infinite for names
    without a hue."""
    samples = [known for (each, _), known in zip(_HUES, _places(), strict=True) if each == name]
    return float(_difference(np.array(samples), _lab_of(code)[0]).min()) if samples else np.inf


def _sample(photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return (N, 3) colours of a smaller copy, of pixels entirely inside the mask if there are any."""
    scale = min(1.0, _SIDE / max(mask.shape))
    size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    cover = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    inner = cv2.erode(cover, np.ones((3, 3), np.uint8)) >= 1
    inside = inner if np.count_nonzero(inner) > 0.2 * cover.sum() else cover >= min(0.99, cover.max())
    return small[inside].astype(np.float32)


def _clusters(points: npt.NDArray[np.float32], count: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Cluster (N, D) points by k-means: (N,) numbers of clusters and their (count, D) centres, the same in every
    run."""
    if count == 1:  # OpenCV takes a single point for a column of them
        return np.zeros(len(points), np.int32), points[:1]
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    start = np.zeros(len(points), np.int32)

    def find() -> tuple[Any, Any]:
        cv2.setRNGSeed(0)
        _, numbers, centres = cv2.kmeans(points, count, start, criteria, 1, cv2.KMEANS_PP_CENTERS)
        return numbers, centres

    # OpenCV has a generator for each thread, so the caller's is not affected. A new thread takes 0.1 ms.
    with ThreadPoolExecutor(1) as thread:
        numbers, centres = thread.submit(find).result()
    return np.asarray(numbers, np.int32).ravel(), np.asarray(centres, np.float32)


def _lab(colors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Convert (N, 3) sRGB in 0..255 to CIELAB: L* in 0..100, a* and b* about -128..127."""
    return np.asarray(cv2.cvtColor(colors[None] / np.float32(255), cv2.COLOR_RGB2LAB)[0], np.float32)


def _difference(known: npt.NDArray[np.float32], color: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the CIE94 differences of (N, 3) CIELAB colours from one colour, with the constants for textiles."""
    chromas, chroma = np.hypot(known[:, 1], known[:, 2]), np.hypot(color[1], color[2])
    of_chroma = chromas - chroma
    of_hue = np.maximum(((known[:, 1:] - color[1:]) ** 2).sum(1) - of_chroma**2, 0)
    of_lightness = (known[:, 0] - color[0]) / 2
    return np.sqrt(of_lightness**2 + (of_chroma / (1 + 0.048 * chroma)) ** 2 + of_hue / (1 + 0.014 * chroma) ** 2)


@cache
def _places() -> npt.NDArray[np.float32]:
    """(N, 3) CIELAB of the named hues; not at import, for OpenCV's first call takes its time."""
    return np.concatenate([_lab_of(code) for _, code in _HUES])


def _lab_of(code: str) -> npt.NDArray[np.float32]:
    """(1, 3) CIELAB of a colour such as "#3b638c"."""
    return _lab(np.array([[int(code[start : start + 2], 16) for start in (1, 3, 5)]], np.float32))
