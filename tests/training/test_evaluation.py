"""Scores at the photos' own size are those of the library's label maps."""

from pathlib import Path

import numpy as np

from clothseg import Segmenter
from clothseg.training.data import decode_row, load_splits
from clothseg.training.evaluation import confusion_matrices
from clothseg.training.metrics import confusion_matrix


def test_one_matrix_per_photo_in_order(doll_data: Path, tiny_model: Path) -> None:
    rows, segmenter = load_splits(str(doll_data), None, 0.1, 0).validation, Segmenter.from_pretrained(tiny_model)
    matrices = confusion_matrices(segmenter, rows, batch_size=2)  # chunks of 2, 2 and 1
    assert matrices.shape == (5, 18, 18)
    for matrix, row in zip(matrices, rows, strict=True):
        photo, mask = decode_row(row)
        expected = confusion_matrix(mask, segmenter(photo).label_map)
        assert matrix.sum() == mask.size
        assert np.abs(matrix - expected).sum() <= 0.001 * mask.size
