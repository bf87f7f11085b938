"""Colours of classes that can be told apart."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt


_STEPS = (0, 36, 73, 109, 146, 182, 219, 255)
_LIGHTNESS = (0.35, 0.95)
"""Range of the colours, between black, which is Background's, and white."""


def distinct_colors(taken: Sequence[tuple[int, int, int]], count: int) -> list[tuple[int, int, int]]:
    """Return `count` RGB colours, each as different as possible from those before it and from those that are taken.

    The result is the same in every run.
    """
    candidates, positions = _candidates()
    known = _oklab(np.array([(0, 0, 0), *taken], np.uint8))
    distance = np.linalg.norm(positions[:, None] - known, axis=2).min(axis=1)
    found = []
    for _ in range(count):
        chosen = int(distance.argmax())
        found.append((int(candidates[chosen, 0]), int(candidates[chosen, 1]), int(candidates[chosen, 2])))
        distance = np.minimum(distance, np.linalg.norm(positions - positions[chosen], axis=1))
    return found


def ink_on(color: Sequence[int]) -> str:
    """Return black or white as `#rrggbb`: which of them reads better on an RGB colour, by WCAG's luminance."""
    linear = [(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4) for c in (part / 255 for part in color)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


@cache
def _candidates() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    grid = np.stack(np.meshgrid(_STEPS, _STEPS, _STEPS, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.uint8)
    positions = _oklab(grid)
    usable = (positions[:, 0] >= _LIGHTNESS[0]) & (positions[:, 0] <= _LIGHTNESS[1])
    return grid[usable], positions[usable]


def _oklab(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return sRGB colours (n, 3) in Oklab (https://bottosson.github.io/posts/oklab/), where distances are those that
    people see."""
    values = colors / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    to_cones = [
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    ]
    to_lab = [
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    ]
    return np.asarray(np.cbrt(linear @ np.array(to_cones).T) @ np.array(to_lab).T)
