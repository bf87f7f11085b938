"""Data sets on disk: find the files of each split and read their rows.

Supported layouts: `train.parquet` beside `validation.parquet`; shards as the library `datasets` exports and the Hub
stores them (`data/train-00000-of-00002.parquet`, `train/0000.parquet`); and `save_to_disk`.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from clothseg.errors import DataError
from clothseg.images.remote import Remote


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
        return {_split_of_file(path.stem): [path]}
    patterns = ("*.parquet", *(f"{folder}/*.parquet" for folder in ("data", *_SPLIT_FOLDERS)))
    files = [PurePosixPath(file.relative_to(path)) for pattern in patterns for file in path.glob(pattern)]
    return {split: [path / file for file in found] for split, found in arranged(files, path).items()}


def find_remote_files(remote: Remote) -> dict[str, list[str]]:
    """Return the splits of a remote folder or parquet file, and the addresses of their parquet files in order.

    Raises:
        DataError: there are no splits, or shards are missing.
        ConfigError: the storage does not answer, or has no such folder.
    """
    if remote.is_file():
        return {_split_of_file(PurePosixPath(remote.name).stem): [remote.address("")]}
    files = [file for file in map(PurePosixPath, remote.files()) if file.suffix == ".parquet" and len(file.parts) < 3]
    found = arranged(files, remote)
    if not found:
        raise DataError(f"{remote} contains no data set: {LAYOUTS.rpartition(', or ')[0]}.")
    return {split: [remote.address(str(file)) for file in files] for split, files in found.items()}


def arranged(files: Iterable[PurePosixPath], where: object) -> dict[str, list[PurePosixPath]]:
    """Return the splits of a data set's parquet files, given by their paths in its folder, and each split's files in
    order.

    Raises:
        DataError: shards are missing.
    """
    ordered = sorted(files)
    top = [file for file in ordered if len(file.parts) == 1]
    data = [file for file in ordered if file.parts[:-1] == ("data",)]
    named = [file for file in ordered if len(file.parts) == 2 and file.parts[0] in _SPLIT_FOLDERS]
    for layout in (top, data, named):
        splits = _by_split(layout, where, layout is named)
        if split_names(splits):
            return splits
    return _by_split(sorted({*top, *data}), where, False)


_SPLIT_FOLDERS = tuple(name for spellings in SPLITS.values() for name in spellings)


def _split_of_file(stem: str) -> str:
    shard = _SHARD.fullmatch(stem)
    name = shard["split"] if shard else stem
    return name if split_names([name]) else "train"


def _by_split(files: list[PurePosixPath], where: object, by_folder: bool) -> dict[str, list[PurePosixPath]]:
    splits: dict[str, list[PurePosixPath]] = {}
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
                f"{_folder(where, splits[split][0])}: {split}-{number:05d}-of-{count:05d}.parquet is missing"
                + (f", and {len(missing) - 1} more shards." if len(missing) > 1 else ".")
            )
    return splits


def _folder(where: object, file: PurePosixPath) -> str:
    return f"{where}/{file.parent}".removesuffix("/.")


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
    from datasets import Dataset

    files: Any = []
    try:
        if saved := _saved_splits(path):
            rows = Dataset.load_from_disk(str(path / name if (path / "dataset_dict.json").is_file() else path))
            return rows.to_iterable_dataset() if streaming else rows
        files = find_files(path)[name]
        return _load_parquet([*map(str, files)], streaming)
    except DataError:
        raise
    except Exception as error:  # datasets wraps what pyarrow raises in types of its own
        where = path if saved else ", ".join(map(str, files))
        raise DataError(f"{where}: the data set cannot be read: {error.__cause__ or error}") from error


def read_remote_split(addresses: list[str]) -> "IterableDataset":
    """Return the rows of the files of one split of `find_remote_files`, streamed.

    Raises:
        DataError: a file cannot be read.
    """
    try:
        rows: Any = _load_parquet(addresses, streaming=True)
        return rows
    except Exception as error:  # datasets wraps what pyarrow and the storage's client raise in types of its own
        raise DataError(f"{', '.join(addresses)}: the data set cannot be read: {error.__cause__ or error}") from error


def _load_parquet(files: list[str], streaming: bool) -> "Dataset | IterableDataset":
    from datasets import load_dataset

    return load_dataset("parquet", data_files={"train": files}, split="train", streaming=streaming)
