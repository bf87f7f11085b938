"""Parquet files of photos and masks have a size limit and the Hub's names."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from clothseg.batch import parquet


@pytest.mark.parametrize(("file_bytes", "sizes"), [(1, [2, 2, 1]), (250, [4, 1]), (10_000, [5])])
def test_parquet_files_are_split_by_size_and_numbered(
    file_bytes: int, sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "FILE_BYTES", file_bytes)
    monkeypatch.setattr(parquet, "GROUP_BYTES", 150)
    picture = {"bytes": bytes(50), "path": None}
    rows = [({"image": picture, "mask": picture}, ""), (None, "row 1: broken")] * 5
    assert parquet.write_rows(iter(rows), tmp_path) == (5, ["row 1: broken"] * 5)
    parquet.number_files(tmp_path, "dev")
    names = [f"dev-{number:05d}-of-{len(sizes):05d}.parquet" for number in range(len(sizes))]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == names
    assert [pq.read_table(tmp_path / "data" / name).num_rows for name in names] == sizes
