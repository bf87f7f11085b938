"""Encoding for the network equals the saved processor's preprocessing."""

import numpy as np
import pytest
import torch
from paper_dolls import Doll, draw
from PIL import Image as PILImage
from transformers import AutoImageProcessor, SegformerImageProcessorPil

from clothseg.training.data.network_input import encode, normalise, resize_quickly
from clothseg.training.model import build_processor


@pytest.fixture(scope="module")
def doll() -> Doll:
    return draw(3, 192, 128)


def test_encoding_equals_the_saved_processor(doll: Doll, tmp_path) -> None:
    processor = build_processor((64, 96))
    processor.save_pretrained(tmp_path)
    encoded = encode(doll.image, doll.mask, processor)
    served = AutoImageProcessor.from_pretrained(tmp_path, backend="pil")(images=doll.image, return_tensors="pt")
    assert torch.allclose(normalise(encoded["pixel_values"][None], processor), served["pixel_values"], atol=1e-6)
    assert encoded["pixel_values"].shape == (3, 64, 96)
    assert encoded["labels"].shape == (64, 96) and encoded["labels"].dtype == torch.uint8
    assert set(encoded["labels"].unique().tolist()) <= set(np.unique(doll.mask).tolist())


def test_normalised_pixels_equal_the_processor(doll: Doll) -> None:
    """For every value and channel, and for a processor with another mean and deviation."""
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    for processor in (
        build_processor((16, 16)),
        SegformerImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.3] * 3),
    ):
        processor.size = {"height": 16, "width": 16}
        served = processor(images=every, return_tensors="pt")["pixel_values"]
        pixels = encode(every, doll.mask, processor)["pixel_values"]
        assert (pixels.numpy() == every.transpose(2, 0, 1)).all()
        assert torch.allclose(normalise(pixels[None], processor), served, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "greatest", "mean"),
    [((160, 112), 45, 1.3), ((384, 256), 1, 0.4), ((96, 64), 1, 0.05), ((48, 160), 1, 0.05), ((32, 32), 1, 0.05)],
)
def test_fast_resizing_is_close_to_pillow(size: tuple[int, int], greatest: int, mean: float, doll: Doll) -> None:
    planes = resize_quickly(doll.image, *size)
    pillow = np.asarray(PILImage.fromarray(doll.image).resize(size[::-1], PILImage.Resampling.BILINEAR))
    apart = np.abs(np.stack(planes, axis=-1).astype(int) - pillow)
    assert apart.max() <= greatest and apart.mean() < mean
