"""Test-time augmentation (TTA): probabilities averaged over a photo, its mirror image and larger input sizes."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.labels import NUM_CLASSES, SWAP_SIDES
from clothseg.postprocess.softmax import softmax


SCALES = (1.0, 1.25)
"""Input sizes, relative to the network's own."""

Logits = Callable[[list[Image.Image], tuple[int, int]], npt.NDArray[np.float32]]
"""Computes (N, 18, h / 4, w / 4) from RGB photos and a size (h, w), like `Segmenter.logits`."""


def average_probabilities(
    logits: Logits, image_size: tuple[int, int], photo: Image.Image, scales: tuple[float, ...] = SCALES
) -> npt.NDArray[np.float32]:
    """Average class probabilities over several input sizes, each with the photo and its mirror image.

    Left and right are swapped in the result for the mirror image.

    Args:
        logits: the network.
        image_size: (h, w) of its input.
        photo: RGB.
        scales: factors of `image_size`; sizes are rounded to multiples of 32.

    Returns:
        (18, h / 4, w / 4) float32 for the largest size (h, w); sums to 1 over the classes.
    """
    sizes = [[max(32, round(side * scale / 32) * 32) for side in image_size] for scale in scales]
    height, width = (side // 4 for side in max(sizes))
    total = np.zeros((NUM_CLASSES, height, width), np.float32)
    mirrored = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for rows, columns in sizes:
        plain, flipped = map(softmax, logits([photo, mirrored], (rows, columns)))
        mean = (plain + flipped[SWAP_SIDES[:NUM_CLASSES], :, ::-1]) / 2
        for plane, other in zip(total, mean, strict=True):
            plane += cv2.resize(other, (width, height), interpolation=cv2.INTER_LINEAR)
    return total / np.float32(len(sizes))
