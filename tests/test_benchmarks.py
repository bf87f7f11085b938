"""The benchmarks run, and print the tables that they promise; what they measure is not tested here."""

import re
from pathlib import Path

import pytest
import torch
from paper_dolls import write_parquet

from benchmarks import input_pipeline, training_speed


def table(text: str) -> list[list[str]]:
    """Cells of the one Markdown table in `text`, its header first."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert set("".join(rows[1])) == {"-"} and {len(row) for row in rows} == {len(rows[0])}
    return [rows[0], *rows[2:]]


RATIO = r"\d+\.\d\d \(\d+\.\d\d\)"


def test_input_pipeline_compares_three_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_parquet(tmp_path / "train.parquet", 8, height=48, width=32)
    write_parquet(tmp_path / "validation.parquet", 1, height=48, width=32)
    threads = torch.get_num_threads()
    input_pipeline.main([str(tmp_path), "--size", "32", "--rows", "6", "--rounds", "1", "--workers", "0"])
    torch.set_num_threads(threads)
    _, *rows = table(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [["standard", "0"], ["strong", "0"]]
    assert all(float(time) > 0 for row in rows for time in row[2:6])
    assert all(re.fullmatch(RATIO, ratio) for row in rows for ratio in row[6:])


def test_training_speed_compares_three_ways(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_speed, "matrix_flops", lambda device, dtype: 1e12)
    training_speed.main("--models b0 --size 32 --batch 2 --rounds 1 --steps 1 --device cpu".split())
    _, *rows = table(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [["B0", "plain"], ["B0", "default"], ["B0", "tuned"]]
    assert all(float(row[2]) > 0 and re.fullmatch(RATIO, row[3]) and row[6].endswith("%") for row in rows)
    assert rows[0][3] == "1.00 (1.00)"


def test_tuned_steps_take_fewer_operations() -> None:
    """By a quarter at 128x128 for B0, by more for larger inputs: mixing the head's weights costs the same for all."""
    pixels, labels = torch.randn(1, 3, 128, 128), torch.randint(18, (1, 128, 128))
    plain, default, tuned = (training_speed.build_step("b0", way, pixels, labels) for way in training_speed.WAYS)
    assert default.flops == tuned.flops and 0.6 < tuned.flops / plain.flops < 0.8
