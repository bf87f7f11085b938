"""Augmentation and encoding: sides swapped by mirroring, ids never mixed, what is served is what was trained."""

import albumentations as A
import numpy as np
import pytest
import torch
from paper_dolls import Doll, draw
from PIL import Image as PILImage
from transformers import AutoImageProcessor, SegformerImageProcessorPil

from clothseg.labels import NAMES, mirror
from clothseg.training.data.transforms import (
    FlipSides,
    GaussNoise,
    LookCloser,
    Portrait,
    augmentation,
    encode,
    normalise,
    resize_quickly,
)
from clothseg.training.model import build_processor


@pytest.fixture(scope="module")
def doll() -> Doll:
    return draw(3, 192, 128)


def test_flip_swaps_sides_and_flips_back(doll: Doll) -> None:
    flip = A.Compose([FlipSides(p=1.0)], strict=True)
    once = flip(image=doll.image, mask=doll.mask)
    assert (once["mask"] == mirror(doll.mask)).all()
    left, right = NAMES.index("Left-arm"), NAMES.index("Right-arm")
    assert (once["mask"] == left).sum() == (doll.mask == right).sum() != (doll.mask == left).sum()
    twice = flip(image=once["image"], mask=once["mask"])
    assert (twice["mask"] == doll.mask).all() and (twice["image"] == doll.image).all()


@pytest.mark.parametrize("kind", ["standard", "strong"])
def test_augmentation_is_repeatable_varied_and_keeps_ids(kind: str, doll: Doll) -> None:
    augment = augmentation(kind)
    seen = []
    for seed in [0, 1, 2, 3, 0]:
        augment.set_random_seed(seed)
        seen.append(augment(image=doll.image, mask=doll.mask))
    assert (seen[0]["image"] == seen[4]["image"]).all() and (seen[0]["mask"] == seen[4]["mask"]).all()
    assert not all(np.array_equal(seen[0]["image"], other["image"]) for other in seen[1:4])
    for changed in seen:
        assert changed["image"].shape[:2] == changed["mask"].shape and changed["image"].dtype == np.uint8
        assert set(np.unique(changed["mask"])) <= set(np.unique(doll.mask)) | set(np.unique(mirror(doll.mask)))


def test_strong_augmentation_moves_photo_and_mask_together(doll: Doll) -> None:
    """A picture that shows its own mask still shows it after the geometry; colour changes are left out."""
    picture = np.repeat((doll.mask * 10)[..., None], 3, axis=2)
    closer, elsewhere = next(
        step for step in augmentation("strong", 0.25).transforms if isinstance(step, A.OneOf)
    ).transforms
    moves = [closer, *(step for step in elsewhere.transforms if not isinstance(step, A.NoOp))]
    assert len(moves) > 3
    for step in moves:
        exact = {"fill": 0, "interpolation": 0} if isinstance(step, A.Affine) else {}
        move = A.Compose([type(step)(**{**step.get_transform_init_args(), **exact, "p": 1.0})])
        for seed in range(3):
            move.set_random_seed(seed)
            changed = move(image=picture, mask=doll.mask)
            assert (changed["image"][..., 0] == changed["mask"] * 10).mean() > 0.999
            assert changed["mask"].shape != doll.mask.shape or (changed["mask"] != doll.mask).any()


def test_closer_looks_show_small_classes_as_often_as_large_ones(doll: Doll) -> None:
    look = A.Compose([LookCloser(height=(0.3, 0.3), width=(0.3, 0.3), p=1.0)])
    shown = np.zeros(18, int)
    for seed in range(200):
        look.set_random_seed(seed)
        window = look(image=doll.image, mask=doll.mask)
        assert window["mask"].shape == (58, 38) and window["image"].shape == (58, 38, 3)
        shown[np.unique(window["mask"])] += 1
    present = np.unique(doll.mask)
    assert shown[present].min() >= 200 / len(present)
    nothing = look(image=doll.image, mask=np.zeros_like(doll.mask))  # nobody in the photo: about its middle
    assert nothing["mask"].shape == (58, 38)


