"""Data sets of `image` and `mask`: loading, splitting, decoding and checking every row."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from datasets import Dataset, DatasetDict, Image, concatenate_datasets, load_dataset
from huggingface_hub import HfApi
from PIL import Image as PILImage
from tqdm.auto import tqdm

from clothseg.errors import ClothsegError, DataError, HubError
from clothseg.images import load_photo
from clothseg.labels import IGNORE, NUM_CLASSES
from clothseg.loading import explain


class Splits(NamedTuple):
    """Rows to train on and rows held out, undecoded, and the data set's commit (None for a folder)."""

    train: Dataset
    validation: Dataset
    commit: str | None


def load_splits(name: str, revision: str | None, test_fraction: float, seed: int) -> Splits:
    """Load a data set of photos and label maps and hold rows out.

    Args:
        name: Hub id, or a folder with `train.parquet` and, where it has one, `validation.parquet`.
        revision: branch, tag or commit, for the Hub only.
        test_fraction: share of `train` held out, drawn with `seed`, where there is no validation split.

    Raises:
        DataError: no such folder or files, columns missing, too few rows.
        HubError: the Hub cannot be reached or has no such data set or revision.
    """
    if Path(name).is_dir():
        files = {split: Path(name) / f"{split}.parquet" for split in ("train", "validation")}
        if not files["train"].is_file():
            raise DataError(f"The folder {name} has no train.parquet; --dataset_name takes a folder that has one.")
        found, commit = _from_parquet({key: file for key, file in files.items() if file.is_file()}), None
    elif name.count("/") > 1 or name.startswith((".", "/", "~")) or Path(name).exists():
        raise DataError(
            f"{name} is no folder; --dataset_name takes a folder with train.parquet, or a Hub id user/name."
        )
    else:
        found, commit = _from_hub(name, revision)
    return _hold_out(found, name, test_fraction, seed, commit)


def load_unlabelled(name: str) -> Dataset:
    """Photos without masks, undecoded, with `id` and `image`: all rows of a parquet file or of a Hub data set.

    Raises:
        DataError: no such file, or it has no column `image`.
        HubError: the Hub cannot be reached or has no such data set.
    """
    if Path(name).is_file():
        found = _from_parquet({"train": Path(name)})
    elif name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise DataError(f"{name} is no file; --unlabelled_name takes a parquet file or a Hub id user/name.")
    else:
        found, _ = _from_hub(name, None)
    rows = concatenate_datasets(list(found.values()))
    if "image" not in rows.column_names:
        raise DataError(f"{name} has no column image; it has {', '.join(rows.column_names)}.")
    if "id" not in rows.column_names:
        rows = rows.add_column("id", [f"unlabelled-{number}" for number in range(len(rows))])
    return rows.select_columns(["id", "image"]).cast_column("image", Image(decode=False))


def load_labelled(file: Path) -> Dataset:
    """Rows of `id`, `image` and `mask` of a parquet file, undecoded."""
    return _undecoded(_from_parquet({"train": file})["train"].select_columns(["id", "image", "mask"]))


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


def _hold_out(found: DatasetDict, name: str, test_fraction: float, seed: int, commit: str | None) -> Splits:
    if "train" not in found:
        raise DataError(f"{name} has no split `train`, only {', '.join(found)}.")
    for split, rows in found.items():
        missing = {"image", "mask"} - set(rows.column_names)
        if missing:
            raise DataError(
                f"{name}, split {split}: no column {' and '.join(sorted(missing))}; it has "
                f"{', '.join(rows.column_names)}. Rename its columns: image (the photo) and mask (class ids 0 to 17)."
            )
    train, validation = found["train"], found.get("validation")
    if "id" not in train.column_names:  # row numbers before shuffling: what messages and split files name rows by
        train = train.add_column("id", [str(number) for number in range(len(train))])
    if validation is None:
        held_out = max(1, round(len(train) * test_fraction))
        if held_out >= len(train):
            raise DataError(f"{name} has {len(train)} rows: too few to train on and hold {held_out} out.")
        parts = train.train_test_split(test_size=held_out, seed=seed)
        train, validation = parts["train"], parts["test"]
    elif "id" not in validation.column_names:
        validation = validation.add_column("id", [f"validation-{number}" for number in range(len(validation))])
    if not len(train) or not len(validation):
        raise DataError(f"{name} has {len(train)} rows to train on and {len(validation)} held out; both need some.")
    return Splits(_undecoded(train), _undecoded(validation), commit)


