"""Cache expensive results on disk between runs; entries are complete or missing, also with several writers.

An entry is a folder named by a key of everything that its content depends on. It is created beside its place and
renamed, so readers never see an incomplete entry; a checksum detects entries damaged by a full disk or by copying. If
the cache cannot be written, entries are created for the current run only.
"""

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar


logger = logging.getLogger(__name__)

KEPT = 12
"""Largest number of entries in a folder; those unused for longest are removed."""

Read = TypeVar("Read")

_CHECKSUM = "sha256"
_MAKING = "making-"


def cache_folder() -> Path:
    """Return the folder of the cache: `CLOTHSEG_CACHE`, or else the folder `clothseg` in the Hugging Face home."""
    from huggingface_hub.constants import HF_HOME

    return Path(os.environ.get("CLOTHSEG_CACHE") or Path(HF_HOME) / "clothseg").expanduser()


def cached(entry: Path, make: Callable[[Path], object], read: Callable[[Path], Read], what: str) -> Read:
    """Return the result of `read` for an entry's folder, after creating the entry if it is missing.

    Args:
        entry: the folder, in `cache_folder()` or a folder there; its name is the key.
        make: writes the entry's files into an empty folder; called if there is no complete entry.
        read: given the folder. If it fails on an entry of an earlier run, the entry is created again. It may leave
            files open, but must not open more of them later: the folder is moved, or gone, by then.
        what: what messages call it, such as "converted model".
    """
    found = find_entry(entry, read, what)
    if found is not None:
        return found
    with new_entry(entry, what) as made:
        make(made)
        return read(made)  # before it is moved; afterwards another process may replace or remove it


def find_entry(entry: Path, read: Callable[[Path], Read], what: str) -> Read | None:
    """Return the result of `read` for an entry's folder; None if there is no complete, readable entry.

    Args:
        entry, read, what: as for `cached`.
    """
    if not entry.exists():
        return None
    if not _is_whole(entry):
        logger.warning("The %s in %s is damaged and is created again.", what, entry)
        return None
    try:
        found = read(entry)
    except Exception as error:  # any error: the entry is replaced
        logger.warning("The %s in %s cannot be read (%s) and is created again.", what, entry, error)
        return None
    _mark_as_used(entry)
    return found


@contextmanager
def new_entry(entry: Path, what: str) -> Iterator[Path]:
    """An empty folder to write an entry's files into, which is moved into place after success, if possible.

    Args:
        entry, what: as for `cached`.
    """
    with _workshop(entry.parent, what) as workshop:
        made = Path(workshop) / "entry"
        made.mkdir()
        yield made
        (made / _CHECKSUM).write_text(_checksum(made))
        _put(made, entry)


def _workshop(cache: Path, what: str) -> tempfile.TemporaryDirectory[str]:
    """Return a folder in which to create an entry: beside its place, or elsewhere if that cannot be written."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=_MAKING, dir=cache, ignore_cleanup_errors=True)
    except OSError as error:
        logger.warning(
            "The cache %s cannot be written (%s): the %s is created again at each start. Set CLOTHSEG_CACHE to a "
            "writable folder.",
            cache,
            error.strerror or error,
            what,
        )
        return tempfile.TemporaryDirectory(prefix="clothseg-", ignore_cleanup_errors=True)


def _put(made: Path, entry: Path) -> None:
    """Move a new entry to its place, if possible."""
    try:
        if entry.exists():
            # Removes an unreadable entry, or an equivalent one of another process.
            os.replace(entry, made.with_name("replaced"))
        os.replace(made, entry)
        _prune(entry.parent)
    except OSError:  # the cache is read-only, or another process came first
        return


def _is_whole(entry: Path) -> bool:
    try:
        return (entry / _CHECKSUM).read_text() == _checksum(entry)
    except (OSError, UnicodeDecodeError):
        return False


def _checksum(entry: Path) -> str:
    lines = []
    for path in sorted(entry.iterdir()):
        if path.name != _CHECKSUM:
            with path.open("rb") as file:
                lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    return "".join(lines)


def _mark_as_used(entry: Path) -> None:
    try:
        os.utime(entry)
    except OSError:  # nothing is removed from a read-only cache either
        return


def _prune(cache: Path) -> None:
    """Remove the entries above the limit, and the leftovers of processes that were killed while creating one."""
    entries = [path for path in cache.iterdir() if (path / _CHECKSUM).is_file()]
    entries.sort(key=lambda path: path.stat().st_mtime)
    an_hour_ago = time.time() - 3600
    abandoned = [path for path in cache.glob(f"{_MAKING}*") if path.stat().st_mtime < an_hour_ago]
    for path in [*entries[:-KEPT], *abandoned]:
        shutil.rmtree(path, ignore_errors=True)
