"""Compute label maps on the device of the logits; only label maps are transferred back.

The functions give the same results as their counterparts for the CPU, which explain the methods:
`clothseg.postprocess.upsample` and `clothseg.postprocess.guided_edges`. All of it is plain PyTorch for any device, so
tests compare both on a CPU (where the counterparts are many times faster).
"""

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from clothseg.postprocess import guided_edges
from clothseg.postprocess.guided_edges import EPS, FLAT, LEAST, RADIUS
from clothseg.postprocess.upsample import size_of_grid


_STRIP_VALUES = 1 << 23
"""Values of full-size planes that are held at once: 32 MB, and as much again for temporary arrays."""

Bytes = npt.NDArray[np.uint8]

Tensor = torch.Tensor


@torch.inference_mode()
def winners(logits: Tensor, size: tuple[int, int]) -> Bytes:
    """Like `clothseg.postprocess.upsample.winners` for logits (C, h, w) float32."""
    classes, (height, width) = len(logits), size
    label_map = torch.empty(size, dtype=torch.uint8, device=logits.device)
    step = max(1, _STRIP_VALUES // (classes * width))
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        strip = _interpolate(_interpolate(logits, 1, height, rows), 2, width)
        label_map[rows] = strip.argmax(dim=0)  # of equal logits the lower id wins
    return label_map.cpu().numpy()


@torch.inference_mode()
def winning_probability(logits: Tensor, size: tuple[int, int]) -> Bytes:
    """Like `clothseg.postprocess.upsample.winning_probability` for logits (C, h, w) float32."""
    height, width = size_of_grid(size)
    shares = _interpolate(_interpolate(logits, 1, height), 2, width).softmax(dim=0)
    return (255 * shares.amax(dim=0)).round().to(torch.uint8).cpu().numpy()


@torch.inference_mode()
def follow_edges(logits: Tensor, photo: Tensor) -> Bytes:
    """Like `clothseg.postprocess.guided_edges.follow_edges`, but every class that wins somewhere is computed for the
    whole photo.

    Args:
        logits: (C, h, w) float32.
        photo: (H, W, 3) uint8 RGB on the same device.

    Returns:
        (H, W) uint8 class ids.
    """
    height, width = photo.shape[:2]
    shrink, cell = guided_edges.reduction((height, width))
    side = shrink * cell
    rows, columns = height // side, width // side
    if 2 * rows < logits.shape[1] or 2 * columns < logits.shape[2]:  # very narrow or very small photos
        return guided_edges.follow_edges(logits.cpu().numpy(), photo.cpu().numpy())
    won = logits.argmax(dim=0).unique()
    if len(won) == 1:
        return np.full((height, width), int(won), np.uint8)

    bands = photo.permute(2, 0, 1)
    copy = functional.avg_pool2d(bands[None, :, : rows * side, : columns * side].float(), shrink)[0]
    planes = logits.softmax(dim=0)[won]
    planes = _interpolate(_interpolate(planes, 1, height / side, slice(0, rows)), 2, width / side, slice(0, columns))
    least = LEAST * (planes.amax(dim=0) / FLAT).clamp(max=1)
    planes *= planes > least
    planes /= planes.sum(dim=0).maximum(least)
    lines = _fit_linear(copy.round() / 255, planes, max(1, round(RADIUS * max(rows, columns))), cell)

    label_map = torch.empty((height, width), dtype=torch.uint8, device=logits.device)
    step = max(1, _STRIP_VALUES // (lines.shape[0] * lines.shape[1] * width))
    for start in range(0, height, step):
        strip = slice(start, min(start + step, height))
        # cells of the copy are a whole number of pixels; remaining pixels at the end belong to the last cell
        there = _interpolate(_interpolate(lines, 2, rows * side, strip), 3, columns * side, slice(0, width))
        guide = torch.cat([bands[:, strip].float() / 255, torch.ones_like(bands[:1, strip])])
        label_map[strip] = won[(there * guide).sum(dim=1).argmax(dim=0)]
    return label_map.cpu().numpy()


def _fit_linear(guide: Tensor, planes: Tensor, radius: int, cell: int) -> Tensor:
    """Return each plane's functions (C, B + 1, h, w) of the guide (B, h * cell, w * cell), like
    `clothseg.postprocess.guided_filter.fit_linear`.

    The functions sum to 1, as the planes do, so those of the largest plane follow from the others.
    """

    def mean(values: Tensor) -> Tensor:
        """Average (..., h, w) over the part of each pixel's window that lies in the picture."""
        flat = values.reshape(1, -1, *values.shape[-2:])
        for way in ((1, 0), (0, 1)):
            side, border = [1 + 2 * radius * along for along in way], [radius * along for along in way]
            flat = functional.avg_pool2d(flat, side, stride=1, padding=border, count_include_pad=False)
        return flat.view(values.shape)

    bands, largest = len(guide), int(planes.sum(dim=(1, 2)).argmax())
    offset = guide.mean(dim=(1, 2), keepdim=True)
    guide = guide - offset  # keeps more digits: variances are differences of squares
    products = functional.avg_pool2d(guide[:, None] * guide, cell)
    guide = functional.avg_pool2d(guide, cell)
    centre = mean(guide)
    spread = mean(products) - centre[:, None] * centre
    spread += EPS * torch.eye(bands, device=guide.device)[:, :, None, None]
    level = mean(planes)
    target = mean(planes[:, None] * guide) - level[:, None] * centre
    _solve(spread, target)
    level -= (target * centre).sum(dim=1)
    lines = mean(torch.cat([target, level[:, None]], dim=1))
    lines[:, -1] -= (lines[:, :-1] * offset).sum(dim=1)
    whole = torch.zeros_like(lines[0])
    whole[-1] = 1
    lines[largest] = 0
    lines[largest] = whole - lines.sum(dim=0)
    return lines


def _solve(matrix: Tensor, target: Tensor) -> None:
    """Replace the targets (C, B, h, w) by the solutions of the symmetric systems (B, B, h, w), pixel by pixel.

    Elimination without pivoting suffices, since the systems are positive definite. `matrix` is overwritten.
    """
    bands = len(matrix)
    for pivot in range(bands):
        for row in range(pivot + 1, bands):
            share = matrix[row, pivot] / matrix[pivot, pivot]
            matrix[row] -= share * matrix[pivot]
            target[:, row] -= share * target[:, pivot]
    for row in reversed(range(bands)):
        target[:, row] /= matrix[row, row]
        for above in range(row):
            target[:, above] -= matrix[above, row] * target[:, row]


def _interpolate(values: Tensor, dim: int, side: float, part: slice | None = None) -> Tensor:
    """Interpolate linearly along a dimension to `side` pixels with half-pixel centres; return the pixels of `part`.

    Like torch's `interpolate` with `align_corners=False`, but for a part, which may extend past the last pixel.
    """
    source, part = values.shape[dim], part or slice(0, int(side))
    pixels = torch.arange(part.start, part.stop, dtype=torch.float64, device=values.device)
    position = ((pixels + 0.5) * (source / side) - 0.5).clamp(0, source - 1)
    above = position.int()
    share = (position - above).float().view([-1 if place == dim else 1 for place in range(values.ndim)])
    first, second = (values.index_select(dim, each) for each in (above, (above + 1).clamp(max=source - 1)))
    return first.lerp_(second, share)
