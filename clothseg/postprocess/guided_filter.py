"""The guided filter: a mask or a score map whose edges follow those of the photo.

After He, Sun and Tang, "Guided image filtering" (ECCV 2010; IEEE TPAMI 35, 2013): in every square window the result is
the linear function of the guide that fits the source best, and each pixel takes the mean of the windows that cover it.
The fast form (He and Sun, "Fast guided filter", arXiv:1505.00996, 2015) fits these functions on smaller pictures and
applies them to the guide at full size. OpenCV has both only in its contrib package, which cannot be installed beside
the headless one.
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
        radius: of the windows, in pixels of the guide; a window is 2 * radius + 1 pixels wide, less at the picture's
            edge.
        eps: how much contrast (as a variance of the guide in 0..1) counts as an edge to keep: 1e-4 keeps faint ones,
            1e-2 only strong ones. In float32 no less than about 1e-6 makes sense.
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
    for box, line in fits(resize(bands, size), resize(planes, size), max(1, round(radius / shrink)), eps):
        everywhere = np.zeros((*size, len(bands) + 1), np.float32)
        everywhere[box] = line
        factors = cv2.resize(everywhere, (width, height), interpolation=cv2.INTER_LINEAR)
        results.append(apply(factors, bands))
    return np.stack(results).reshape(source.shape)


def fits(guide: Array, planes: Sequence[Array] | Array, radius: int, eps: float) -> Iterator[tuple[Box, Array]]:
    """Yield the linear functions of the guide for each plane, averaged over the windows that cover a pixel.

    Args:
        guide: (B, h, w) float32 in 0..1, of one band or three.
        planes: (h, w) float32 each.

    Yields:
        The box (rows, columns) outside of which a plane's functions are 0, and inside it the functions, (h', w', B +
        1) float32: the factors of the bands, then the constant. They can be resized for a larger guide.
    """
    bands, side = range(len(guide)), 2 * radius + 1

    def total(values: Any) -> Any:
        """Sum over each pixel's window, as far as it lies in the picture; of (h, w) or (h, w, C)."""
        return cv2.boxFilter(values, cv2.CV_32F, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)

    # Variances are differences of squares: small numbers lose less in float32.
    offset = guide.mean((1, 2), dtype=np.float32)
    boxes = [_reach(plane, 2 * radius) for plane in planes]
    within = _around(boxes)  # what lies further out has no say
    share = np.float32(1) / np.multiply.outer(*(_covered(length, radius) for length in guide.shape[1:]))[within]
    guide = guide[:, *within] - offset[:, None, None]
    shares = cv2.merge([share] * (len(guide) + 1))
    pairs = [(row, column) for row in bands for column in bands[row:]]
    moments = [*guide, *(guide[row] * guide[column] for row, column in pairs)]
    # in fours, of which the filter makes little more than of one
    fours = [total(cv2.merge(moments[start : start + 4])) for start in range(0, len(moments), 4)]
    means = [plane * share for four in fours for plane in _planes(four)]
    centre, products = np.stack(means[: len(guide)]), means[len(guide) :]
    system = _factored(
        {
            (row, column): product - centre[row] * centre[column] + np.float32(eps * (row == column))
            for (row, column), product in zip(pairs, products, strict=True)
        }
    )
    # functions of the guide without its mean, (factors, constant), to those of the guide itself
    back = np.eye(len(guide) + 1, dtype=np.float32)
    back[-1, :-1] = -offset
    for plane, box in zip(planes, boxes, strict=True):
        here = _from(box, within)
        part, middle = plane[box], centre[:, *here]
        made = np.empty((len(guide) + 1, *part.shape), np.float32)
        made[-1] = part
        np.multiply(guide[:, *here], part, out=made[:-1])
        made = _planes(cv2.multiply(total(_interleaved(made)), shares[here]))
        target, level = made[:-1], made[-1]
        target -= middle * level
        _solve({pair: values[here] for pair, values in system.items()}, target)
        for each in target * middle:
            level -= each
        line = total(_interleaved(made))
        cv2.multiply(line, shares[here], dst=line)
        yield box, np.asarray(cv2.transform(line, back, dst=line), np.float32)


def apply(line: Any, bands: Iterable[Array]) -> Array:
    """Apply functions (H, W, B + 1), as from `fits`, to a guide's bands, (H, W) in 0..1 each: (H, W) float32."""
    *factors, result = _planes(line)
    for factor, band in zip(factors, bands, strict=True):
        factor *= band
        result += factor
    return result


def _interleaved(planes: Array) -> Any:
    """(C, h, w) to (h, w, C); as a copy, and in a tenth of the time that numpy takes."""
    return cv2.transpose(planes.reshape(len(planes), -1)).reshape(*planes.shape[1:], -1)


def _planes(picture: Any) -> Array:
    """(h, w, C), or (h, w), to (C, h, w); `cv2.split` is slow where its planes lie in memory new to the process."""
    height, width = picture.shape[:2]
    return np.asarray(cv2.transpose(picture.reshape(height * width, -1)), np.float32).reshape(-1, height, width)


def as_bands(picture: npt.NDArray[np.generic]) -> Array:
    """A picture (H, W) or (H, W, 3) as (1 or 3, H, W) float32; uint8 becomes 0..1, floats are taken as they are."""
    planes = _planes(picture)
    if picture.dtype == np.uint8:
        planes /= 255
    return planes


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


def _around(boxes: list[Box]) -> Box:
    """The smallest box that holds all of them."""
    rows, columns = (
        slice(min(part.start for part in parts), max(part.stop for part in parts))
        for parts in zip(*boxes, strict=True)
    )
    return rows, columns


def _from(box: Box, outer: Box) -> Box:
    """A box, counted from where another begins."""
    rows, columns = (
        slice(part.start - whole.start, part.stop - whole.start) for part, whole in zip(box, outer, strict=True)
    )
    return rows, columns


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


def _solve(factored: dict[tuple[int, int], Any], target: Any) -> None:
    """Put in place of the targets, planes of numbers, the solutions of the systems that were `_factored`."""
    bands = range(len(target))
    for pivot in bands:
        for row in bands[pivot + 1 :]:
            target[row] -= factored[pivot, row] * target[pivot]
    for row in reversed(bands):
        target[row] *= factored[row, row]
        for column in bands[row + 1 :]:
            target[row] -= factored[row, column] * target[column]
