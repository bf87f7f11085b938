"""Inspection decodes every row once and finds all bad rows."""

from pathlib import Path

import numpy as np
from datasets import Dataset, Image
from doll_rows import BAD, FEATURES, dolls, png, write_dolls
from paper_dolls import draw
from PIL import Image as PILImage

from clothseg.training.data.inspection import inspect_rows
from clothseg.training.data.loading import load_splits


def test_inspection_finds_pixels_hashes_and_all_bad_rows(tmp_path: Path) -> None:
    rows = load_splits(str(write_dolls(tmp_path)), on_bad_row="skip").train
    good = inspect_rows(rows, "rows")
    assert not good.problems and (good.pixels.sum(axis=1) == 48 * 32).all() and good.hashes.any(axis=(1, 2)).all()
    mixed = [row | BAD[row["id"]][0] if row["id"] in BAD else row for row in dolls(14)]
    mixed[0]["mask"] = png(PILImage.fromarray(np.repeat(np.uint8([[0], [255], [17]]), [16, 16, 16], 0).repeat(32, 1)))
    found = inspect_rows(Dataset.from_list(mixed, features=FEATURES), "rows")
    assert {f"doll-{number}" for number in found.problems} == set(BAD)
    for number, problem in found.problems.items():
        assert BAD[f"doll-{number}"][1].lower() in problem.lower()
        assert not found.pixels[number].any() and not found.hashes[number].any()
    assert found.pixels[0, [0, 17]].tolist() == [16 * 32, 16 * 32] and found.pixels[0].sum() == 32 * 32
    assert (found.pixels[2] == np.bincount(draw(2, 48, 32).mask.ravel(), minlength=18)).all()


def test_real_samples_have_no_problems(shared_data: Path) -> None:
    from datasets import load_dataset

    files = {"train": str(shared_data / "sample_train.parquet")}
    rows = load_dataset("parquet", data_files=files, split="train")
    rows = rows.cast_column("image", Image(decode=False)).cast_column("mask", Image(decode=False))
    assert len(rows) == 16 and not inspect_rows(rows, "samples").problems
