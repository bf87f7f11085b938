"""Folders of parquet files: common layouts are read, and missing files are named."""

from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from clothseg.errors import DataError
from clothseg.images.dataset_folder import find_files, read_split, split_names, split_names_on_disk


def write(path: Path, *numbers: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Dataset.from_dict({"number": numbers}).to_parquet(path)


LAYOUTS: dict[str, dict[str, tuple[int, ...]]] = {
    "files": {"train.parquet": (1, 2), "valid.parquet": (3,), "train_native.parquet": (9,)},
    "exported": {
        "data/train-00001-of-00002.parquet": (2,),
        "data/train-00000-of-00002.parquet": (1,),
        "data/valid-00000-of-00001.parquet": (3,),
    },
    "shards in the folder": {
        "train-00000-of-00002.parquet": (1,),
        "train-00001-of-00002.parquet": (2,),
        "valid-00000-of-00001-0123456789abcdef.parquet": (3,),
    },
    "folders": {"train/0000.parquet": (1,), "train/0001.parquet": (2,), "valid/0000.parquet": (3,)},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_are_read_in_order(layout: str, tmp_path: Path) -> None:
    for name, numbers in LAYOUTS[layout].items():
        write(tmp_path / name, *numbers)
    assert split_names(split_names_on_disk(tmp_path)) == {"train": "train", "validation": "valid"}
    assert list(read_split(tmp_path, "train")["number"]) == [1, 2]
    assert [row["number"] for row in read_split(tmp_path, "valid", streaming=True)] == [3]


def test_save_to_disk_folders_are_read(tmp_path: Path) -> None:
    rows = Dataset.from_dict({"number": [1, 2]})
    rows.save_to_disk(tmp_path / "one")
    DatasetDict({"dev": rows, "train": rows.select([1])}).save_to_disk(tmp_path / "many")
    assert split_names_on_disk(tmp_path / "one") == ["train"]
    assert split_names(split_names_on_disk(tmp_path / "many")) == {"train": "train", "validation": "dev"}
    assert list(read_split(tmp_path / "one", "train")["number"]) == [1, 2]
    assert [row["number"] for row in read_split(tmp_path / "many", "train", streaming=True)] == [2]


def test_file_name_determines_the_split(tmp_path: Path) -> None:
    for name, split in {"val.parquet": "val", "mine.parquet": "train", "test-00000-of-00003.parquet": "test"}.items():
        write(tmp_path / name, 1)
        assert find_files(tmp_path / name) == {split: [tmp_path / name]}


@pytest.mark.parametrize("spelling", ["validation", "val", "valid", "dev", "Val"])
def test_validation_split_has_several_names_but_only_one_at_a_time(spelling: str) -> None:
    assert split_names(["train", spelling, "extra"]) == {"train": "train", "validation": spelling}
    with pytest.raises(DataError, match=f"{spelling} and valid.* both mean validation|both mean"):
        split_names([spelling, "valid" if spelling != "valid" else "dev"])


def test_missing_shards_and_files_are_named(tmp_path: Path) -> None:
    write(tmp_path / "data" / "train-00001-of-00003.parquet", 1)
    with pytest.raises(DataError, match=r"train-00000-of-00003\.parquet is missing, and 1 more"):
        split_names_on_disk(tmp_path)
    with pytest.raises(DataError, match=r"contains no data set: a data set on disk is a folder with train\.parquet"):
        split_names_on_disk(tmp_path / "data" / "nowhere")
    (tmp_path / "train.parquet").write_text("not parquet")
    with pytest.raises(DataError, match=r"train\.parquet: the data set cannot be read"):
        read_split(tmp_path, "train")
    (tmp_path / "dataset_dict.json").write_text("{")
    with pytest.raises(DataError, match=r"dataset_dict\.json cannot be read"):
        split_names_on_disk(tmp_path)


def test_splits_with_other_names_are_the_fallback(tmp_path: Path) -> None:
    write(tmp_path / "photos.parquet", 1)
    write(tmp_path / "data" / "more-00000-of-00001.parquet", 2)
    assert sorted(split_names_on_disk(tmp_path)) == ["more", "photos"]
