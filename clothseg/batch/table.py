"""The table of results: a line for each photo."""

import csv
from collections.abc import Iterable, Sequence
from typing import IO, Any

from clothseg.images.file_names import escaped
from clothseg.images.sources import Source
from clothseg.labels import ATR, LabelSet


_COLUMNS = ("photo", "files", "error", "width", "height", "rotation", "notes", "uncertainty")


def columns(labels: LabelSet, found: bool = False) -> tuple[str, ...]:
    """Return the columns of the table: the photo's name, the name of its files without suffix, its error and others,
    with `found` the number of items that a search found and the parts of it that nothing matches, and the share (0..1)
    of each class."""
    return (*_COLUMNS, *(("found", "missing") if found else ()), *labels.names)


def line(source: Source, summary: dict[str, Any], error: str = "", labels: LabelSet = ATR) -> dict[str, Any]:
    """Return a photo's line of the table, from its summary or its error."""
    found: dict[str, Any] = {"photo": _harmless(source.name.as_posix()), "error": _harmless(error)}
    if error:
        return found
    shares = {part["name"]: part["share"] for part in summary["classes"]}
    found |= {"files": _harmless(source.files.as_posix()), "width": summary["width"], "height": summary["height"]}
    # Summaries that an earlier release left in a folder lack these.
    found |= {"rotation": summary.get("rotation", 0), "notes": " ".join(summary.get("notes", []))}
    found["uncertainty"] = summary.get("uncertainty")
    if "found" in summary:
        found |= {"found": summary["found"], "missing": _harmless("; ".join(summary.get("missing", ())))}
    return found | {name: shares.get(name, 0) for name in labels.names}


def write_table(stream: IO[str], lines: Iterable[dict[str, Any]], names: Sequence[str]) -> None:
    """Write lines as CSV with these columns; open `stream` with newline="" and UTF-8."""
    table = csv.DictWriter(stream, names)
    table.writeheader()
    table.writerows(lines)


def _harmless(text: str) -> str:
    """Return text that begins with a photo's name in valid UTF-8, such that no spreadsheet takes it for a formula; the
    path stays valid."""
    return escaped(f"./{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text)
