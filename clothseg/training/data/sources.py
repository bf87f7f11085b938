"""Where rows come from: parquet files and the Hub, brought into one form."""

import logging
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from datasets import Dataset, DatasetDict, Image, List, Value, concatenate_datasets, load_dataset
from huggingface_hub import HfApi

from clothseg.errors import DataError, HubError
from clothseg.images.dataset_folder import LAYOUTS, read_split, split_names, split_names_on_disk
from clothseg.labels import BACKGROUND, NAMES, NUM_CLASSES, SIDE_PAIRS
from clothseg.models.hub_errors import explain


logger = logging.getLogger(__name__)

_TAGS: dict[str, tuple[int, ...]] = {name.casefold(): (index,) for index, name in enumerate(NAMES)} | {
    NAMES[left].casefold().removeprefix("left-") + "s": (left, right) for left, right in SIDE_PAIRS
}


def load_parts(
    name: str, revision: str | None, choose: Callable[[list[str]], list[str]] = list
) -> tuple[Dataset, dict[str, npt.NDArray[np.int64]], str | None]:
    """Labelled rows of a data set, and which of its splits they belong to.

    Splits may be called `val`, `valid` or `dev` as well; here they are `validation`.

    Args:
        name: Hub id; or a folder or parquet file, in a layout that `dataset_folder` knows.
        revision: branch, tag or commit, for the Hub only.
        choose: picks the splits to load from those of `train`, `validation` and `test` that there are; the others
            need neither the columns nor be whole.

    Returns:
        Undecoded rows with `id`, `image` and `mask`, no id twice: the data set's own ids where it has such, else row
        numbers. Numbers of the rows of each split chosen. The commit, None for what is on disk.

    Raises:
        DataError: no such folder or files, or columns missing.
        HubError: the Hub cannot be reached or has no such data set or revision.
    """
    names, read, commit = _opened(name, revision)
    chosen = {split: read(names[split]) for split in choose(list(names))}
    return *_joined(chosen, name), commit


def splits_of(name: str, revision: str | None) -> list[str]:
    """Which of `train`, `validation` and `test` a data set has; arguments and errors as of `load_parts`."""
    return list(_opened(name, revision)[0])


def _opened(name: str, revision: str | None) -> tuple[dict[str, str], Callable[[str], Dataset], str | None]:
    """A data set's splits and how they are spelled there, what reads one of that spelling, and the commit."""
    path, commit = Path(name), None
    read: Callable[[str], Dataset]
    if path.exists():
        spelled, read = split_names_on_disk(path), partial(_on_disk, path)
    elif name.count("/") > 1 or name.startswith((".", "/", "~")):
        raise DataError(f"{name} does not exist; {LAYOUTS}. A data set on the Hub is named user/name.")
    else:
        on_hub, commit = _from_hub(name, revision)
        spelled, read = list(on_hub), on_hub.__getitem__
    names = split_names(spelled)
    others = [split for split in spelled if split not in names.values()]
    known = "splits are called train, validation (or val, valid, dev) and test"
    if not names:
        raise DataError(f"{name} has no split that we know, only {', '.join(others)}: {known}.")
    if others and "validation" not in names:
        logger.warning("%s: left aside %s: %s.", name, ", ".join(others), known)
    return names, read, commit


def load_unlabelled(name: str, excluded: Collection[str] = (), option: str = "unlabelled_name") -> Dataset:
    """Photos without masks, undecoded, with `id` and `image`: all rows of a parquet file or of a Hub data set.

    Args:
        name: file or Hub id.
        excluded: ids of rows to leave out.
        option: that gave the name, for messages.

    Returns:
        The rows; with `classes`, a list of class ids each, where the data has such a column of ids or names.

    Raises:
        DataError: no such file, no column `image`, tags that are no classes, or no rows left.
        HubError: the Hub cannot be reached or has no such data set.
    """
    if Path(name).is_file():
        found = _from_parquet({"train": Path(name)})
    elif name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise DataError(f"{name} is no file; --{option} takes a parquet file or a Hub id user/name.")
    else:
        found, _ = _from_hub(name, None)
    rows = concatenate_datasets(list(found.values()))
    if "image" not in rows.column_names:
        raise DataError(f"{name} has no column image; it has {', '.join(rows.column_names)}.")
    if "id" not in rows.column_names:
        rows = rows.add_column("id", [f"unlabelled-{number}" for number in range(len(rows))])
    if excluded:
        left_out = set(excluded)
        rows = rows.select([number for number, row_id in enumerate(rows["id"]) if str(row_id) not in left_out])
        if not len(rows):
            raise DataError(f"{name} has no rows but those that --exclude_file lists.")
    rows = rows.cast_column("image", Image(decode=False))
    if "classes" not in rows.column_names:
        return rows.select_columns(["id", "image"])
    tags = [
        tag_ids(row_tags, f"{name}, row {row_id}")
        for row_id, row_tags in zip(rows["id"], rows["classes"], strict=True)
    ]
    rows = rows.select_columns(["id", "image"])
    return rows.add_column("classes", tags, feature=List(Value("uint8")))


