"""Data sets on disk: find the files of each split and read their rows.

Supported layouts: `train.parquet` beside `validation.parquet`; shards as the library `datasets` exports and the Hub
stores them (`data/train-00000-of-00002.parquet`, `train/0000.parquet`); and `save_to_disk`.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clothseg.errors import DataError


if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset


SPLITS = {"train": ("train", "training"), "validation": ("validation", "val", "valid", "dev"), "test": ("test",)}
"""Splits, and the names accepted for each."""

LAYOUTS = (
    "a data set on disk is a folder with train.parquet, validation.parquet or test.parquet, with shards such as "
    "data/train-00000-of-00002.parquet, written by save_to_disk, or with the folders images and masks"
)

_SHARD = re.compile(r"(?P<split>.+?)-(?P<number>\d{5})-of-(?P<count>\d{5})(-[0-9a-f]{16})?")


def split_names(found: Iterable[str]) -> dict[str, str]:
    """Map `SPLITS` to the names of a data set's splits: split -> name. Unknown names are left out.

    Raises:
        DataError: two names mean the same split.
    """
    names: dict[str, str] = {}
    for name in found:
        for split, spellings in SPLITS.items():
            if name.lower() in spellings:
                if split in names:
                    raise DataError(f"The splits {names[split]} and {name} both mean {split}: rename one of them.")
                names[split] = name
    return {split: names[split] for split in SPLITS if split in names}


def find_files(path: Path) -> dict[str, list[Path]]:
    """Return the splits of a folder or a parquet file, and their parquet files in order.

    Args:
        path: a folder; or a file, which is the split in its name, or else `train`.

    Raises:
        DataError: shards are missing.
    """
    if path.is_file():
        shard = _SHARD.fullmatch(path.stem)
        name = shard["split"] if shard else path.stem
        return {name if split_names([name]) else "train": [path]}
    named = [folder for spellings in SPLITS.values() for name in spellings if (folder := path / name).is_dir()]
    for layout in ([path], [path / "data"], named):
        files = _by_split([file for folder in layout for file in sorted(folder.glob("*.parquet"))], layout is named)
        if split_names(files):
            return files
    return _by_split(sorted({*path.glob("*.parquet"), *path.glob("data/*.parquet")}), False)


def _by_split(files: list[Path], by_folder: bool) -> dict[str, list[Path]]:
    splits: dict[str, list[Path]] = {}
    shards: dict[str, set[tuple[int, int]]] = {}
    for file in files:
        shard = _SHARD.fullmatch(file.stem)
        split = file.parent.name if by_folder else shard["split"] if shard else file.stem
        splits.setdefault(split, []).append(file)
        if shard:
            shards.setdefault(split, set()).add((int(shard["number"]), int(shard["count"])))
    for split, found in shards.items():
        missing = sorted({(number, count) for _, count in found for number in range(count)} - found)
        if missing:
            number, count = missing[0]
            raise DataError(
                f"{splits[split][0].parent}: {split}-{number:05d}-of-{count:05d}.parquet is missing"
                + (f", and {len(missing) - 1} more shards." if len(missing) > 1 else ".")
            )
    return splits


def split_names_on_disk(path: Path) -> list[str]:
    """Return the names of the splits of a folder or file, as spelled there.

    Raises:
        DataError: there are no splits, or shards are missing.
    """
    names = _saved_splits(path) or list(find_files(path))
    if not names:
        raise DataError(f"{path} contains no data set: {LAYOUTS}.")
    return names


def _saved_splits(path: Path) -> list[str]:
    """Return the splits written by `save_to_disk`; a data set without splits counts as `train`."""
    try:
        if (path / "dataset_dict.json").is_file():
            return list(json.loads((path / "dataset_dict.json").read_text(encoding="utf-8"))["splits"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(f"{path / 'dataset_dict.json'} cannot be read: {error}") from error
    return ["train"] if (path / "state.json").is_file() and (path / "dataset_info.json").is_file() else []


def read_split(path: Path, name: str, *, streaming: bool = False) -> "Dataset | IterableDataset":
    """Return the rows of a split of `split_names_on_disk`; streamed rows are read when needed.

    Raises:
        DataError: a file cannot be read.
    """
    from datasets import Dataset, load_dataset

    files: Any = []
    try:
        if saved := _saved_splits(path):
            rows = Dataset.load_from_disk(str(path / name if (path / "dataset_dict.json").is_file() else path))
            return rows.to_iterable_dataset() if streaming else rows
        files = find_files(path)[name]
        return load_dataset("parquet", data_files={"train": [*map(str, files)]}, split="train", streaming=streaming)
    except DataError:
        raise
    except Exception as error:  # datasets wraps what pyarrow raises in types of its own
        where = path if saved else ", ".join(map(str, files))
        raise DataError(f"{where}: the data set cannot be read: {error.__cause__ or error}") from error
