"""The guided filter: a mask or a score map whose edges follow those of the photo.

After He, Sun and Tang, "Guided image filtering" (ECCV 2010; IEEE TPAMI 35, 2013): in every square window the result is
the linear function of the guide that fits the source best, and a pixel takes the mean of the windows over it. Its fast
form (He and Sun, "Fast guided filter", arXiv:1505.00996, 2015) finds those functions on smaller pictures and applies
them to the guide at full size. OpenCV has both only in its contrib package, which cannot be installed beside the
headless one.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt


Array = npt.NDArray[np.float32]


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
    lines = fits(resize(bands, size), resize(planes, size), max(1, round(radius / shrink)), eps)
    return np.stack([apply(line, bands) for line in lines]).reshape(source.shape)


def fits(guide: Array, planes: Array, radius: int, eps: float) -> Iterator[Array]:
    """The linear functions of the guide, averaged over the windows that cover a pixel; a plane's at a time.

    Args:
        guide: (B, h, w) float32 in 0..1, of one band or three.
        planes: (C, h, w) float32.

    Yields:
        (B + 1, h, w) float32: the bands' factors, then the constant. Resized, they serve a larger guide.
    """
    height, width = guide.shape[1:]
    share = np.float32(1) / (_covered(height, radius)[:, None] * _covered(width, radius))

    def mean(plane: Array, share: Array = share) -> Array:
        """Mean over each pixel's window, as far as it lies in the picture."""
        side = 2 * radius + 1
        total = cv2.boxFilter(plane, cv2.CV_32F, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(total, np.float32) * share

    # Variances are differences of squares: small numbers lose less in float32.
    offset = guide.mean((1, 2), dtype=np.float32)
    guide = guide - offset[:, None, None]
    bands = range(len(guide))
    centre = [mean(band) for band in guide]
    covariance: dict[tuple[int, int], Array] = {
        (row, column): mean(guide[row] * guide[column])
        - centre[row] * centre[column]
        + np.float32(eps * (row == column))
        for row in bands
        for column in range(row, len(guide))
    }
    for plane in planes:
        line = np.zeros((len(guide) + 1, height, width), np.float32)
        box = _reach(plane, 2 * radius)
        plane, shares = plane[box], share[box]
        local, middle = guide[:, *box], [band[box] for band in centre]
        level = mean(plane, shares)
        factors = _solved(
            {pair: values[box] for pair, values in covariance.items()},
            [mean(local[band] * plane, shares) - middle[band] * level for band in bands],
        )
        for band in bands:
            level -= factors[band] * middle[band]
        factors, level = [mean(factor, shares) for factor in factors], mean(level, shares)
        for band in bands:
            level -= factors[band] * offset[band]
        line[:, *box] = [*factors, level]
        yield line


def apply(line: Array, guide: Array) -> Array:
    """What a plane's functions (of `fits`) make of a guide (B, H, W) in 0..1: (H, W) float32."""
    line = resize(line, guide.shape[1:])
    result = line[-1]
    for factor, band in zip(line[:-1], guide, strict=True):
        result += factor * band
    return result


def as_bands(picture: npt.NDArray[np.generic]) -> Array:
    """A picture (H, W) or (H, W, 3) as (1 or 3, H, W) float32; uint8 becomes 0..1, floats are taken as they are."""
    planes = np.moveaxis(np.atleast_3d(np.asarray(picture)), 2, 0)
    return np.ascontiguousarray(planes, np.float32) / np.float32(255 if picture.dtype == np.uint8 else 1)


def resize(planes: Array, size: tuple[int, ...]) -> Array:
    """(C, h, w) to (C, *size): the mean of what falls together where it shrinks, bilinear where it grows; a copy."""
    smaller = size[0] < planes.shape[1] or size[1] < planes.shape[2]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.stack([np.asarray(cv2.resize(plane, size[::-1], interpolation=method), np.float32) for plane in planes])


def _reach(plane: Array, margin: int) -> tuple[slice, slice]:
    """The box beyond which a plane is 0, and `margin` more: further out its functions are 0 as well."""
    left, top, width, height = cv2.boundingRect((plane != 0).view(np.uint8))
    return (
        slice(max(0, top - margin), top + height + margin),
        slice(max(0, left - margin), left + width + margin),
    )


def _covered(length: int, radius: int) -> Array:
    """How many places of a line of `length` each place's window holds: (length,)."""
    places = np.arange(length)
    held = np.minimum(places + radius, length - 1) - np.maximum(places - radius, 0) + 1
    return held.astype(np.float32)


def _solved(matrix: dict[tuple[int, int], Array], target: list[Array]) -> list[Array]:
    """Solve symmetric positive definite systems (upper triangles of planes) pixel by pixel, by elimination.

    The closed form with cofactors loses all digits in float32 where the guide's channels are nearly the same.
    """
    matrix, target = dict(matrix), list(target)
    bands = len(target)
    for pivot in range(bands):
        for row in range(pivot + 1, bands):
            share = matrix[pivot, row] / matrix[pivot, pivot]
            for column in range(row, bands):
                matrix[row, column] = matrix[row, column] - share * matrix[pivot, column]
            target[row] = target[row] - share * target[pivot]
    for row in reversed(range(bands)):
        for column in range(row + 1, bands):
            target[row] = target[row] - matrix[row, column] * target[column]
        target[row] = target[row] / matrix[row, row]
    return target
