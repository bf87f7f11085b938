"""Prepare photos for the network on its device; only uint8 photos are transferred there.

The result is equal to that of `Segmenter.pixels`, to the bit. All of it is plain PyTorch for any device, so it can be
compared on a CPU. `clothseg.postprocess.on_gpu` draws label maps there.
"""

import logging
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from clothseg.models.preprocessing import resize


_BITS = 22
"""Bits of fractions in PIL's integer arithmetic."""

Tensor = torch.Tensor

_log = logging.getLogger(__name__)


def upload(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Copy an array to the device; a GPU copies it asynchronously."""
    tensor = torch.from_numpy(np.require(array, requirements=["C", "W"]))
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error of torch says that the device's memory, or the host's for transfers, is full."""
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error)


@torch.inference_mode()
def preprocess(
    photo: Image.Image,
    size: tuple[int, int],
    resample: int,
    values: npt.NDArray[np.float32],
    device: torch.device,
) -> Tensor:
    """Return the network's input for an RGB photo.

    Args:
        size: (h, w) to resize to.
        resample: PIL's filter, or `AREA`; bilinear runs on the device, others before it.
        values: (3, 256), the network's value for each level of a channel.

    Returns:
        (1, 3, h, w) float32 in the channels-last layout, equal to `Segmenter.pixels` to the bit.
    """
    try:
        if resample == Image.Resampling.BILINEAR:
            small = resized(upload(np.asarray(photo), device), size)
        else:
            small = upload(resize(photo, size, resample), device)
        places = small.int() + torch.arange(3, dtype=torch.int32, device=device) * 256
        levels = upload(values, device).flatten().index_select(0, places.flatten()).view(1, *size, 3)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        _log.warning("The CPU prepares this photo instead of the GPU: %s", error)
        levels = upload(values[range(3), resize(photo, size, resample)][None], device)
    return levels.permute(0, 3, 1, 2)


def resized(photo: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a photo (H, W, 3) uint8 to `size` (h, w) as PIL's bilinear filter does, to the bit: (h, w, 3) uint8.

    torch's own antialiased filter rounds once where PIL rounds twice: a fifth of the values differ by one.
    """
    upright = photo.shape[0] > 100 * photo.shape[1] and size[0] < photo.shape[0]
    for dim in (0, 1) if upright else (1, 0):  # as PIL does
        if photo.shape[dim] == size[dim]:
            continue
        first, factors = _taps(photo.shape[dim], size[dim])
        places, shares = (upload(each, photo.device) for each in (first, factors))
        total = torch.full((), 1 << (_BITS - 1), dtype=torch.int32, device=photo.device)
        for offset, share in enumerate(shares):
            place = (places + offset).clamp_(max=photo.shape[dim] - 1)  # pixels beyond have weight 0
            total = total + photo.index_select(dim, place) * share.view(-1, *[1] * (2 - dim))
        photo = (total >> _BITS).clamp_(0, 255).to(torch.uint8)
    return photo


@lru_cache(64)
def _taps(source: int, target: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return PIL's bilinear filter from `source` to `target` pixels, after Pillow's src/libImaging/Resample.c.

    Returns:
        (target,) the first source pixel of each target pixel, and (taps, target) the weights of that and the following
        pixels, in units of 2 ** -_BITS.
    """
    scale = source / target
    reach = max(scale, 1.0)
    centre = (np.arange(target) + 0.5) * scale
    first = np.maximum((centre - reach + 0.5).astype(np.int32), 0)
    last = np.minimum((centre + reach + 0.5).astype(np.int32), source)
    places = first + np.arange((last - first).max())[:, None]
    factors = np.maximum(1 - np.abs((places - centre + 0.5) / reach), 0) * (places < last)
    return first, (factors / factors.sum(axis=0) * (1 << _BITS) + 0.5).astype(np.int32)
