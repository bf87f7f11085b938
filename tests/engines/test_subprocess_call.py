"""A function runs in another process, from the same copy of the package, and errors come back as False."""

import sys
from pathlib import Path

import pytest

from clothseg.engines.subprocess_call import call_in_subprocess


def test_a_function_runs_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # whose files must not be taken for modules
    (tmp_path / "shutil.py").write_text("raise SystemExit('a file of the working directory was run')")
    assert call_in_subprocess("shutil", "copyfile", str(tmp_path / "shutil.py"), str(tmp_path / "copy"))
    assert (tmp_path / "copy").is_file()
    assert call_in_subprocess("clothseg.images.atomic_files", "clear_leftovers", str(tmp_path))


def test_errors_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not call_in_subprocess("shutil", "copyfile", "/nowhere/at/all", "/nowhere/else")
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert not call_in_subprocess("os", "listdir", "/")
