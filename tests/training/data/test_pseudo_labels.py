"""A teacher's labels: mirrored photos give mirrored labels, unsure pixels are left out."""

from pathlib import Path

import pytest
from datasets import Dataset

from clothseg import Segmenter
from clothseg.errors import DataError
from clothseg.training.data.loading import decode_mask, load_splits
from clothseg.training.data.pseudo_labels import label_rows
from clothseg.training.data.sources import load_unlabelled


@pytest.fixture(scope="module")
def teacher(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(str(tiny_model), device="cpu")


def test_rows_get_masks_and_unsure_pixels_are_left_out(teacher: Segmenter, doll_data: Path) -> None:
    rows = load_splits(str(doll_data), None, 0.1, 0).train.select(range(2)).select_columns(["id", "image"])
    sure = label_rows(teacher, rows, 0.0)
    unsure = label_rows(teacher, rows, 0.6)
    for everything, some in zip(sure, unsure, strict=True):
        full, part = decode_mask(everything["mask"], "x"), decode_mask(some["mask"], "x")
        assert full.shape == (128, 96) and full.max() < 18
        left_out = part == 255
        assert 0 < left_out.mean() < 1 and (part[~left_out] == full[~left_out]).all()


def test_unlabelled_photos_come_from_any_parquet_file(doll_data: Path, tmp_path: Path) -> None:
    assert len(load_unlabelled(str(doll_data / "train.parquet"))) == 12
    with pytest.raises(DataError, match="takes a parquet file or a Hub id"):
        load_unlabelled(str(tmp_path / "nowhere.parquet"))
    Dataset.from_dict({"picture": [1]}).to_parquet(tmp_path / "odd.parquet")
    with pytest.raises(DataError, match="no column image; it has picture"):
        load_unlabelled(str(tmp_path / "odd.parquet"))


def test_a_photo_that_does_not_decode_is_named(teacher: Segmenter) -> None:
    rows = Dataset.from_list([{"id": "odd", "image": {"bytes": b"text", "path": None}}])
    with pytest.raises(DataError, match="Row odd: "):
        label_rows(teacher, rows)
