"""Test-time augmentation (TTA): probabilities averaged over a photo, its mirror image and larger input sizes."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.labels import ATR, LabelSet
from clothseg.postprocess.softmax import softmax


SCALES = (1.0, 1.25)
"""Input sizes, relative to the network's own."""

Logits = Callable[[list[Image.Image], tuple[int, int]], npt.NDArray[np.float32]]
"""Computes logits (N, classes, h, w) from RGB photos and a size (h, w), like `Segmenter.logits`."""


def average_probabilities(
    logits: Logits,
    image_size: tuple[int, int],
    photo: Image.Image,
    scales: tuple[float, ...] = SCALES,
    labels: LabelSet = ATR,
) -> npt.NDArray[np.float32]:
    """Average class probabilities over several input sizes, each with the photo and its mirror image.

    Left and right are swapped in the result for the mirror image.

    Args:
        logits: the network.
        image_size: (h, w) of its input.
        photo: RGB.
        scales: factors of `image_size`; sizes are rounded to multiples of 32. With 1 alone, the size is `image_size`.
        labels: the classes.

    Returns:
        (classes, h, w) float32, of the size of the logits for the largest input; sums to 1 over the classes.
    """
    sizes = [image_size]
    if scales != (1.0,):
        rows, columns = ([max(32, round(side * scale / 32) * 32) for scale in scales] for side in image_size)
        sizes = list(zip(rows, columns, strict=True))
    mirrored, means = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), []
    for size in sizes:
        plain, flipped = map(softmax, logits([photo, mirrored], size))
        means.append((plain + flipped[labels.swap_table[: len(labels)], :, ::-1]) / 2)
    height, width = max(mean.shape[1:] for mean in means)
    total = np.zeros((len(labels), height, width), np.float32)
    for mean in means:
        for plane, other in zip(total, mean, strict=True):
            plane += cv2.resize(other, (width, height), interpolation=cv2.INTER_LINEAR)
    return total / np.float32(len(sizes))
