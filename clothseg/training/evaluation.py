"""Score a model as its users will see it: label maps at the photos' own size against the truth."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from PIL import Image
from tqdm.auto import tqdm

from clothseg.labels import NUM_CLASSES
from clothseg.segmenter import Segmenter
from clothseg.training.data import decode_row
from clothseg.training.metrics import confusion_matrix


def confusion_matrices(segmenter: Segmenter, rows: Dataset, batch_size: int = 8) -> npt.NDArray[np.int64]:
    """One confusion matrix per row, truth in rows and prediction in columns, at the photo's own size.

    Args:
        rows: undecoded rows with `id`, `image` and `mask`, as `load_splits` gives them.

    Returns:
        (N, 18, 18) int64; sum over the first axis for `summarize`.

    Raises:
        DataError: a row does not decode.
    """
    truths: list[npt.NDArray[np.uint8]] = []

    def photos() -> Iterator[Any]:
        for row in rows:
            photo, mask = decode_row(row)
            truths.append(mask)
            yield Image.fromarray(photo)

    matrices = np.zeros((len(rows), NUM_CLASSES, NUM_CLASSES), np.int64)
    results = segmenter.iter_batch(photos(), batch_size)
    for index, result in enumerate(tqdm(results, total=len(rows), desc="Evaluating", unit=" photos", leave=False)):
        matrices[index] = confusion_matrix(truths[0], result.label_map)
        del truths[0]  # a chunk of photos is read ahead of its results, never the whole set
    return matrices
