"""Load, check and split data sets of `image` and `mask`."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from datasets import Dataset

from clothseg.errors import DataError
from clothseg.labels import ATR, IGNORE, LabelSet
from clothseg.training.data.duplicates import duplicate_groups
from clothseg.training.data.inspection import inspect_rows
from clothseg.training.data.mask_classes import ATR_MASKS, MaskClasses
from clothseg.training.data.mask_encoding import findings_about, only_class_of
from clothseg.training.data.mask_statistics import MaskStatistics
from clothseg.training.data.sources import PLAIN, Layout, load_parts
from clothseg.training.data.split import PARTS, PROTOCOLS, SplitRecord, counts_of, cross_split_duplicates, draw, some


logger = logging.getLogger(__name__)

FEW = 50
"""Number of held-out photos below which a warning is printed."""


class Splits(NamedTuple):
    """Training rows and held-out rows, undecoded: `id`, `image` and `mask`.

    `commit` is the data set's, None for a folder. `test` is None if only `validation` is held out. `record` is the
    content of `split.json`. `masks` has the statistics of each part's masks, in the order of its rows; it is empty if
    they were not inspected. `classes` are the classes of the masks.
    """

    train: Dataset
    validation: Dataset
    commit: str | None
    test: Dataset | None
    record: SplitRecord
    masks: dict[str, MaskStatistics]
    classes: MaskClasses = ATR_MASKS

    @property
    def pixels(self) -> npt.NDArray[np.int64]:
        """(rows of `train`, C) int64, number of pixels of each class; (0, C) if not counted."""
        if "train" in self.masks:
            return self.masks["train"].pixels
        return np.zeros((0, len(self.classes.labels)), np.int64)

    @property
    def reported(self) -> tuple[str, Dataset]:
        """Return name and rows of the part for a finished model's figures: `test` if there is one.

        `validation` chooses among checkpoints, so its figures are slightly optimistic.
        """
        return ("validation", self.validation) if self.test is None else ("test", self.test)


def load_splits(
    name: str,
    revision: str | None = None,
    test_fraction: float = 0.006,
    seed: int = 42,
    *,
    protocol: str = "fraction",
    split_file: str | None = None,
    on_bad_row: str = "fail",
    check: bool = False,
    layout: Layout = PLAIN,
) -> Splits:
    """Load a data set of photos and label maps and hold out rows.

    The data set's own splits are kept. A missing validation split is drawn from `train`; every row is decoded first,
    so that near-duplicates are on one side and unusable rows on none.

    Args:
        name: as for `load_parts`.
        revision: branch, tag or commit, for the Hub only; by default the split file's commit, or the newest.
        test_fraction: share of `train` held out by the protocol `fraction`.
        seed: decides which rows are held out.
        protocol: one of `PROTOCOLS`.
        split_file: a `split.json` that gives the rows; nothing is drawn.
        on_bad_row: `skip` leaves out unusable rows, `fail` rejects the data set.
        check: decode every row, as training needs it, even if nothing is drawn.
        layout: where photos, masks and names of classes are.

    Raises:
        DataError: no such folder or files, missing columns, unusable rows, too few rows, a split file that does not
            match, or masks that cannot contain the class ids.
        HubError: the Hub cannot be reached or has no such data set or revision.
    """
    folder = Path(name).is_dir()
    own_name = Path(name).resolve().name if folder else name
    given = SplitRecord.read(split_file) if split_file else None
    if given and not folder and given.dataset == name:
        revision = revision or given.commit
    rows, parts, commit, classes = load_parts(name, revision, layout=layout)
    counts = None
    if given:
        record = replace(given, dataset=own_name, commit=commit)
        parts = record.places(rows["id"][:])
    elif PROTOCOLS[protocol] and len(parts) > 1:
        raise DataError(
            f"{name} already has the splits {' and '.join(parts)}; --split_protocol {protocol} draws from a data "
            "set that has `train` only. Leave the option out to use the data set's splits."
        )
    elif "validation" in parts:
        record = SplitRecord(own_name, commit, "own", None)
    elif "train" not in parts:
        raise DataError(f"{name} has no split train, only {' and '.join(parts)}.")
    else:
        record = SplitRecord(own_name, commit, protocol, seed)
        counts = counts_of(protocol, len(parts["train"]), test_fraction, name)
    masks: dict[str, MaskStatistics] = {}
    if check or counts:
        parts, groups, measured = _checked(rows, parts, record, on_bad_row, classes)
        if counts:
            parts |= draw(parts["train"], groups, counts, seed, name)
        _report_duplicates(groups, parts, rows, record)
        masks = {part: measured.at(parts[part]) for part in PARTS if len(parts.get(part, []))}
        check_encoding(masks, own_name, classes.labels)
        warn_of_few(len(parts.get("test", [])) or len(parts.get("validation", [])))
    selected = {part: rows.select(parts.get(part, [])) for part in PARTS}
    for part in ("train", "validation") if check or counts else ("validation",):
        if not len(selected[part]):
            raise DataError(f"{name} has no rows for {part}.")
    for part in PARTS:
        setattr(record, part, selected[part]["id"][:])
    test = selected["test"] if record.test else None
    return Splits(selected["train"], selected["validation"], commit, test, record, masks, classes)


def load_split(
    name: str,
    revision: str | None = None,
    split: str | None = None,
    on_bad_row: str = "fail",
    layout: Layout = PLAIN,
) -> tuple[str, Dataset, str | None, MaskClasses]:
    """Load one split of a data set for scoring; the others are not read.

    Args:
        name: as for `load_parts`.
        revision: branch, tag or commit, for the Hub only.
        split: `train`, `validation` or `test`; by default the only one, else `validation`, else `test`.
        on_bad_row: `skip` leaves out unusable rows; otherwise they raise an error when they are decoded.
        layout: where photos, masks and names of classes are.

    Returns:
        The split's name, its undecoded rows, the data set's commit, None for data on disk, and the masks' classes.

    Raises:
        DataError: there is no such split, or as for `load_parts`.
        HubError: the Hub cannot be reached or has no such data set or revision.
    """

    def choose(splits: list[str]) -> list[str]:
        preferred = ("validation", "test") if split is None else (split,)
        found = splits if split is None and len(splits) == 1 else [part for part in preferred if part in splits]
        if not found:
            raise DataError(f"{name} has no split {split}, only {' and '.join(splits)}.")
        return found[:1]

    rows, parts, commit, classes = load_parts(name, revision, choose, layout)
    ((found, numbers),) = parts.items()
    if on_bad_row == "skip":
        numbers = _checked(rows, parts, SplitRecord(name, commit, "own", None), on_bad_row, classes)[0][found]
    return found, rows.select(numbers), commit, classes


def warn_of_few(count: int) -> None:
    """Warn if there are too few photos for meaningful figures."""
    if count < FEW:
        logger.warning(
            "Only %d %s to score on: figures of fewer than %d photos differ much from one draw to the next.",
            count,
            "row" if count == 1 else "rows",
            FEW,
        )


def check_encoding(masks: dict[str, MaskStatistics], name: str, labels: LabelSet = ATR) -> None:
    """Reject masks that cannot contain the ids of a label set, and warn of odd ones.

    Args:
        masks: statistics of each part of the data set, each of at least one mask.
        name: name of the data set.
        labels: the classes.

    Raises:
        DataError: the masks cannot be right, or a part for scoring shows a single class.
    """
    ends = np.cumsum([len(part.pixels) for part in masks.values()])
    every = MaskStatistics.empty(int(ends[-1]), len(labels))
    for end, measured in zip(ends, masks.values(), strict=True):
        every.put(range(end - len(measured.pixels), end), measured)
    findings = findings_about(every, labels)
    refused = [finding.text for finding in findings if finding.refused]
    if refused:
        whose = "ATR's" if labels == ATR else "the"
        raise DataError(
            f"The masks of {name} cannot be right: {'; '.join(refused)}. Masks must contain {whose} class ids, "
            f"0 ({labels.background}) to {len(labels) - 1} ({labels.names[-1]}), and {IGNORE} where nothing is "
            "annotated; `python -m clothseg audit` shows more."
        )
    for finding in findings:
        logger.warning("The masks of %s look odd: %s.", name, finding.text)
    for part, measured in masks.items():
        only = only_class_of(measured.pixels, labels)
        if part != "train" and only is not None:
            raise DataError(
                f"The masks of {name}, part {part}, show {only} only: a mean IoU over a single class is meaningless. "
                "Hold out rows with more classes."
            )


def _checked(
    rows: Dataset,
    parts: dict[str, npt.NDArray[np.int64]],
    record: SplitRecord,
    on_bad_row: str,
    classes: MaskClasses,
) -> tuple[dict[str, npt.NDArray[np.int64]], list[list[int]], MaskStatistics]:
    """Return the parts without unusable rows, the groups of near-duplicates, and the statistics of all masks."""
    used = np.concatenate(list(parts.values()))
    inspection = inspect_rows(rows.select(used), f"Checking {record.dataset}", classes)
    bad = used[sorted(inspection.problems)]
    reasons = {rows[int(used[number])]["id"]: text for number, text in sorted(inspection.problems.items())}
    if reasons:
        listed = "".join(f"\n  {row_id}: {reason}" for row_id, reason in list(reasons.items())[:10])
        listed += f"\n  and {len(bad) - 10} more" if len(bad) > 10 else ""
        if len(bad) == len(used):
            raise DataError(f"None of the {len(used)} rows of {record.dataset} can be used:{listed}")
        if on_bad_row == "fail":
            raise DataError(
                f"{len(bad)} of the {len(used)} rows of {record.dataset} cannot be used:{listed}\n"
                "Correct them, or leave them out with --on_bad_row skip."
            )
        logger.warning("Left out %d of %d rows that cannot be used:%s", len(bad), len(used), listed)
    record.skipped = record.skipped | reasons
    sound = np.setdiff1d(used, bad)
    hashes = np.zeros((len(rows), *inspection.hashes.shape[1:]), np.uint64)
    masks = MaskStatistics.empty(len(rows), len(classes.labels))
    hashes[used] = inspection.hashes
    masks.put(used, inspection.masks)
    groups = [sound[group].tolist() for group in duplicate_groups(hashes[sound])]
    return {part: numbers[~np.isin(numbers, bad)] for part, numbers in parts.items()}, groups, masks


def _report_duplicates(
    groups: list[list[int]], parts: dict[str, npt.NDArray[np.int64]], rows: Dataset, record: SplitRecord
) -> None:
    across = cross_split_duplicates(groups, parts)
    record.duplicate_groups, record.straddling_groups = len(groups), len(across)
    if across:
        logger.warning(
            "%d groups of near-duplicate photos have rows in several splits of %s, such as %s: figures on the "
            "held-out rows may be too good.",
            len(across),
            record.dataset,
            some(rows.select(across[0])["id"][:]),
        )
