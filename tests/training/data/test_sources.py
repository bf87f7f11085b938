"""Splits are found by any common name and layout, and only the needed ones are loaded."""

import json
from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, List
from paper_dolls import write_parquet

from clothseg.errors import DataError
from clothseg.labels import ATR, LABELS_FILE
from clothseg.training.data.loading import load_split, load_splits
from clothseg.training.data.sources import Layout, classes_of, load_parts, splits_of


def dolls(path: Path, count: int, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(path, count, seed=seed, height=48, width=32)


@pytest.mark.parametrize("name", ["validation", "val", "valid", "dev"])
def test_validation_split_is_found_by_any_common_name(name: str, tmp_path: Path) -> None:
    dolls(tmp_path / "train.parquet", 4)
    dolls(tmp_path / f"{name}.parquet", 2, seed=50)
    splits = load_splits(str(tmp_path), check=True)
    assert (len(splits.train), len(splits.validation), splits.record.protocol) == (4, 2, "own")


def test_shards_form_one_split(tmp_path: Path) -> None:
    for number in range(2):
        dolls(tmp_path / "data" / f"train-0000{number}-of-00002.parquet", 3, seed=3 * number)
    dolls(tmp_path / "data" / "test-00000-of-00001.parquet", 2, seed=50)
    splits = load_splits(str(tmp_path), None, 0.3)
    assert sorted([*splits.record.train, *splits.record.validation]) == [f"doll-{n:06d}" for n in range(6)]
    assert splits.record.test == ["doll-000050", "doll-000051"]


def test_scoring_loads_only_the_scored_split(tmp_path: Path) -> None:
    dolls(tmp_path / "test.parquet", 2)
    assert load_split(str(tmp_path))[0] == "test"
    dolls(tmp_path / "val.parquet", 3)
    Dataset.from_dict({"number": [1]}).to_parquet(tmp_path / "train.parquet")  # no columns of ours
    assert splits_of(str(tmp_path), None) == ["train", "validation", "test"]
    split, rows, commit, _ = load_split(str(tmp_path))
    assert (split, len(rows), commit) == ("validation", 3, None)
    assert len(load_split(str(tmp_path), None, "test")[1]) == 2
    assert load_split(str(tmp_path / "val.parquet"))[0] == "validation"
    with pytest.raises(DataError, match="no column image and mask"):
        load_parts(str(tmp_path), None)
    (tmp_path / "val.parquet").unlink()
    with pytest.raises(DataError, match="has no split validation, only train and test"):
        load_split(str(tmp_path), None, "validation")


def test_ignored_splits_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dolls(tmp_path / "train.parquet", 4)
    dolls(tmp_path / "holdout.parquet", 2)
    load_parts(str(tmp_path), None)
    assert (
        "ignored the splits holdout: splits are called train, validation (or val, valid, dev) and test" in caplog.text
    )
    (tmp_path / "train.parquet").unlink()
    with pytest.raises(DataError, match="has no known split, only holdout"):
        load_parts(str(tmp_path), None)


def test_missing_or_empty_train_split_raises_data_error(tmp_path: Path) -> None:
    dolls(tmp_path / "test.parquet", 2)
    with pytest.raises(DataError, match="has no split train, only test"):
        load_splits(str(tmp_path), check=True)
    dolls(tmp_path / "val.parquet", 2)
    with pytest.raises(DataError, match="no rows for train"):
        load_splits(str(tmp_path), check=True)
    assert len(load_splits(str(tmp_path)).validation) == 2


def test_few_held_out_rows_give_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dolls(tmp_path / "train.parquet", 10)
    load_splits(str(tmp_path), None, 0.3)
    assert "Only 3 rows to score on" in caplog.text
    caplog.clear()
    dolls(tmp_path / "validation.parquet", 50, seed=100)
    load_splits(str(tmp_path), check=True)
    assert not caplog.text


def test_layout_names_columns_and_features_name_classes(tmp_path: Path) -> None:
    dolls(tmp_path / "dolls.parquet", 2)
    rows = Dataset.from_parquet(str(tmp_path / "dolls.parquet")).rename_columns(
        {"image": "pixel_values", "mask": "label"}
    )
    names = [f"class {index}" for index in range(18)]
    shown = List(ClassLabel(names=["background", *names[1:]]))
    rows = rows.add_column("shown", [[1], [2]], feature=shown)
    (tmp_path / "dolls.parquet").unlink()
    rows.to_parquet(tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"no column image and mask; it has .* with --image_column and --mask_column"):
        load_parts(str(tmp_path), None)
    layout = Layout("pixel_values", "label")
    found = load_parts(str(tmp_path), None, layout=layout)
    assert found.rows.column_names == ["image", "mask", "id"] and found.classes.labels.names[:2] == (
        "background",
        "class 1",
    )
    (tmp_path / LABELS_FILE).write_text(json.dumps(list(ATR.names)))  # the file has precedence
    assert classes_of(str(tmp_path), None, layout).labels == ATR
