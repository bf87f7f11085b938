"""Labels from a trained model for photos that nobody annotated: the first half of self-training.

After Noisy Student (Xie et al., 2020) and its use in segmentation: the teacher sees the clean photo, several times;
the student will see it cropped, coloured and blurred, and learns from the pixels that the teacher is sure of.
"""

import io

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset
from PIL import Image
from torch.nn.functional import interpolate
from tqdm.auto import tqdm

from clothseg.labels import NUM_CLASSES, SWAP_SIDES
from clothseg.segmenter import Segmenter
from clothseg.training.data import decode_photo
from clothseg.upsample import sure_pixels


SCALES = (1.0, 1.25)
"""Sizes in which a teacher looks at a photo, relative to its own input size."""


def averaged_probabilities(
    segmenter: Segmenter, photo: Image.Image, scales: tuple[float, ...] = SCALES
) -> npt.NDArray[np.float32]:
    """Class probabilities averaged over several input sizes, each with the photo as it is and mirrored.

    Args:
        photo: RGB.
        scales: factors of the segmenter's `image_size`; sizes are rounded to multiples of 32.

    Returns:
        (18, h / 4, w / 4) float32 for the largest size (h, w); sums to 1 over the classes.
    """
    sizes = [[max(32, round(side * scale / 32) * 32) for side in segmenter.image_size] for scale in scales]
    height, width = max(sizes)
    total = torch.zeros(NUM_CLASSES, height // 4, width // 4)
    mirrored = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for rows, columns in sizes:
        plain, flipped = torch.from_numpy(segmenter.logits([photo, mirrored], (rows, columns))).softmax(dim=1)
        mean = (plain + flipped[SWAP_SIDES.tolist()[:NUM_CLASSES]].flip(-1)) / 2
        total += interpolate(mean[None], total.shape[1:], mode="bilinear", align_corners=False)[0]
    return (total / len(sizes)).numpy()


def label_rows(
    segmenter: Segmenter, rows: Dataset, min_probability: float = 0.6, scales: tuple[float, ...] = SCALES
) -> Dataset:
    """Give photos the teacher's label maps; pixels below `min_probability` are 255 and take no part in training.

    Args:
        segmenter: the teacher.
        rows: undecoded rows with `id` and `image`.

    Returns:
        The rows with `mask`, a PNG of class ids at the photo's own size, undecoded.

    Raises:
        DataError: a photo does not decode; the message names the row.
    """
    masks = []
    for row in tqdm(rows, desc="The teacher labels", unit=" photos", leave=False):
        photo = decode_photo(row["image"], row["id"])
        # log: strips interpolate logits
        logits = np.log(np.maximum(averaged_probabilities(segmenter, photo, scales), 1e-6))
        label_map = sure_pixels(logits, (photo.height, photo.width), min_probability)
        file = io.BytesIO()
        Image.fromarray(label_map).save(file, "PNG")
        masks.append({"bytes": file.getvalue(), "path": None})
    return rows.add_column("mask", masks)
