"""`call_in_subprocess` runs a function from the same copy of the package, and returns False on errors."""

import sys
from pathlib import Path

import pytest

from clothseg.engines.subprocess_call import call_in_subprocess


def test_call_in_subprocess_ignores_modules_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # whose files must not be imported
    (tmp_path / "shutil.py").write_text("raise SystemExit('a file of the working directory was run')")
    assert call_in_subprocess("shutil", "copyfile", str(tmp_path / "shutil.py"), str(tmp_path / "copy"))
    assert (tmp_path / "copy").is_file()
    assert call_in_subprocess("clothseg.images.atomic_files", "clear_leftovers", str(tmp_path))


def test_call_in_subprocess_returns_false_on_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not call_in_subprocess("shutil", "copyfile", "/nowhere/at/all", "/nowhere/else")
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert not call_in_subprocess("os", "listdir", "/")
