"""Drawing splits: exact sizes, near-duplicates kept together, deterministic; invalid split files give clear errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clothseg.errors import DataError
from clothseg.training.data.split import PROTOCOLS, Counts, SplitRecord, counts_of, cross_split_duplicates, draw


ATR = 17_706


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("counts", [Counts(7), Counts(10, 20), Counts(10, 20, 40)], ids=str)
def test_drawn_parts_have_exact_sizes_and_are_disjoint(seed: int, counts: Counts) -> None:
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(200)[:120])
    members = rng.permutation(rows)
    groups = [members[:15].tolist(), members[15:19].tolist(), *members[19:59].reshape(-1, 2).tolist()]
    parts = draw(rows, groups, counts, seed, "data")
    assert (len(parts["validation"]), len(parts.get("test", ()))) == counts[:2]
    assert len(parts["train"]) == (counts.train or 120 - counts.validation - counts.test)
    together = np.concatenate(list(parts.values()))
    assert len(set(together)) == len(together) and set(together) <= set(rows)
    assert cross_split_duplicates(groups, parts) == []
    assert all((np.diff(part) > 0).all() for part in parts.values())
    again, other = draw(rows, groups, counts, seed, "data"), draw(rows, groups, counts, seed + 1, "data")
    assert all((parts[part] == again[part]).all() for part in parts)
    assert set(parts["validation"]) != set(other["validation"])


def test_group_members_outside_the_rows_are_not_drawn() -> None:
    parts = draw(np.arange(10), [[3, 4, 12]], Counts(2), 0, "data")
    assert set(np.concatenate(list(parts.values()))) == set(range(10))
    assert ((3 in parts["train"]) == (4 in parts["train"])) and "test" not in parts


@pytest.mark.parametrize(
    ("protocol", "numbers"),
    [("fraction", (17_600, 106, 0)), ("first-version", (17_600, 106, 0)), ("atr-standard", (16_000, 700, 1000))],
)
def test_protocols_give_the_published_counts_for_atr(protocol: str, numbers: tuple[int, int, int]) -> None:
    counts = counts_of(protocol, ATR, 0.006, "data")
    parts = draw(np.arange(ATR), [[index, index + 1] for index in range(0, 4000, 2)], counts, 0, "data")
    assert tuple(len(parts.get(part, ())) for part in ("train", "validation", "test")) == numbers


def test_every_row_is_drawn_equally_often() -> None:
    times = np.zeros(30)
    for seed in range(600):
        times[draw(np.arange(30), [[0, 1]], Counts(6), seed, "data")["validation"]] += 1
    assert times[2:].mean() / 600 == pytest.approx(0.2, abs=0.01)
    assert times.min() > 0.7 * 120 and times.max() < 1.3 * 120


@pytest.mark.parametrize(
    ("protocol", "rows", "message"),
    [
        (
            "atr-standard",
            17_699,
            r"data has 17699 rows: too few for the protocol atr-standard, which needs 17,700",
        ),
        ("first-version", 106, "needs 107"),
        ("fraction", 1, "has 1 rows"),
    ],
)
def test_too_few_rows_raise_data_error(protocol: str, rows: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        counts_of(protocol, rows, 0.006, "data")
    assert counts_of(protocol, rows + 1, 0.006, "data").validation == (PROTOCOLS[protocol] or Counts(1)).validation


def test_single_duplicate_group_cannot_be_split() -> None:
    with pytest.raises(DataError, match="10 rows in 1 groups of near-duplicates"):
        draw(np.arange(10), [list(range(10))], Counts(3), 0, "data")


RECORD = SplitRecord("data", None, "fraction", 7, 1, 0, {"c": "no photo"}, ["ä", "b"], ["d"], [])


def test_split_file_round_trip(tmp_path: Path) -> None:
    RECORD.write(tmp_path / "split.json")
    assert SplitRecord.read(tmp_path / "split.json") == RECORD
    places = RECORD.places(["x", "d", "b", "ä"])
    assert {part: rows.tolist() for part, rows in places.items()} == {"train": [3, 2], "validation": [1]}
    assert RECORD.summary() | {"train": 2, "validation": 1, "skipped": 1} == RECORD.summary()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"validation": []}, "lists no rows under validation"),
        ({"validation": "d"}, "validation must be a list of row ids"),
        ({"train": [1, 2]}, "train must be a list of row ids in quotes"),
        ({"test": ["b", "d"]}, "lists rows twice: b, d"),
        ({"rows": []}, "is not a split file"),
    ],
    ids=str,
)
def test_invalid_split_files_raise_data_errors(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "split.json"
    RECORD.write(file)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(DataError, match=message):
        SplitRecord.read(file)


def test_other_files_are_rejected_as_split_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        SplitRecord.read(tmp_path / "nowhere.json")
    for text in ("[]", "{}", "words"):
        (tmp_path / "other.json").write_text(text)
        with pytest.raises(DataError, match="is not a split file"):
            SplitRecord.read(tmp_path / "other.json")


def test_missing_rows_are_named() -> None:
    many = SplitRecord("user/name", "0123abc", "own", None, train=[str(number) for number in range(9)])
    with pytest.raises(DataError, match=r"lacks 8 .*: 0, 1, 2, 3, 4 and 3 more\..* user/name at commit 0123abc"):
        many.places(["8"])
