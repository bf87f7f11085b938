"""File names of any bytes: as text, as names of output files, and as paths of this system.

Python decodes a name by the locale's encoding and replaces bytes that it cannot decode by lone surrogates (PEP 383).
Such text cannot be written as UTF-8; in the C locale every name that is not ASCII becomes such text.
"""

import hashlib
import os
import sys
from pathlib import Path, PurePosixPath


MOST_BYTES = 240
"""Longest name of an output file in bytes of UTF-8; with a suffix and a number it stays within the usual 255."""

_SUFFIX = 16
"""Longest suffix in characters; a longer text after the last dot belongs to the name."""


def as_utf8(name: str) -> str:
    """Decode a name from the system as UTF-8 whatever the locale; invalid bytes stay lone surrogates."""
    if _system_is_utf8():
        return name
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def system_path(name: str) -> str:
    """Return the system's path for a name of `as_utf8`, or for a name to be written in UTF-8."""
    if _system_is_utf8():
        return name
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def escaped(text: str) -> str:
    """Return text that UTF-8 can encode: a lone surrogate becomes its escape, such as \\udcfc for a byte FC.

    In JSON text, every parser reads this escape back to the same name.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def portable(name: PurePosixPath) -> PurePosixPath:
    """Return a relative path for output files of a photo: valid UTF-8, and short enough for an ending.

    Bytes that are not UTF-8 become %FC and the like. A part longer than `MOST_BYTES` is cut and gets a digest of the
    whole.
    """
    return PurePosixPath(*map(_portable, name.parts))


def temporary_beside(path: Path, unique: str) -> Path:
    """Return a hidden name in the folder of `path` that no file system finds too long, with the same suffix if it is
    short."""
    suffix = path.suffix if len(path.suffix) <= _SUFFIX else ""
    return path.with_name(f".{unique}.part{suffix}")


def tolerate_any_name() -> None:
    """Print names that the terminal's encoding lacks as escapes instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a program has put something else in their place
            stream.reconfigure(errors="backslashreplace")


def _system_is_utf8() -> bool:
    return sys.getfilesystemencoding().lower().replace("-", "") == "utf8"


def _portable(part: str) -> str:
    raw = "".join(map(_written, part)).encode("utf-8")
    if len(raw) > MOST_BYTES:
        digest = hashlib.sha256(raw).hexdigest()[:12]
        raw = raw[: MOST_BYTES - 13].decode("utf-8", "ignore").encode("utf-8") + f"-{digest}".encode()
    return raw.decode("utf-8")


def _written(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":
        return f"%{ord(letter) - 0xDC00:02X}"
    return "_" if "\ud800" <= letter <= "\udfff" else letter  # Windows allows any in names
