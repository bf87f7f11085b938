"""The command line from arguments to exit status; the evaluate command has its own tests.

Covers `clothseg.commands.common`.
"""

from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw, write_parquet

from clothseg.cli import main


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of two parquet files that share one photo."""
    folder = tmp_path_factory.mktemp("audited")
    write_parquet(folder / "train.parquet", 4, height=128, width=96)
    write_parquet(folder / "validation.parquet", [draw(3, 128, 96), draw(9, 128, 96)])
    return folder


def test_audit_prints_tables_and_writes_the_report(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "audit.html"
    assert main(["audit", str(data), "--out", str(report), "--examples", "2"]) == 0
    shown = capsys.readouterr()
    assert "Near-duplicates across splits:" in shown.out and str(report) in shown.out
    assert "Auditing" in shown.err and "Auditing" not in shown.out
    assert report.read_text().startswith("<!doctype html>")


def test_strict_audit_fails_only_on_findings(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(data), "--strict"]) == 1
    assert main(["audit", str(data), "--strict", "--limit", "1"]) == 0, "the first rows are not copies"
    assert "Rows" in capsys.readouterr().out


def test_audit_of_only_damaged_rows_reports_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doll = draw(0, 64, 48)
    write_parquet(tmp_path / "train.parquet", [doll._replace(mask=np.full((64, 48), 99, np.uint8))])
    assert main(["audit", str(tmp_path), "--out", str(tmp_path / "a.html")]) == 0
    assert "doll-000000: the mask contains 99" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["nowhere/at/all"], "nowhere/at/all does not exist"),
        (["DATA", "--out", "/nowhere/audit.html"], "--out /nowhere/audit.html: give a file in an existing folder"),
        (["DATA", "--model", "nowhere"], "nowhere"),
    ],
)
def test_unreadable_data_set_or_options_give_a_clear_error(
    flags: list[str], message: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", *(str(data) if flag == "DATA" else flag for flag in flags)]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["segment", "--out", "x", "--", "--", "a.jpg"], ["evaluate", "m", "--", "--"]])
def test_second_separator_is_rejected(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2 and "-- can be given once" in capsys.readouterr().err
