"""Labels from a trained model for photos that nobody annotated: the first half of self-training.

After Noisy Student (Xie et al., 2020) and its use in segmentation: the teacher sees the clean photo, several times;
the student will see it cropped, coloured and blurred, and learns from the pixels that the teacher is sure of.
"""

import io

from datasets import Dataset
from PIL import Image
from tqdm.auto import tqdm

from clothseg.postprocess.softmax import as_logits
from clothseg.postprocess.tta import SCALES, average_probabilities
from clothseg.postprocess.upsample import sure_pixels
from clothseg.segmenter import Segmenter
from clothseg.training.data.loading import decode_photo


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
        logits = as_logits(average_probabilities(segmenter.logits, segmenter.image_size, photo, scales))
        label_map = sure_pixels(logits, (photo.height, photo.width), min_probability)
        file = io.BytesIO()
        Image.fromarray(label_map).save(file, "PNG")
        masks.append({"bytes": file.getvalue(), "path": None})
    return rows.add_column("mask", masks)
