"""The guided filter: align the edges of a mask or score map with those of a photo.

Source: He, Sun and Tang, "Guided image filtering" (ECCV 2010; IEEE TPAMI 35, 2013). In every square window, the linear
function of the guide that fits the source best is computed; each pixel gets the mean of the windows that cover it. The
fast form (He and Sun, "Fast guided filter", arXiv:1505.00996, 2015) fits the functions on reduced pictures and applies
them to the guide at full size. OpenCV has both only in its contrib package, which cannot be installed together with
the headless package.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt


Array = npt.NDArray[np.float32]

Box = tuple[slice, slice]
"""Rows and columns."""


def guided_filter(guide: npt.NDArray[np.generic], source: Array, radius: int, eps: float, shrink: int = 1) -> Array:
    """Filter a plane, or several planes with the same guide.

    Args:
        guide: (H, W) or (H, W, 3), uint8 or float in 0..1 (uint8 is divided by 255). Colour separates more edges than
            grey and takes about three times as long.
        source: (H, W) or (C, H, W) float32, such as a mask, probabilities or logits.
        radius: of the windows, in pixels of the guide. A window is 2 * radius + 1 pixels wide, and narrower at the
            picture's edge.
        eps: contrast (variance of the guide in 0..1) that counts as an edge: 1e-4 keeps faint edges, 1e-2 only strong
            ones. Values below about 1e-6 are lost in float32.
        shrink: factor by which the fast form reduces guide, source and radius for the fit; 1 is exact.

    Returns:
        Float32 of the source's shape. Values may slightly exceed the source's range; clip them if that matters.

    Raises:
        ValueError: shapes that do not match, or a radius, eps or shrink that is not positive.
    """
    planes = np.asarray(source, np.float32).reshape(-1, *source.shape[-2:])
    if guide.shape[:2] != planes.shape[1:] or guide.ndim not in (2, 3):
        raise ValueError(
            f"The guide is {guide.shape[:2]} and the source {planes.shape[1:]}: they must have the same size."
        )
    if radius < 1 or eps <= 0 or shrink < 1:
        raise ValueError(f"Radius, eps and shrink must be positive, not {radius}, {eps} and {shrink}.")
    bands = as_bands(guide)
    height, width = planes.shape[1:]
    size = (max(1, round(height / shrink)), max(1, round(width / shrink)))
    results = []
    for box, line in fit_linear(resize(bands, size), resize(planes, size), max(1, round(radius / shrink)), eps):
        everywhere = np.zeros((*size, len(bands) + 1), np.float32)
        everywhere[box] = line
        factors = cv2.resize(everywhere, (width, height), interpolation=cv2.INTER_LINEAR)
        results.append(apply_linear(factors, bands))
    return np.stack(results).reshape(source.shape)


def fit_linear(guide: Array, planes: Sequence[Array] | Array, radius: int, eps: float) -> Iterator[tuple[Box, Array]]:
    """Fit each plane by linear functions of the guide, averaged over the windows that cover a pixel.

    Args:
        guide: (B, H, W) float32 in 0..1, with one or three bands, as large as the planes or larger. A larger one
            contributes the mean and the variance of its pixels in each cell of the planes.
        planes: (h, w) float32 each.
        radius: of the windows, in cells of the planes.
        eps: as in `guided_filter`.

    Yields:
        For each plane, a box (rows, columns) and its functions (h', w', B + 1) float32 inside the box: the factors of
        the bands, then the constant. Outside of the box they are 0. They can be resized for a larger guide.
    """
    bands, side = range(len(guide)), 2 * radius + 1

    def total(values: Any) -> Any:
        """Sum (h, w) or (h, w, C) over the part of each pixel's window that lies in the picture."""
        return cv2.boxFilter(values, cv2.CV_32F, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)

    # Variances are differences of squares; subtracting the mean first keeps more digits in float32.
    offset = guide.mean((1, 2), dtype=np.float32)[:, None, None]
    boxes = [_support(plane, 2 * radius) for plane in planes]
    region = _enclosing(boxes)  # nothing outside of it changes a result
    size = planes[0].shape
    share = np.float32(1) / np.multiply.outer(*(_window_lengths(length, radius) for length in size))[region]
    guide = guide - offset
    pairs = [(row, column) for row in bands for column in bands[row:]]
    moments = [*guide, *(guide[row] * guide[column] for row, column in pairs)]
    moments = [np.ascontiguousarray(averaged(plane, size)[region]) for plane in moments]
    # in groups of four, which the filter computes in little more than the time for one
    fours = [total(cv2.merge(moments[start : start + 4])) for start in range(0, len(moments), 4)]
    means = [plane * share for four in fours for plane in _planes(four)]
    guide, centre, products = np.stack(moments[: len(bands)]), np.stack(means[: len(bands)]), means[len(bands) :]
    system = _factor(
        {
            (row, column): product - centre[row] * centre[column] + np.float32(eps * (row == column))
            for (row, column), product in zip(pairs, products, strict=True)
        }
    )
    middle = centre + offset  # the functions' constants are those for the guide itself
    shares = cv2.merge([share] * (len(bands) + 1))
    for plane, box in zip(planes, boxes, strict=True):
        inside = _relative_to(box, region)
        part, near = plane[box], (slice(None), *inside)
        stacked = np.empty((len(bands) + 1, *part.shape), np.float32)
        stacked[-1] = part
        np.multiply(guide[near], part, out=stacked[:-1])
        stacked = _planes(total(_interleaved(stacked)))
        stacked *= share[inside]
        target, level = stacked[:-1], stacked[-1]
        target -= centre[near] * level
        _solve({pair: values[inside] for pair, values in system.items()}, target)
        level -= (middle[near] * target).sum(axis=0)
        line = total(_interleaved(stacked))
        yield box, np.asarray(cv2.multiply(line, shares[inside], dst=line), np.float32)


