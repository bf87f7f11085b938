"""Names of files, whatever bytes they have: as text, as names of what is made of them, and as paths of this system.

Python reads a name by the locale's encoding, and stands lone surrogates for bytes that it cannot read (PEP 383). Such
text cannot be written as UTF-8, and in the C locale it is what becomes of any name that is not ASCII.
"""

import hashlib
import os
import sys
from pathlib import Path, PurePosixPath


MOST_BYTES = 240
"""Of a name for what is made of a photo, in UTF-8: with a suffix and a number it stays within the usual 255."""

_SUFFIX = 16
"""Characters beyond which what follows a dot is taken for a part of the name."""


def as_utf8(name: str) -> str:
    """A name that the system gave, read as UTF-8 whatever the locale says; bytes that are not stay lone surrogates."""
    if _system_is_utf8():
        return name
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def system_path(name: str) -> str:
    """The path by which the system knows a name of `as_utf8`, or one that is to be written in UTF-8."""
    if _system_is_utf8():
        return name
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def escaped(text: str) -> str:
    """Text that UTF-8 can hold: a lone surrogate becomes its escape, such as \\udcfc for a byte FC.

    In JSON text that is the escape which every parser reads back to the same name.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def portable(name: PurePosixPath) -> PurePosixPath:
    """A relative path for what is made of a photo of this name: of UTF-8, and short enough for an ending.

    Bytes that are not UTF-8 become such as %FC. A part of more than `MOST_BYTES` is cut, and told apart by a digest of
    the whole.
    """
    return PurePosixPath(*map(_portable, name.parts))


def temporary_beside(path: Path, unique: str) -> Path:
    """A hidden name in the folder of `path` that is no longer than any file system allows; it keeps a short suffix."""
    suffix = path.suffix if len(path.suffix) <= _SUFFIX else ""
    return path.with_name(f".{unique}.part{suffix}")


def tolerate_any_name() -> None:
    """Let this process print names that its terminal's encoding lacks: as escapes, in place of a traceback."""
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
