"""Reads output files of commands for tests."""

import csv
from pathlib import Path


def table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {line["photo"]: line for line in csv.DictReader(file)}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
