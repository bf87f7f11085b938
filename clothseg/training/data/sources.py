"""Read rows from parquet files, folders and the Hub into one form."""

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
    """Load the labelled rows of a data set, and the numbers of the rows in each of its splits.

    A split `val`, `valid` or `dev` is called `validation` here.

    Args:
        name: Hub id; or a folder or parquet file in a layout of `dataset_folder`.
        revision: branch, tag or commit, for the Hub only.
        choose: selects the splits to load from the available ones of `train`, `validation` and `test`; the others are
            not read, and may be damaged or lack columns.

    Returns:
        Undecoded rows with `id`, `image` and `mask`; ids are unique: the data set's own ids if they are, else row
        numbers. The row numbers of each loaded split. The commit, or None for local data.

    Raises:
        DataError: the folder or files are missing, or columns are.
        HubError: the Hub cannot be reached or has no such data set or revision.
    """
    names, read, commit = _opened(name, revision)
    chosen = {split: read(names[split]) for split in choose(list(names))}
    return *_joined(chosen, name), commit


def splits_of(name: str, revision: str | None) -> list[str]:
    """Return which of `train`, `validation` and `test` a data set has; arguments and errors as for `load_parts`."""
    return list(_opened(name, revision)[0])


def _opened(name: str, revision: str | None) -> tuple[dict[str, str], Callable[[str], Dataset], str | None]:
    """Return a data set's splits with their own spelling, a function that reads a split by that spelling, and the
    commit."""
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
        raise DataError(f"{name} has no known split, only {', '.join(others)}: {known}.")
    if others and "validation" not in names:
        logger.warning("%s: ignored the splits %s: %s.", name, ", ".join(others), known)
    return names, read, commit


def load_unlabelled(name: str, excluded: Collection[str] = (), option: str = "unlabelled_name") -> Dataset:
    """Load photos without masks from all rows of a parquet file or a Hub data set, undecoded, with `id` and `image`.

    Args:
        name: file or Hub id.
        excluded: ids of rows to leave out.
        option: the option that gave the name, for messages.

    Returns:
        The rows; with a list of class ids `classes` if the data has such a column of ids or names.

    Raises:
        DataError: the file or the column `image` is missing, a tag is not a class, or no rows are left.
        HubError: the Hub cannot be reached or has no such data set.
    """
    if Path(name).is_file():
        found = _from_parquet({"train": Path(name)})
    elif name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise DataError(f"{name} is not a file; --{option} takes a parquet file or a Hub id user/name.")
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
            raise DataError(f"{name} has no rows left: --exclude_file lists all of them.")
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
    """Return the class ids of a photo's tags: ids, or names in any case; `shoes`, `legs` and `arms` mean both sides.

    Args:
        tags: a list of them, or None if the photo has none.
        place: where they are in the data, for messages.

    Raises:
        DataError: a tag is not a class; the message names it.
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
                f"{place}: {str(tag)[:50]!r} in classes is not a class; give ids 0 to {NUM_CLASSES - 1} or names: "
                f"{', '.join(NAMES)}, and Shoes, Legs, Arms for both sides."
            )
        found.update(ids)
    return sorted(found - {BACKGROUND})


def read_ids(file: str) -> list[str]:
    """Return the row ids in a text file, one per line; empty lines and lines that begin with `#` are skipped.

    Raises:
        DataError: it cannot be read.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise DataError(f"--exclude_file {file} cannot be read: {reason}.") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def load_labelled(file: Path) -> Dataset:
    """Load the rows of a parquet file, undecoded, with `id`, `image` and `mask`."""
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
    """Return all rows, undecoded, with unique ids, and the row numbers of each split."""
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
    if len(set(ids)) < sum(map(len, splits.values())):  # number the rows if there are no ids or they are not unique
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
