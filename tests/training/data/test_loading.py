"""Loading data sets: every bad row is found, named and explained."""

import io
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from doll_rows import BAD, FEATURES, dolls, write_dolls
from paper_dolls import write_parquet
from PIL import Image as PILImage

from clothseg.errors import DataError
from clothseg.training.data.inspection import inspect_rows
from clothseg.training.data.loading import load_splits


def test_bad_rows_raise_data_error_or_are_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_dolls(tmp_path)
    with pytest.raises(DataError, match=r"8 of the 14 rows .* cannot be used:") as caught:
        load_splits(str(tmp_path))
    for row_id, (_, reason) in BAD.items():
        assert f"{row_id}: " in str(caught.value) and reason.lower() in str(caught.value).lower()
    assert "--on_bad_row skip" in str(caught.value)
    splits = load_splits(str(tmp_path), None, 0.2, on_bad_row="skip")
    assert set(splits.record.skipped) == set(BAD) and "Left out 8 of 14 rows" in caplog.text
    assert {*splits.record.train, *splits.record.validation} == {f"doll-{number}" for number in range(14)} - set(BAD)
    assert list(splits.train["id"]) == splits.record.train and len(splits.record.validation) == 3
    assert (splits.pixels == inspect_rows(splits.train, "rows").pixels).all()
    assert splits.record.duplicate_groups == 0


def test_long_lists_of_bad_rows_are_shortened(tmp_path: Path) -> None:
    rows = [row | {"mask": {"bytes": b"", "path": None}} for row in dolls(13)] + dolls(3, seed=50)
    Dataset.from_list(rows, features=FEATURES).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"(?s)13 of the 16 rows.*doll-9: .*and 3 more"):
        load_splits(str(tmp_path))
    Dataset.from_list(rows[:13], features=FEATURES).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(DataError, match="None of the 13 rows"):
        load_splits(str(tmp_path), on_bad_row="skip")


def test_existing_splits_are_checked_only_on_request(tmp_path: Path) -> None:
    write_dolls(tmp_path)
    write_dolls(tmp_path, 3, part="validation", seed=100)
    assert len(load_splits(str(tmp_path)).train) == 14
    with pytest.raises(DataError, match="8 of the 17 rows"):
        load_splits(str(tmp_path), check=True)
    splits = load_splits(str(tmp_path), check=True, on_bad_row="skip")
    assert (len(splits.train), len(splits.validation)) == (6, 3) and len(splits.pixels) == 6
    rows = [row | {"mask": None} for row in dolls(2, seed=100)]
    Dataset.from_list(rows, features=FEATURES).to_parquet(tmp_path / "validation.parquet")
    with pytest.raises(DataError, match="no rows for validation"):
        load_splits(str(tmp_path), check=True, on_bad_row="skip")


def test_drawn_splits_keep_near_duplicates_together(tmp_path: Path) -> None:
    rows = dolls(12)
    copies = [row | {"id": f"copy-{row['id']}", "image": reencoded(row["image"])} for row in rows[:6]]
    Dataset.from_list(rows + copies, features=FEATURES).to_parquet(tmp_path / "train.parquet")
    for seed in range(6):
        splits = load_splits(str(tmp_path), None, 0.3, seed)
        for number in range(6):
            assert (f"doll-{number}" in splits.record.train) == (f"copy-doll-{number}" in splits.record.train)
        assert len(splits.validation) == 5
        assert (splits.record.duplicate_groups, splits.record.straddling_groups) == (6, 0)


