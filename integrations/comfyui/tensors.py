"""ComfyUI's tensors and pictures: IMAGE is [B, H, W, C] float 0..1 with C of 3 or 4, MASK is [B, H, W] float 0..1."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image


def pictures(images: torch.Tensor) -> Iterator[Image.Image]:
    """Yield the pictures of an IMAGE, RGB or RGBA; a single [H, W, C] picture counts as a batch of one."""
    for image in images if images.ndim == 4 else images[None]:
        levels = np.rint(image.detach().cpu().float().clamp(0, 1).numpy() * 255).astype(np.uint8)
        yield Image.fromarray(levels if levels.shape[-1] > 1 else np.repeat(levels, 3, axis=-1))


def image(picture: Image.Image) -> torch.Tensor:
    """Return a picture as [H, W, C]; a grey one as RGB."""
    kept = picture if picture.mode in ("RGB", "RGBA") else picture.convert("RGB")
    return torch.from_numpy(np.asarray(kept, np.float32) / 255)


def mask(picture: Image.Image) -> torch.Tensor:
    """Return a grey picture as [H, W]."""
    return torch.from_numpy(np.asarray(picture.convert("L"), np.float32) / 255)


def batch(made: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return tensors of one size as a batch."""
    return torch.stack(list(made))
