"""Inspection results are cached by the content of the rows only."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

from clothseg.training.data import inspection
from clothseg.training.data.inspection import inspect_rows
from clothseg.training.data.row_cache import cached_inspection, rows_key
from clothseg.training.data.sources import load_parts


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLOTHSEG_CACHE", str(tmp_path))
    return tmp_path / "rows"


@pytest.fixture
def rows(doll_data: Path) -> Dataset:
    return load_parts(str(doll_data), None)[0]


def test_inspected_rows_are_not_decoded_again(rows: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = rows.select([*range(4)]).to_list()
    damaged[2]["mask"] = {"bytes": b"no picture", "path": None}
    table = Dataset.from_list(damaged, features=rows.features)
    first = inspect_rows(table, "rows")
    assert list(first.problems) == [2] and first.pixels[0].any()
    monkeypatch.setattr(inspection, "decode_row", lambda row: pytest.fail("decoded again"))
    again = inspect_rows(Dataset.from_list(damaged, features=rows.features), "rows")
    assert again.problems == first.problems
    for name in ("pixels", "hashes"):
        assert (getattr(again, name) == getattr(first, name)).all()
        assert getattr(again, name).dtype == getattr(first, name).dtype


def test_cache_key_depends_on_content(rows: Dataset, tmp_path: Path) -> None:
    part = rows.select([0, 1, 2])
    assert rows_key(part) == rows_key(Dataset.from_list(part.to_list(), features=rows.features))
    changed = part.to_list()
    changed[1]["image"] = {"bytes": changed[1]["image"]["bytes"] + b"\0", "path": None}
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(b"photo")
    on_disk = part.to_list()
    on_disk[1]["image"] = {"bytes": None, "path": str(picture)}
    others = [
        rows.select([0, 2, 1]),
        rows.select([0, 1]),
        *(Dataset.from_list(listed, features=rows.features) for listed in (changed, on_disk)),
    ]
    keys = {rows_key(table) for table in (part, *others)}
    picture.write_bytes(b"another photo")
    keys.add(rows_key(others[-1]))
    assert len(keys) == 6


def test_damaged_cache_entries_are_recomputed(rows: Dataset, cache: Path) -> None:
    found = {"pixels": np.arange(3), "problems": {1: "torn"}}
    cached_inspection(rows, lambda: found)
    (entry,) = cache.iterdir()
    (entry / "found.npz").write_bytes(b"PK\x03\x04 cut short")
    again: list[Any] = [
        cached_inspection(rows, lambda: found),
        cached_inspection(rows, lambda: pytest.fail("inspected again")),
    ]
    assert all(each["problems"] == {1: "torn"} and (each["pixels"] == np.arange(3)).all() for each in again)


def test_unwritable_cache_still_returns_results(rows: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOTHSEG_CACHE", "/proc/nowhere")
    assert cached_inspection(rows, lambda: {"problems": {0: "torn"}}) == {"problems": {0: "torn"}}

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    assert cached_inspection(rows, lambda: {"problems": {1: "torn"}}) == {"problems": {1: "torn"}}
