"""Divide rows into training and held-out rows: drawn from a seed, or read from the file of an earlier run."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clothseg.errors import DataError
from clothseg.images.atomic_files import atomic_path


SPLIT_FILE = "split.json"
PARTS = ("train", "validation", "test")


class Counts(NamedTuple):
    """Numbers of rows held out for validation and test, and of rows to train on (None: all others)."""

    validation: int
    test: int = 0
    train: int | None = None


PROTOCOLS: dict[str, Counts | None] = {
    "fraction": None,
    "first-version": Counts(validation=106),
    "atr-standard": Counts(validation=700, test=1000, train=16_000),
}
"""`fraction` holds out a share of the rows, `first-version` as many as `mattmdjaga/segformer_b2_clothes`, and
`atr-standard` as many as papers on ATR."""


@dataclass
class SplitRecord:
    """Contents of `split.json`: all that is needed to score another model on the same rows.

    Attributes:
        dataset: Hub id, or a folder's own name.
        commit: the data set's commit on the Hub; None for a folder.
        protocol: one of `PROTOCOLS`, or `own` if the data set has its own validation split.
        seed: of the draw, if the rows were drawn.
        duplicate_groups: number of groups of near-duplicates among all rows; None if near-duplicates were not
            searched.
        straddling_groups: number of these groups with rows in several parts, which only splits that were not drawn
            have.
        skipped: reason for each row that was left out.
        train: ids of the rows to train on.
        validation: ids of the rows to validate on.
        test: ids of the rows to test on.
    """

    dataset: str
    commit: str | None
    protocol: str
    seed: int | None
    duplicate_groups: int | None = None
    straddling_groups: int | None = None
    skipped: dict[str, str] = field(default_factory=dict)
    train: list[str] = field(default_factory=list)
    validation: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, str | int | None]:
        """Return the record with numbers instead of lists of ids, for reports."""
        lists = {key: len(getattr(self, key)) for key in ("skipped", *PARTS)}
        return {key: lists.get(key, value) for key, value in asdict(self).items()}

    def write(self, path: Path) -> None:
        """Write as JSON, one id per line."""
        with atomic_path(path) as file:
            file.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> "SplitRecord":
        """Read a file of `write`.

        Raises:
            DataError: the file is missing or invalid, has no validation rows, or has a row in two parts.
        """
        try:
            record = cls(**json.loads(Path(path).read_text(encoding="utf-8")))
        except OSError as error:
            raise DataError(f"--split_file {path} cannot be read: {error.strerror or error}.") from error
        except (ValueError, TypeError) as error:
            raise DataError(
                f"--split_file {path} is not a split file ({error}); use the {SPLIT_FILE} beside a trained model."
            ) from error
        for part in PARTS:
            ids = getattr(record, part)
            if not isinstance(ids, list) or not all(isinstance(row_id, str) for row_id in ids):
                raise DataError(f"--split_file {path}: {part} must be a list of row ids in quotes.")
        times = Counter(record.train + record.validation + record.test)
        if times and max(times.values()) > 1:
            raise DataError(f"--split_file {path} lists rows twice: {some([row for row in times if times[row] > 1])}.")
        if not record.validation:
            raise DataError(f"--split_file {path} lists no rows under validation.")
        return record

    def places(self, ids: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
        """Return the row numbers of each non-empty part, in the file's order, for a data set with these row ids.

        Raises:
            DataError: the data set lacks some of the rows.
        """
        place = {row_id: number for number, row_id in enumerate(ids)}
        missing = [row_id for part in PARTS for row_id in getattr(self, part) if row_id not in place]
        if missing:
            raise DataError(
                f"The data set lacks {len(missing)} of the split file's rows: {some(missing)}. The file was made for "
                f"{self.dataset}{f' at commit {self.commit}' if self.commit else ''}."
            )
        listed = {part: [place[row_id] for row_id in getattr(self, part)] for part in PARTS}
        return {part: np.array(numbers, np.int64) for part, numbers in listed.items() if numbers}


def counts_of(protocol: str, rows: int, fraction: float, name: str) -> Counts:
    """Return how many of `rows` rows a protocol holds out.

    Args:
        protocol: one of `PROTOCOLS`.
        rows: number of rows.
        fraction: share to hold out with the protocol `fraction`; at least one row.
        name: of the data set, for messages.

    Raises:
        DataError: there are too few rows.
    """
    counts = PROTOCOLS[protocol] or Counts(validation=max(1, round(rows * fraction)))
    needed = counts.validation + counts.test + (counts.train or 1)
    if rows < needed:
        raise DataError(
            f"{name} has {rows} rows: too few for the protocol {protocol}, which needs {needed:,} rows and holds out "
            f"{counts.validation + counts.test:,} of them."
        )
    return counts


def draw(
    rows: npt.NDArray[np.int64], groups: list[list[int]], counts: Counts, seed: int, name: str
) -> dict[str, npt.NDArray[np.int64]]:
    """Draw rows by seed; near-duplicates stay together.

    Groups and single rows are taken in random order. Each part takes every one that still fits, so it has exactly the
    requested number unless there are very few single rows. Training gets the rest.

    Args:
        rows: row numbers to draw from.
        groups: near-duplicates, from `duplicate_groups`; other rows in them are ignored.
        counts: numbers of rows to hold out.
        seed: of the random order.
        name: of the data set, for messages.

    Returns:
        Ascending row numbers of `train`, `validation` and, if requested, `test`.

    Raises:
        DataError: there are too many near-duplicates, or too few rows.
    """
    group_of = {row: index for index, group in enumerate(groups) for row in group}
    gathered: dict[int, list[int]] = {}
    for row in rows.tolist():
        gathered.setdefault(group_of.get(row, -1 - row), []).append(row)  # single rows get negative numbers
    units = list(gathered.values())
    left = [units[number] for number in np.random.default_rng(seed).permutation(len(units))]
    parts: dict[str, npt.NDArray[np.int64]] = {}
    for part, wanted in (("validation", counts.validation), ("test", counts.test)):
        taken: list[int] = []
        others = []
        for unit in left:
            if len(taken) + len(unit) <= wanted:
                taken += unit
            else:
                others.append(unit)
        left = others
        if wanted:
            parts[part] = np.sort(np.array(taken, np.int64))
    parts["train"] = np.sort(np.array([row for unit in left for row in unit][: counts.train], np.int64))
    for part, wanted in (("validation", counts.validation), ("test", counts.test), ("train", 1)):
        if wanted and not len(parts[part]):
            raise DataError(
                f"{name} has {len(rows)} rows in {len(units)} groups of near-duplicates, which stay together: {part} "
                f"cannot get {wanted} rows. Add a validation split to the data set, or hold out more rows."
            )
    return parts


def cross_split_duplicates(groups: list[list[int]], parts: dict[str, npt.NDArray[np.int64]]) -> list[list[int]]:
    """Return the groups of near-duplicates that have rows in more than one part."""
    part_of = {row: part for part, rows in parts.items() for row in rows.tolist()}
    return [group for group in groups if len({part_of[row] for row in group if row in part_of}) > 1]


def some(ids: Sequence[str], most: int = 5) -> str:
    """Return the first few of many ids as text."""
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(ids[:most]) + more
