"""Which rows are trained on and which are held out: drawn from a seed, or read from the file of an earlier run."""

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
    """Rows held out for validation and test, and rows to train on; None: all that are left."""

    validation: int
    test: int = 0
    train: int | None = None


PROTOCOLS: dict[str, Counts | None] = {
    "fraction": None,
    "first-version": Counts(validation=106),
    "atr-standard": Counts(validation=700, test=1000, train=16_000),
}
"""`fraction` holds a share of the rows out; the others are the first version's numbers, and those of papers on ATR."""


@dataclass
class SplitRecord:
    """What `split.json` holds: all that is needed to score another model on the same rows.

    `dataset` is a Hub id or a folder's own name and `commit` the Hub's, None for a folder. `protocol` is one of
    `PROTOCOLS`, or `own` where the data set brings its own validation split. `skipped` gives the reason for each row
    left out. `duplicate_groups` counts groups of near-duplicates among all rows, `straddling_groups` those with rows
    in several parts, which only splits that were not drawn have; both are None where nothing was looked for.
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
        """Numbers in place of ids, for reports."""
        lists = {key: len(getattr(self, key)) for key in ("skipped", *PARTS)}
        return {key: lists.get(key, value) for key, value in asdict(self).items()}

    def write(self, path: Path) -> None:
        """Write as JSON, an id a line."""
        with atomic_path(path) as file:
            file.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> "SplitRecord":
        """Read what `write` wrote.

        Raises:
            DataError: no such file, not a split file, no row to validate on, or a row in two parts.
        """
        try:
            record = cls(**json.loads(Path(path).read_text(encoding="utf-8")))
        except OSError as error:
            raise DataError(f"--split_file {path} cannot be read: {error.strerror or error}.") from error
        except (ValueError, TypeError) as error:
            raise DataError(
                f"--split_file {path} is no split file ({error}); {SPLIT_FILE} beside each trained model is one."
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
        """Row numbers of each part that is not empty, in the file's order, in a data set with these row ids.

        Raises:
            DataError: the data set lacks some of them.
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
    """How many of `rows` rows a protocol holds out; `fraction` is for the protocol of that name, at least one row.

    Raises:
        DataError: there are too few rows.
    """
    counts = PROTOCOLS[protocol] or Counts(validation=max(1, round(rows * fraction)))
    needed = counts.validation + counts.test + (counts.train or 1)
    if rows < needed:
        raise DataError(
            f"{name} has {rows} rows: too few for the protocol {protocol}, which needs {needed:,} to train on and "
            f"hold {counts.validation + counts.test:,} out."
        )
    return counts


def draw(
    rows: npt.NDArray[np.int64], groups: list[list[int]], counts: Counts, seed: int, name: str
) -> dict[str, npt.NDArray[np.int64]]:
    """Draw rows by seed so that near-duplicates stay together.

    Groups and single rows come in an order drawn with `seed`; each part takes what still fits whole, so that its
    number is met exactly unless there are hardly any single rows. Training gets the rest.

    Args:
        rows: row numbers to draw from.
        groups: near-duplicates, as `duplicate_groups` gives them; other rows in them are left where they are.

    Returns:
        Ascending row numbers of `train`, `validation` and, where asked for, `test`.

    Raises:
        DataError: too many near-duplicates, or too few rows, for the numbers asked for.
    """
    group_of = {row: index for index, group in enumerate(groups) for row in group}
    gathered: dict[int, list[int]] = {}
    for row in rows.tolist():
        gathered.setdefault(group_of.get(row, -1 - row), []).append(row)  # a row of its own: a negative number
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
                f"{name} has {len(rows)} rows in {len(units)} groups of near-duplicates, which stay together: no way "
                f"to get {wanted} for {part}. Give it a validation split of its own, or hold more rows out."
            )
    return parts


def cross_split_duplicates(groups: list[list[int]], parts: dict[str, npt.NDArray[np.int64]]) -> list[list[int]]:
    """The groups of near-duplicates with rows in more than one part."""
    part_of = {row: part for part, rows in parts.items() for row in rows.tolist()}
    return [group for group in groups if len({part_of[row] for row in group if row in part_of}) > 1]


def some(ids: Sequence[str], most: int = 5) -> str:
    """The first few of many ids, in words."""
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(ids[:most]) + more