def reencoded(stored: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    PILImage.open(io.BytesIO(stored["bytes"])).save(buffer, "JPEG", quality=90)
    return {"bytes": buffer.getvalue(), "path": None}


def test_near_duplicates_across_existing_splits_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_dolls(tmp_path, bad=False)
    held_out = [dolls(3)[2] | {"id": "other"}, *dolls(2, seed=100)]
    Dataset.from_list(held_out, features=FEATURES).to_parquet(tmp_path / "validation.parquet")
    splits = load_splits(str(tmp_path), check=True)
    assert (len(splits.train), len(splits.validation)) == (14, 3)
    assert (splits.record.duplicate_groups, splits.record.straddling_groups) == (1, 1)
    assert "1 groups of near-duplicate photos" in caplog.text and "doll-2, other" in caplog.text


def test_split_file_selects_the_rows(tmp_path: Path) -> None:
    data = tmp_path / "private" / "photos"
    data.mkdir(parents=True)
    first = load_splits(str(write_dolls(data)), None, 0.3, seed=5, on_bad_row="skip")
    file = tmp_path / "split.json"
    first.record.write(file)
    assert "private" not in file.read_text() and first.record.dataset == "photos"
    moved = data.rename(tmp_path / "moved")
    again = load_splits(str(moved), split_file=str(file))
    for part in ("train", "validation"):
        assert list(getattr(again, part)["id"]) == list(getattr(first, part)["id"])
    assert again.record.skipped == first.record.skipped and again.record.seed == 5
    checked = load_splits(str(moved), split_file=str(file), check=True)  # bad rows are not decoded again
    assert checked.record == again.record and (checked.pixels == first.pixels).all()
    write_dolls(moved, 4)
    with pytest.raises(DataError, match=r"lacks .* of the split file's rows: doll-"):
        load_splits(str(moved), split_file=str(file))


def test_existing_test_split_is_kept_and_reported(tmp_path: Path) -> None:
    write_dolls(tmp_path, 10, bad=False)
    write_dolls(tmp_path, 4, part="test", seed=100)
    splits = load_splits(str(tmp_path), None, 0.2)
    assert splits.test is not None and list(splits.test["id"]) == [f"doll-{number}" for number in range(100, 104)]
    assert (len(splits.train), len(splits.validation), splits.reported[0]) == (8, 2, "test")
    with pytest.raises(DataError, match="already has the splits train and test"):
        load_splits(str(tmp_path), protocol="first-version")
    (tmp_path / "test.parquet").unlink()
    splits = load_splits(str(tmp_path), None, 0.2)
    assert splits.test is None and splits.reported == ("validation", splits.validation)


def test_rows_without_unique_ids_are_numbered(tmp_path: Path) -> None:
    rows = [row | {"id": "same"} for row in dolls(4)]
    Dataset.from_list(rows, features=FEATURES).to_parquet(tmp_path / "train.parquet")
    rows = Dataset.from_list(dolls(2, seed=100), features=FEATURES)
    rows.remove_columns("id").to_parquet(tmp_path / "validation.parquet")
    record = load_splits(str(tmp_path)).record
    assert record.train == ["0", "1", "2", "3"] and record.validation == ["validation-0", "validation-1"]


def test_existing_splits_are_kept(doll_data: Path) -> None:
    splits = load_splits(str(doll_data), None, 0.5, 0)
    assert (len(splits.train), len(splits.validation), splits.commit) == (12, 5, None)


def test_seed_determines_held_out_rows(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", 10, height=48, width=32)
    splits = [load_splits(str(tmp_path), None, 0.3, seed) for seed in (1, 1, 2)]
    held_out = [list(split.validation["id"]) for split in splits]
    assert held_out[0] == held_out[1] != held_out[2]
    assert len(held_out[0]) == 3 and not set(held_out[0]) & set(splits[0].train["id"])


def test_missing_folders_and_columns_raise_data_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"contains no data set: .*train\.parquet"):
        load_splits(str(tmp_path), None, 0.1, 0)
    with pytest.raises(DataError, match="nowhere does not exist; a data set on disk"):
        load_splits(str(tmp_path / "nowhere"), None, 0.1, 0)
    Dataset.from_dict({"picture": [1, 2], "mask": [3, 4]}).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"no column image; it has picture, mask"):
        load_splits(str(tmp_path), None, 0.1, 0)
    Dataset.from_dict({"image": [1, 2], "mask": [3, 4]}).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(DataError, match="image and mask must be columns of pictures"):
        load_splits(str(tmp_path), None, 0.1, 0)
    (tmp_path / "train.parquet").write_text("not parquet")
    with pytest.raises(DataError, match="cannot be read"):
        load_splits(str(tmp_path), None, 0.1, 0)
