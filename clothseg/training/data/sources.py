"""Read rows from parquet files, folders and the Hub into one form."""

import json
import logging
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from datasets import ClassLabel, Dataset, DatasetDict, Image, List, Value, concatenate_datasets, load_dataset
from huggingface_hub import HfApi, snapshot_download

from clothseg.errors import DataError, HubError
from clothseg.images.dataset_folder import LAYOUTS, read_split, split_names, split_names_on_disk
from clothseg.labels import LABELS_FILE, LabelSet, read_labels
from clothseg.models.hub_errors import explain
from clothseg.training.data.image_folders import image_folders, pattern_of_folders
from clothseg.training.data.mask_classes import ATR_MASKS, MaskClasses, mask_classes
from clothseg.training.data.tags import tag_ids


logger = logging.getLogger(__name__)

ID2LABEL_FILE = "id2label.json"
"""File with the names of the classes in many data sets on the Hub."""


class Layout(NamedTuple):
    """Where a data set keeps photos, masks and the names of the classes.

    Attributes:
        image_column: column, or folder, of the photos.
        mask_column: column, or folder, of the masks.
        config: name of the data set's configuration on the Hub, or of a folder within a folder.
        labels: title or file of a label set, for `mask_classes`.
        label_map: file, for `mask_classes`.
    """

    image_column: str = "image"
    mask_column: str = "mask"
    config: str | None = None
    labels: str | None = None
    label_map: str | None = None


PLAIN = Layout()
"""Columns `image` and `mask`, and the classes that the data set states, else ATR's."""


class Parts(NamedTuple):
    """Labelled rows of a data set.

    Attributes:
        rows: undecoded, with `id`, `image` and `mask`, no id twice: the data set's own ids where it has such, else row
            numbers.
        parts: numbers of the rows of each split.
        commit: of the Hub, None for what is on disk.
        classes: the classes of the masks.
    """

    rows: Dataset
    parts: dict[str, npt.NDArray[np.int64]]
    commit: str | None
    classes: MaskClasses


def load_parts(
    name: str,
    revision: str | None,
    choose: Callable[[list[str]], list[str]] = list,
    layout: Layout = PLAIN,
) -> Parts:
    """Load the labelled rows of a data set, and the numbers of the rows in each of its splits.

    A split `val`, `valid` or `dev` is called `validation` here.

    Args:
        name: Hub id; or a folder or parquet file in a layout of `dataset_folder`.
        revision: branch, tag or commit, for the Hub only.
        choose: selects the splits to load from the available ones of `train`, `validation` and `test`; the others are
            not read, and may be damaged or lack columns.
        layout: where photos, masks and names of classes are.

    Raises:
        ConfigError: the label set or the label map cannot be read, or do not fit.
        DataError: the folder or files are missing, or columns are.
        HubError: the Hub cannot be reached or has no such data set or revision.
    """
    opened = _opened(name, revision, layout)
    chosen = {split: opened.read(opened.names[split]) for split in choose(list(opened.names))}
    stated = opened.stated or _class_feature(next(iter(chosen.values())))
    classes = mask_classes(stated, layout.labels, layout.label_map)
    return Parts(*_joined(chosen, name, layout), opened.commit, classes)


def splits_of(name: str, revision: str | None, layout: Layout = PLAIN) -> list[str]:
    """Return which of `train`, `validation` and `test` a data set has; arguments and errors as for `load_parts`."""
    return list(_opened(name, revision, layout).names)


def classes_of(name: str, revision: str | None, layout: Layout = PLAIN) -> MaskClasses:
    """Return the classes of a data set's masks; arguments and errors as for `load_parts`."""
    opened = _opened(name, revision, layout)
    stated = opened.stated
    if stated is None and not (layout.labels and not layout.label_map):
        stated = _class_feature(opened.read(next(iter(opened.names.values()))))
    return mask_classes(stated, layout.labels, layout.label_map)


class _Opened(NamedTuple):
    """A data set's splits and how they are spelled there, what reads one of that spelling, the commit, and the label
    set that a file of the data set gives."""

    names: dict[str, str]
    read: Callable[[str], Dataset]
    commit: str | None
    stated: LabelSet | dict[int, str] | None


def _opened(name: str, revision: str | None, layout: Layout) -> _Opened:
    path, commit = Path(name), None
    read: Callable[[str], Dataset]
    if path.exists():
        if layout.config is not None:
            path = path / layout.config
            if not path.is_dir():
                raise DataError(f"--dataset_config_name {layout.config}: there is no folder {path}.")
        spelled, read, stated = _on_disk(path, layout)
    elif name.count("/") > 1 or name.startswith((".", "/", "~")):
        raise DataError(f"{name} does not exist; {LAYOUTS}. A data set on the Hub is named user/name.")
    else:
        spelled, read, stated, commit = _from_hub_with_labels(name, revision, layout)
    names = split_names(spelled)
    others = [split for split in spelled if split not in names.values()]
    known = "splits are called train, validation (or val, valid, dev) and test"
    if not names:
        raise DataError(f"{name} has no known split, only {', '.join(others)}: {known}.")
    if others and "validation" not in names:
        logger.warning("%s: ignored the splits %s: %s.", name, ", ".join(others), known)
    return _Opened(names, read, commit, stated)


