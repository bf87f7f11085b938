"""The benchmark of the engines runs and prints its table."""

import re
from pathlib import Path

import pytest
from markdown_tables import RATIO, table
from paper_dolls import write_parquet

from benchmarks import engines


def test_engine_benchmark_prints_a_row_per_engine_and_precision(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for split in ("train", "validation"):
        write_parquet(tmp_path / f"{split}.parquet", 2, seed=len(split), height=96, width=64)
    monkeypatch.setattr(engines, "ready", lambda model, way: (2.0, 1.0))
    engines.main([str(tmp_path), "--model", str(tiny_model), "--photos", "2", "--rounds", "1"])
    _, *rows = table(capsys.readouterr().out)
    assert tuple((row[0], row[1]) for row in rows) == engines.WAYS
    exact = [row for row in rows if row[1] == "exact"]
    assert all(float(row[2]) >= 0.9999 and re.fullmatch(RATIO, row[4]) for row in exact)
    assert all(row[5:] == ["2.00", "1.00"] for row in rows)
