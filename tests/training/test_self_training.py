"""Pseudo-labelled photos include no near-duplicate of a held-out photo."""

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from paper_dolls import write_parquet

from clothseg.errors import DataError
from clothseg.training.arguments import parse_arguments
from clothseg.training.data.loading import load_splits
from clothseg.training.self_training import label_files, labellings, taught_rows


def test_near_duplicates_of_held_out_photos_are_skipped(
    doll_data: Path, tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_parquet(tmp_path / "new.parquet", 2, seed=200, height=128, width=96)
    new, held_out = (pq.read_table(file) for file in (tmp_path / "new.parquet", doll_data / "validation.parquet"))
    pq.write_table(pa.concat_tables([new, held_out.slice(1, 2)]), tmp_path / "photos.parquet")
    common = ["--teacher_model_name_or_path", str(tiny_model), "--teacher_scales", "1", "--use_cpu", "true"]
    parsing, _ = parse_arguments(["--unlabelled_name", str(tmp_path / "photos.parquet"), *common])
    for labelling in labellings(parsing, tmp_path):
        labelling.write()
    assert list(label_files(parsing, tmp_path)) == ["unlabelled_name"]
    splits = load_splits(str(doll_data), None, 0.1, 0)
    with caplog.at_level(logging.WARNING):
        rows, pixels = taught_rows(parsing, tmp_path, splits)
    assert rows["id"][:] == new["id"].to_pylist() and pixels.shape == (2, 18)
    assert (
        f"Left out 2 photos for the teacher that are near-duplicates of held-out ones: {splits.validation[1]['id']}"
        in caplog.text
    )

    pq.write_table(held_out, tmp_path / "photos.parquet")
    for labelling in labellings(parsing, tmp_path):
        labelling.write()
    with pytest.raises(DataError, match="All photos for the teacher are near-duplicates of held-out rows"):
        taught_rows(parsing, tmp_path, splits)