def apply_linear(line: Any, bands: Iterable[Array]) -> Array:
    """Apply functions (H, W, B + 1) from `fit_linear` to a guide's bands, (H, W) in 0..1 each; return (H, W)."""
    *factors, result = _planes(line)
    for factor, band in zip(factors, bands, strict=True):
        factor *= band
        result += factor
    return result


def _interleaved(planes: Array) -> Any:
    """Copy (C, h, w) to (h, w, C), in a tenth of NumPy's time."""
    return cv2.transpose(planes.reshape(len(planes), -1)).reshape(*planes.shape[1:], -1)


def _planes(picture: Any) -> Array:
    """Copy (h, w, C) or (h, w) to (C, h, w) float32; `cv2.split` is slow if it must allocate new memory."""
    height, width = picture.shape[:2]
    return np.asarray(cv2.transpose(picture.reshape(height * width, -1)), np.float32).reshape(-1, height, width)


def as_bands(picture: npt.NDArray[np.generic]) -> Array:
    """Return a picture (H, W) or (H, W, 3) as (1 or 3, H, W) float32; uint8 is divided by 255, floats are not."""
    planes = _planes(picture)
    if picture.dtype == np.uint8:
        planes /= 255
    return planes


def averaged(plane: Array, size: tuple[int, ...]) -> Array:
    """Return the means (h, w) of a plane over cells; the plane itself if it has this size."""
    if plane.shape == size:
        return plane
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA), np.float32)


def resize(planes: Array, size: tuple[int, ...]) -> Array:
    """Resize planes (C, h, w) to (C, *size): averaged if a side shrinks, else bilinear. Return a copy."""
    smaller = size[0] < planes.shape[1] or size[1] < planes.shape[2]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.stack([np.asarray(cv2.resize(plane, size[::-1], interpolation=method), np.float32) for plane in planes])


def _support(plane: Array, margin: int) -> Box:
    """Return the box of a plane's non-zero values, extended by `margin`; outside of it the functions are 0 as well."""
    left, top, width, height = cv2.boundingRect((plane != 0).view(np.uint8))
    return (
        slice(max(0, top - margin), min(top + height + margin, plane.shape[0])),
        slice(max(0, left - margin), min(left + width + margin, plane.shape[1])),
    )


def _enclosing(boxes: list[Box]) -> Box:
    """Return the smallest box that contains all of them."""
    rows, columns = (
        slice(min(part.start for part in parts), max(part.stop for part in parts))
        for parts in zip(*boxes, strict=True)
    )
    return rows, columns


def _relative_to(box: Box, outer: Box) -> Box:
    """Return a box in the coordinates of an outer box."""
    rows, columns = (
        slice(part.start - whole.start, part.stop - whole.start) for part, whole in zip(box, outer, strict=True)
    )
    return rows, columns


def _window_lengths(length: int, radius: int) -> Array:
    """Return (length,): how many positions the window around each position of a line contains."""
    places = np.arange(length)
    held = np.minimum(places + radius, length - 1) - np.maximum(places - radius, 0) + 1
    return held.astype(np.float32)


def _factor(matrix: dict[tuple[int, int], Any]) -> dict[tuple[int, int], Any]:
    """Factor symmetric positive definite systems (upper triangles, a plane for each entry) as L D L', pixel by pixel.

    The closed form with cofactors loses all digits in float32 where the guide's channels are nearly equal.

    Returns:
        The inverses of D at (i, i), and the entries of L at (column, row).
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


def _solve(factored: dict[tuple[int, int], Any], target: Any) -> None:
    """Replace the targets (planes) by the solutions of the systems from `_factor`."""
    bands = range(len(target))
    for pivot in bands:
        for row in bands[pivot + 1 :]:
            target[row] -= factored[pivot, row] * target[pivot]
    for row in reversed(bands):
        target[row] *= factored[row, row]
        for column in bands[row + 1 :]:
            target[row] -= factored[row, column] * target[column]
