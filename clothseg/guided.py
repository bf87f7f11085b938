"""The guided filter: a mask or a score map whose edges follow those of the photo.

After He, Sun and Tang, "Guided image filtering" (ECCV 2010; IEEE TPAMI 35, 2013): in every square window the result is
the linear function of the guide that fits the source best, and a pixel takes the mean of the windows over it. Its fast
form (He and Sun, "Fast guided filter", arXiv:1505.00996, 2015) finds those functions on smaller pictures and applies
them to the guide at full size. OpenCV has both only in its contrib package, which cannot be installed beside the
headless one.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt


Array = npt.NDArray[np.float32]

Box = tuple[slice, slice]
"""Rows and columns."""


def guided_filter(guide: npt.NDArray[np.generic], source: Array, radius: int, eps: float, shrink: int = 1) -> Array:
    """Filter a plane, or several that share their guide.

    Args:
        guide: (H, W) or (H, W, 3), uint8 or float in 0..1 (uint8 is divided by 255). Colour tells more edges apart
            than grey and takes about three times as long.
        source: (H, W) or (C, H, W) float32, such as a mask, probabilities or logits.
        radius: of the windows, in pixels of the guide: they measure 2 * radius + 1, less at the picture's edge.
        eps: how much contrast (as a variance of the guide in 0..1) counts as an edge to keep: 1e-4 keeps faint ones,
            1e-2 only strong ones. In float32 no less than about 1e-6 makes sense.
        shrink: factor of the fast form by which guide, source and radius are made smaller for the fit; 1 is exact.

    Returns:
        Float32 of the source's shape. May leave the source's range a little: clip where that matters.

    Raises:
        ValueError: shapes that do not fit, or a radius, eps or shrink that is not positive.
    """
    planes = np.asarray(source, np.float32).reshape(-1, *source.shape[-2:])
    if guide.shape[:2] != planes.shape[1:] or guide.ndim not in (2, 3):
        raise ValueError(
            f"The guide is {guide.shape[:2]} and the source {planes.shape[1:]}: they must be of one size."
        )
    if radius < 1 or eps <= 0 or shrink < 1:
        raise ValueError(f"Radius, eps and shrink must be positive, not {radius}, {eps} and {shrink}.")
    bands = as_bands(guide)
    height, width = planes.shape[1:]
    size = (max(1, round(height / shrink)), max(1, round(width / shrink)))
    results = []
    for box, line in fits(resize(bands, size), resize(planes, size), max(1, round(radius / shrink)), eps):
        everywhere = np.zeros((*size, len(bands) + 1), np.float32)
        everywhere[box] = line
        factors = cv2.resize(everywhere, (width, height), interpolation=cv2.INTER_LINEAR)
        results.append(apply(factors, bands))
    return np.stack(results).reshape(source.shape)


def fits(guide: Array, planes: Iterable[Array], radius: int, eps: float) -> Iterator[tuple[Box, Array]]:
    """The linear functions of the guide, averaged over the windows that cover a pixel; a plane's at a time.

    Args:
        guide: (B, h, w) float32 in 0..1, of one band or three.
        planes: (h, w) float32 each.

    Yields:
        The box (rows, columns) outside of which a plane's functions are 0, and inside it the functions, (h', w',
        B + 1) float32: the bands' factors, then the constant. Resized, they serve a larger guide.
    """
    height, width = guide.shape[1:]
    bands = range(len(guide))
    share = np.float32(1) / (_covered(height, radius)[:, None] * _covered(width, radius))
    shares = cv2.merge([share] * (len(guide) + 1))

    def mean(values: Any, share: Any) -> Any:
        """Mean over each pixel's window, as far as it lies in the picture; of (h, w) or (h, w, C)."""
        side = 2 * radius + 1
        total = cv2.boxFilter(values, cv2.CV_32F, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
        return cv2.multiply(total, share)

    # Variances are differences of squares: small numbers lose less in float32.
    offset = guide.mean((1, 2), dtype=np.float32)
    guide = guide - offset[:, None, None]
    centre = [mean(band, share) for band in guide]
    system = _factored(
        {
            (row, column): mean(guide[row] * guide[column], share)
            - centre[row] * centre[column]
            + np.float32(eps * (row == column))
            for row in bands
            for column in range(row, len(guide))
        }
    )
    with_one = cv2.merge([*guide, np.ones_like(share)])
    # functions of the guide without its mean, (factors, constant), to those of the guide itself
    back = np.eye(len(guide) + 1, dtype=np.float32)
    back[-1, :-1] = -offset
    for plane in planes:
        box = _reach(plane, 2 * radius)
        products = cv2.multiply(with_one[box], cv2.merge([plane[box]] * (len(guide) + 1)))
        target: list[Any]
        *target, level = cv2.split(mean(products, shares[box]))
        middle = [band[box] for band in centre]
        for band in bands:
            target[band] -= middle[band] * level
        _solve({pair: values[box] for pair, values in system.items()}, target)
        for band in bands:
            level -= target[band] * middle[band]
        yield box, np.asarray(cv2.transform(mean(cv2.merge([*target, level]), shares[box]), back), np.float32)


def apply(line: Any, bands: Iterable[Array]) -> Array:
    """What functions (H, W, B + 1), as of `fits`, make of a guide's bands, (H, W) in 0..1 each: (H, W) float32."""
    factors: list[Any]
    *factors, result = cv2.split(line)
    for factor, band in zip(factors, bands, strict=True):
        factor *= band
        result += factor
    return np.asarray(result, np.float32)


def as_bands(picture: npt.NDArray[np.generic]) -> Array:
    """A picture (H, W) or (H, W, 3) as (1 or 3, H, W) float32; uint8 becomes 0..1, floats are taken as they are."""
    planes = np.moveaxis(np.atleast_3d(np.asarray(picture)), 2, 0)
    return np.ascontiguousarray(planes, np.float32) / np.float32(255 if picture.dtype == np.uint8 else 1)


def resize(planes: Array, size: tuple[int, ...]) -> Array:
    """(C, h, w) to (C, *size): the mean of what falls together where it shrinks, bilinear where it grows; a copy."""
    smaller = size[0] < planes.shape[1] or size[1] < planes.shape[2]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.stack([np.asarray(cv2.resize(plane, size[::-1], interpolation=method), np.float32) for plane in planes])


def _reach(plane: Array, margin: int) -> Box:
    """The box beyond which a plane is 0, and `margin` more: further out its functions are 0 as well."""
    left, top, width, height = cv2.boundingRect((plane != 0).view(np.uint8))
    return (
        slice(max(0, top - margin), min(top + height + margin, plane.shape[0])),
        slice(max(0, left - margin), min(left + width + margin, plane.shape[1])),
    )


def _covered(length: int, radius: int) -> Array:
    """How many places of a line of `length` each place's window holds: (length,)."""
    places = np.arange(length)
    held = np.minimum(places + radius, length - 1) - np.maximum(places - radius, 0) + 1
    return held.astype(np.float32)


def _factored(matrix: dict[tuple[int, int], Any]) -> dict[tuple[int, int], Any]:
    """Factor symmetric positive definite systems (upper triangles of planes) pixel by pixel, as L D L'.

    The closed form with cofactors loses all digits in float32 where the guide's channels are nearly the same.

    Returns:
        The inverses of D at the places (i, i), and L's entries at (column, row).
    """
    matrix = dict(matrix)
    bands = range(1 + max(row for row, _ in matrix))
    for pivot in bands:
        inverse = 1 / matrix[pivot, pivot]
        for row in bands[pivot + 1 :]:
            share = matrix[pivot, row] * inverse
            for column in bands[row:]:
                matrix[row, column] = matrix[row, column] - share * matrix[pivot, column]
        for row in bands[pivot + 1 :]:
            matrix[pivot, row] = matrix[pivot, row] * inverse
        matrix[pivot, pivot] = inverse
    return matrix


def _solve(factored: dict[tuple[int, int], Any], target: list[Any]) -> None:
    """Put in place of the targets the solutions of the systems that were `_factored`."""
    bands = range(len(target))
    for pivot in bands:
        for row in bands[pivot + 1 :]:
            target[row] -= factored[pivot, row] * target[pivot]
    for row in reversed(bands):
        target[row] *= factored[row, row]
        for column in bands[row + 1 :]:
            target[row] -= factored[row, column] * target[column]