def load_unlabelled(
    name: str, excluded: Collection[str] = (), option: str = "unlabelled_name", classes: MaskClasses = ATR_MASKS
) -> Dataset:
    """Load photos without masks from all rows of a parquet file or a Hub data set, undecoded, with `id` and `image`.

    Args:
        name: file or Hub id.
        excluded: ids of rows to leave out.
        option: the option that gave the name, for messages.
        classes: the classes that tags may name.

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
        tag_ids(row_tags, f"{name}, row {row_id}", classes)
        for row_id, row_tags in zip(rows["id"], rows["classes"], strict=True)
    ]
    rows = rows.select_columns(["id", "image"])
    return rows.add_column("classes", tags, feature=List(Value("uint8")))


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


_Splits = tuple[list[str], Callable[[str], Dataset], LabelSet | dict[int, str] | None]


def _on_disk(path: Path, layout: Layout) -> _Splits:
    """Return the splits of a folder or file as spelled there, what reads one, and the label set of a file in it."""
    stated = _stated_in(path)
    if folders := image_folders(path, layout.image_column, layout.mask_column):
        return list(folders), lambda split: folders[split].rows(layout.image_column, layout.mask_column), stated
    return split_names_on_disk(path), partial(_split_on_disk, path), stated


def _split_on_disk(path: Path, split: str) -> Dataset:
    rows = read_split(path, split)
    assert isinstance(rows, Dataset)
    return rows


def _stated_in(folder: Path) -> LabelSet | dict[int, str] | None:
    """Return the label set of a folder's labels.json, or its id2label.json, or None."""
    if (folder / LABELS_FILE).is_file():
        return read_labels(folder / LABELS_FILE)
    if not (folder / ID2LABEL_FILE).is_file():
        return None
    try:
        content = json.loads((folder / ID2LABEL_FILE).read_text(encoding="utf-8"))
        return {int(index): str(label) for index, label in content.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(
            f"{folder / ID2LABEL_FILE} must be an object from class ids to names, such as "
            f'{{"0": "Background", "1": "top"}} ({error}).'
        ) from error


def _class_feature(rows: Dataset) -> dict[int, str] | None:
    """Return the names of the only column of class labels, such as the classes that each photo shows, or None."""
    found = {name: labels for name, feature in rows.features.items() if (labels := _class_label(feature)) is not None}
    if len(found) != 1:
        return None
    column, names = next(iter(found.items()))
    logger.info("Classes from the column %s: %s.", column, ", ".join(names))
    return dict(enumerate(names))


def _class_label(feature: Any) -> list[str] | None:
    while isinstance(feature, List):
        feature = feature.feature
    return feature.names if isinstance(feature, ClassLabel) else None


def _from_parquet(files: dict[str, Path]) -> DatasetDict:
    try:
        return load_dataset("parquet", data_files={key: str(file) for key, file in files.items()})
    except Exception as error:  # datasets wraps what pyarrow raises in types of its own
        names = ", ".join(map(str, files.values()))
        raise DataError(f"{names}: the parquet file cannot be read: {error.__cause__ or error}") from error


def _from_hub_with_labels(name: str, revision: str | None, layout: Layout) -> tuple[*_Splits, str | None]:
    try:
        info = HfApi().dataset_info(name, revision=revision)
        files = [one.rfilename for one in info.siblings or ()]
        wanted = [file for file in files if file in (LABELS_FILE, ID2LABEL_FILE)]
        as_folders = pattern_of_folders(files, layout.image_column, layout.mask_column)
        if wanted or as_folders:
            folder = snapshot_download(
                name, repo_type="dataset", revision=info.sha, allow_patterns=[*wanted, *as_folders]
            )
    except Exception as error:  # the Hub's client raises all sorts
        raise HubError(str(explain(error, name, revision, kind="data set"))) from error
    stated = None
    if as_folders:
        return *_on_disk(Path(folder) / (layout.config or ""), layout), info.sha
    if wanted:
        stated = _stated_in(Path(folder))
    on_hub, commit = _from_hub(name, info.sha, layout.config)
    return list(on_hub), on_hub.__getitem__, stated, commit


def _from_hub(name: str, revision: str | None, config: str | None = None) -> tuple[DatasetDict, str | None]:
    try:
        commit = HfApi().dataset_info(name, revision=revision).sha
        return load_dataset(name, config, revision=commit), commit
    except Exception as error:  # the Hub's client and datasets raise all sorts
        raise HubError(str(explain(error, name, revision, kind="data set"))) from error


def _joined(splits: dict[str, Dataset], name: str, layout: Layout) -> tuple[Dataset, dict[str, npt.NDArray[np.int64]]]:
    """Return all rows, undecoded, with unique ids, and the row numbers of each split."""
    columns = {layout.image_column: "image", layout.mask_column: "mask"}
    for part, rows in splits.items():
        missing = [column for column in columns if column not in rows.column_names]
        if missing:
            raise DataError(
                f"{name}, split {part}: no column {' and '.join(missing)}; it has {', '.join(rows.column_names)}. "
                "Name the columns of the photos and of the masks with --image_column and --mask_column."
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
    selected = [rows.select_columns(list(columns)).rename_columns(_renamed(columns)) for rows in splits.values()]
    rows = concatenate_datasets([_undecoded(rows, name) for rows in selected])
    return rows.add_column("id", ids), parts


def _renamed(columns: dict[str, str]) -> dict[str, str]:
    return {old: new for old, new in columns.items() if old != new}


def _undecoded(rows: Dataset, name: str) -> Dataset:
    try:
        for column in ("image", "mask"):
            rows = rows.cast_column(column, Image(decode=False))
    except Exception as error:  # pyarrow and datasets raise several sorts
        raise DataError(f"{name}: image and mask must be columns of pictures ({error}).") from error
    return rows