def tag_ids(tags: object, place: str) -> list[int]:
    """Class ids of a photo's tags: ids, or names in any case; `shoes`, `legs` and `arms` stand for both sides.

    Args:
        tags: a list of them, or None where a photo has none.
        place: where they stand, for messages.

    Raises:
        DataError: a tag is no class; the message names it.
    """
    if tags is None:
        return []
    if not isinstance(tags, list):
        raise DataError(f"{place}: classes must be a list of class ids or names, not {str(tags)[:50]!r}.")
    found: set[int] = set()
    for tag in tags:
        ids = _TAGS.get(tag.strip().casefold(), ()) if isinstance(tag, str) else (tag,)
        if not ids or not all(isinstance(index, int) and 0 <= index < NUM_CLASSES for index in ids):
            raise DataError(
                f"{place}: {str(tag)[:50]!r} in classes is no class; give ids 0 to {NUM_CLASSES - 1} or names: "
                f"{', '.join(NAMES)}, and Shoes, Legs, Arms for both sides."
            )
        found.update(ids)
    return sorted(found - {BACKGROUND})


def read_ids(file: str) -> list[str]:
    """Row ids of a text file, one a line; empty lines and lines that begin with `#` are skipped.

    Raises:
        DataError: it cannot be read.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text file"
        raise DataError(f"--exclude_file {file} cannot be read: {reason}.") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def load_labelled(file: Path) -> Dataset:
    """Rows of `id`, `image` and `mask` of a parquet file, undecoded."""
    return _undecoded(_from_parquet({"train": file})["train"].select_columns(["id", "image", "mask"]), str(file))


def _on_disk(path: Path, split: str) -> Dataset:
    rows = read_split(path, split)
    assert isinstance(rows, Dataset)
    return rows


def _from_parquet(files: dict[str, Path]) -> DatasetDict:
    try:
        return load_dataset("parquet", data_files={key: str(file) for key, file in files.items()})
    except Exception as error:  # datasets wraps what pyarrow raises in types of its own
        names = ", ".join(map(str, files.values()))
        raise DataError(f"{names}: the parquet file cannot be read: {error.__cause__ or error}") from error


def _from_hub(name: str, revision: str | None) -> tuple[DatasetDict, str | None]:
    try:
        commit = HfApi().dataset_info(name, revision=revision).sha
        return load_dataset(name, revision=commit), commit
    except Exception as error:  # the Hub's client and datasets raise all sorts
        raise HubError(str(explain(error, name, revision, kind="data set"))) from error


def _joined(splits: dict[str, Dataset], name: str) -> tuple[Dataset, dict[str, npt.NDArray[np.int64]]]:
    """All rows with ids that differ, undecoded, and the row numbers of each split."""
    for part, rows in splits.items():
        missing = {"image", "mask"} - set(rows.column_names)
        if missing:
            raise DataError(
                f"{name}, split {part}: no column {' and '.join(sorted(missing))}; it has "
                f"{', '.join(rows.column_names)}. Rename its columns: image (the photo) and mask (class ids 0 to 17)."
            )
    ids: list[str] = []
    if all("id" in rows.column_names for rows in splits.values()):
        ids = [str(row_id) for rows in splits.values() for row_id in rows["id"]]
    if len(set(ids)) < sum(map(len, splits.values())):  # no ids, or the same several times: number the rows
        ids = [
            str(number) if part == "train" else f"{part}-{number}"
            for part, rows in splits.items()
            for number in range(len(rows))
        ]
    ends = np.cumsum([0, *map(len, splits.values())])
    parts = {part: np.arange(ends[index], ends[index + 1]) for index, part in enumerate(splits)}
    rows = concatenate_datasets([_undecoded(rows.select_columns(["image", "mask"]), name) for rows in splits.values()])
    return rows.add_column("id", ids), parts


def _undecoded(rows: Dataset, name: str) -> Dataset:
    try:
        for column in ("image", "mask"):
            rows = rows.cast_column(column, Image(decode=False))
    except Exception as error:  # pyarrow and datasets raise several sorts
        raise DataError(f"{name}: image and mask must be columns of pictures ({error}).") from error
    return rows