def test_portraits_show_the_head_and_not_the_feet(doll: Doll) -> None:
    portrait = A.Compose([Portrait(share=(0.3, 0.5), p=1.0)], strict=True)
    rows = np.flatnonzero(doll.mask.any(axis=1))
    heights = set()
    for seed in range(20):
        portrait.set_random_seed(seed)
        window = portrait(image=doll.image, mask=doll.mask)
        height, width = window["mask"].shape
        assert rows[0] + 0.3 * len(rows) - 2 <= height <= rows[0] + 0.5 * len(rows) + 2
        assert (window["mask"] == NAMES.index("Face")).sum() == (doll.mask == NAMES.index("Face")).sum()
        assert width == 128 or 0.69 <= width / height <= 1.41
        heights.add(height)
    assert len(heights) > 5
    nobody = portrait(image=doll.image, mask=np.zeros_like(doll.mask))
    assert nobody["mask"].shape == doll.mask.shape


def test_unknown_kind_of_augmentation_argument_is_an_error() -> None:
    with pytest.raises(ValueError, match="value"):
        A.Compose([A.PadIfNeeded(value=255)], strict=True)  # the trap that `strict` closes


def test_encoding_is_the_saved_processors(doll: Doll, tmp_path) -> None:
    processor = build_processor((64, 96))
    processor.save_pretrained(tmp_path)
    encoded = encode(doll.image, doll.mask, processor)
    served = AutoImageProcessor.from_pretrained(tmp_path, backend="pil")(images=doll.image, return_tensors="pt")
    assert torch.allclose(normalise(encoded["pixel_values"][None], processor), served["pixel_values"], atol=1e-6)
    assert encoded["pixel_values"].shape == (3, 64, 96)
    assert encoded["labels"].shape == (64, 96) and encoded["labels"].dtype == torch.uint8
    assert set(encoded["labels"].unique().tolist()) <= set(np.unique(doll.mask).tolist())


def test_pixel_values_are_the_processors(doll: Doll) -> None:
    """Of every value and channel, for a processor of its own mean and deviation too."""
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
def test_quick_resizing_stays_near_pillows(size: tuple[int, int], greatest: int, mean: float, doll: Doll) -> None:
    planes = resize_quickly(doll.image, *size)
    pillow = np.asarray(PILImage.fromarray(doll.image).resize(size[::-1], PILImage.Resampling.BILINEAR))
    apart = np.abs(np.stack(planes, axis=-1).astype(int) - pillow)
    assert apart.max() <= greatest and apart.mean() < mean


def test_noise_is_albumentations_noise() -> None:
    """The same spread in each channel, grain of two pixels, no shift in the mean, cut off at 0 and 255."""
    options = {"std_range": (0.05, 0.05), "per_channel": True, "noise_scale_factor": 0.5, "p": 1.0}
    grey = np.full((200, 200, 3), 128, np.uint8)
    ours, theirs = (
        A.Compose([kind(**options)], strict=True, seed=0)(image=grey)["image"] for kind in (GaussNoise, A.GaussNoise)
    )
    assert ours.std(axis=(0, 1)) == pytest.approx(theirs.std(axis=(0, 1)), abs=0.6)  # they cut decimals off
    assert ours.mean() == pytest.approx(128, abs=0.3)
    grain = [np.corrcoef(noisy[:, :-1, 0].ravel(), noisy[:, 1:, 0].ravel())[0, 1] for noisy in (ours, theirs)]
    assert grain[0] == pytest.approx(grain[1], abs=0.03) and grain[0] > 0.3
    channels = np.corrcoef(ours.reshape(-1, 3).T)
    assert abs(channels[0, 1]) < 0.05
    bright = A.Compose([GaussNoise(**options)], seed=0)(image=np.full((50, 50, 3), 254, np.uint8))["image"]
    assert bright.min() > 180 and bright.max() == 255