def _undecoded(rows: Dataset) -> Dataset:
    for column in ("image", "mask"):
        rows = rows.cast_column(column, Image(decode=False))
    return rows


def decode_mask(stored: dict[str, Any], row_id: str) -> npt.NDArray[np.uint8]:
    """Class ids of a stored mask (`bytes` or `path`), modes P, L, 1, I;16 and grey RGB alike.

    Returns:
        (H, W) uint8, values 0..17 and 255.

    Raises:
        DataError: it does not decode, is a colour picture, or holds other values; the message names the row.
    """
    try:
        with PILImage.open(stored["path"] if stored["bytes"] is None else io.BytesIO(stored["bytes"])) as picture:
            ids = np.asarray(picture)
    except (OSError, ValueError, SyntaxError, AttributeError) as error:
        raise DataError(f"Row {row_id}: the mask is no readable picture ({error}).") from error
    if ids.ndim == 3:
        if ids.shape[2] < 3 or not (ids[..., :1] == ids[..., :3]).all():
            raise DataError(f"Row {row_id}: the mask is a colour picture; it must hold class ids (mode L or P).")
        ids = ids[..., 0]
    wrong = np.unique(ids[(ids >= NUM_CLASSES) & (ids != IGNORE)])
    if wrong.size:
        raise DataError(
            f"Row {row_id}: the mask holds {', '.join(map(str, wrong[:5]))}; class ids are 0 to {NUM_CLASSES - 1}, "
            f"and {IGNORE} for pixels without annotation."
        )
    return ids.astype(np.uint8)


def decode_row(row: dict[str, Any]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Photo (H, W, 3) uint8 RGB and label map (H, W) uint8 of a row.

    Raises:
        DataError: photo or mask does not decode, or their sizes differ; the message names the row.
    """
    stored = row["image"]
    try:
        photo = np.asarray(load_photo(stored["bytes"] or stored["path"] or b""))
    except ClothsegError as error:
        raise DataError(f"Row {row['id']}: {error}") from error
    mask = decode_mask(row["mask"], row["id"])
    if mask.shape != photo.shape[:2]:
        raise DataError(
            f"Row {row['id']}: the mask is {mask.shape[1]}x{mask.shape[0]} pixels, "
            f"the photo {photo.shape[1]}x{photo.shape[0]}; they must be of one size."
        )
    return photo, mask


def count_pixels(rows: Dataset, description: str) -> npt.NDArray[np.int64]:
    """Decode every row once, before any time is spent on training, and count each class's pixels.

    Returns:
        (N, 18) int64, 255 left out.

    Raises:
        DataError: names the first row that cannot be trained on and says why.
    """
    counts = np.zeros((len(rows), NUM_CLASSES), np.int64)
    for index, row in enumerate(tqdm(rows, desc=f"Checking {description}", unit=" rows", leave=False)):
        mask = decode_row(row)[1]
        counts[index] = np.bincount(mask[mask != IGNORE], minlength=NUM_CLASSES)
    return counts


def repeated(counts: npt.NDArray[np.int64], share: float, seed: int) -> npt.NDArray[np.int64]:
    """Row numbers in which photos with rare classes occur several times: repeat factor sampling (LVIS, 2019).

    A class that a share f of the photos shows asks for a factor max(1, sqrt(share / f)); a photo follows the class
    that asks for most. The fraction of a factor is drawn with `seed`.

    Args:
        counts: (N, 18) pixels of each class in each photo.
        share: classes in fewer photos than this are rare; 0 repeats nothing.

    Returns:
        (M,) int64, M at least N, sorted.
    """
    shown = counts > 0
    wanted = np.sqrt(share / np.maximum(shown.mean(axis=0), 1e-12)).clip(min=1)
    factors = np.where(shown, wanted, 1).max(axis=1)
    times = np.floor(factors + np.random.default_rng(seed).random(len(factors))).astype(np.int64)
    return np.repeat(np.arange(len(counts)), times)
