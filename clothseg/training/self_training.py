"""Select the photos that a teacher labels for the training, without copies of held-out photos."""

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
from datasets import Dataset, Value, concatenate_datasets

from clothseg.errors import DataError
from clothseg.training.config import TrainArguments
from clothseg.training.data.dataset import CLASS_IDS
from clothseg.training.data.duplicates import near_duplicates
from clothseg.training.data.inspection import inspect_rows
from clothseg.training.data.loading import Splits
from clothseg.training.data.mask_classes import ATR_MASKS, MaskClasses
from clothseg.training.data.pseudo_labels import Labelling
from clothseg.training.data.sources import load_labelled
from clothseg.training.data.split import some


logger = logging.getLogger(__name__)


def label_files(parsing: TrainArguments, output: Path) -> dict[str, Path]:
    """Return the file for the teacher's labels of each kind of photos: name of the option -> file in the run's
    folder."""
    options = [option for option in ("unlabelled_name", "flat_lay_name") if getattr(parsing, option)]
    return {option: output / f"{option.removesuffix('_name')}_labels.parquet" for option in options}


def labellings(parsing: TrainArguments, output: Path, classes: MaskClasses = ATR_MASKS) -> list[Labelling]:
    """Look up the photos for the teacher, and the teacher, for each kind of photos.

    Args:
        parsing: names photos and teacher.
        output: folder of the run.
        classes: the classes to learn; tags may also be names that a label map replaces.

    Raises:
        ConfigError, DataError, ModelError, HubError: as for `Labelling`.
    """
    return [
        Labelling(
            file,
            name=getattr(parsing, option),
            option=option,
            worn=option != "flat_lay_name",
            teacher=str(parsing.teacher_model_name_or_path),
            revision=parsing.teacher_revision,
            min_probability=parsing.min_teacher_probability,
            scales=tuple(parsing.teacher_scales),
            exclude_file=parsing.exclude_file,
            classes=classes,
        )
        for option, file in label_files(parsing, output).items()
    ]


def taught_rows(parsing: TrainArguments, output: Path, splits: Splits) -> tuple[Dataset, npt.NDArray[np.int64]]:
    """Return the rows labelled by the teacher, without near-duplicates of held-out rows.

    Args:
        parsing: names the photos.
        output: folder of the run, with their labels.
        splits: `validation` and `test` are held out.

    Returns:
        Rows with `id`, `image` and `mask` of class ids, undecoded, and their pixels (N, C) of each class.

    Raises:
        DataError: none is left.
    """
    rows = concatenate_datasets([load_labelled(file) for file in label_files(parsing, output).values()])
    found = inspect_rows(rows, "Counting the teacher's labels", splits.classes.plain)
    held_out = [part for part in (splits.validation, splits.test) if part is not None]
    hashes = [inspect_rows(part, "Looking for copies of held-out photos", splits.classes).hashes for part in held_out]
    copies = near_duplicates(found.hashes, np.concatenate(hashes))
    if copies.any():
        logger.warning(
            "Left out %d photos for the teacher that are near-duplicates of held-out ones: %s.",
            copies.sum(),
            some(rows.select(np.flatnonzero(copies))["id"][:]),
        )
    kept = np.flatnonzero(~copies)
    if not len(kept):
        raise DataError("All photos for the teacher are near-duplicates of held-out rows: choose other photos.")
    return rows.select(kept), found.pixels[kept]


def with_taught_rows(rows: Dataset, taught: Dataset) -> Dataset:
    """Return both kinds of rows as one data set; `CLASS_IDS` says which masks hold class ids."""
    marked = [
        part.add_column(CLASS_IDS, [own] * len(part), feature=Value("bool"))
        for part, own in ((rows, False), (taught, True))
    ]
    return concatenate_datasets(marked)
