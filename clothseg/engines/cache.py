"""Files that take long to make, kept on disk between runs: whole or not at all, whoever else is writing.

An entry is a folder named by a key that says all its content depends on. It is made beside its place and renamed into
it, so a reader never meets half of one; its checksum finds what a full disk or a copy has spoilt. Where the cache
cannot be written, entries are made anew for the run alone.
"""

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar


logger = logging.getLogger(__name__)

KEPT = 12
"""Entries that stay: of more, those that have been unused for longest are removed."""

Read = TypeVar("Read")

_CHECKSUM = "sha256"
_MAKING = "making-"
_SOURCES = Path(__file__).parents[1]


def cache_folder() -> Path:
    """Where entries are kept: `CLOTHSEG_CACHE`, or else the folder `clothseg` in the Hugging Face home."""
    from huggingface_hub.constants import HF_HOME

    return Path(os.environ.get("CLOTHSEG_CACHE") or Path(HF_HOME) / "clothseg").expanduser()


def cache_key(*parts: str, packages: tuple[str, ...]) -> str:
    """A short name for what `parts`, the versions of `packages` and our own code for networks determine."""
    ours = [
        _SOURCES / "models/decode_head.py",
        _SOURCES / "models/clothseg_lite.py",
        *sorted(Path(__file__).parent.glob("*.py")),
    ]
    code = [hashlib.sha256(path.read_bytes()).hexdigest() for path in ours]
    versions = [f"{package} {_version(package)}" for package in packages]
    return hashlib.sha256("\n".join([*parts, *versions, *code]).encode()).hexdigest()[:32]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def cached(key: str, make: Callable[[Path], object], read: Callable[[Path], Read]) -> Read:
    """What `read` makes of the entry's folder.

    Args:
        key: names the entry; a file name.
        make: writes the entry's files into an empty folder; called where there is no whole entry.
        read: given the folder. If it fails on an entry of an earlier run, the entry is made anew. It may leave files
            open, but must not open more of them later: the folder is moved, or gone, by then.
    """
    folder = cache_folder() / key
    if folder.exists() and not _is_whole(folder):
        logger.warning("The converted model in %s is damaged: it is converted again.", folder)
    elif folder.exists():
        try:
            found = read(folder)
        except Exception as error:  # whatever is wrong with it, a new one is the cure
            logger.warning("The converted model in %s cannot be read (%s): it is converted again.", folder, error)
        else:
            _mark_as_used(folder)
            return found
    with _workshop(folder.parent) as workshop:
        made = Path(workshop) / "entry"
        made.mkdir()
        make(made)
        (made / _CHECKSUM).write_text(_checksum(made))
        found = read(made)  # before it is moved: from then on another process may replace or remove it
        _put(made, folder)
        return found


def _workshop(cache: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder to make an entry in: beside its place, or elsewhere if that cannot be written."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=_MAKING, dir=cache, ignore_cleanup_errors=True)
    except OSError as error:
        logger.warning(
            "The cache %s cannot be written (%s): the model is converted anew at each start. Set "
            "CLOTHSEG_CACHE to a folder that can be.",
            cache,
            error.strerror or error,
        )
        return tempfile.TemporaryDirectory(prefix="clothseg-", ignore_cleanup_errors=True)


def _put(made: Path, folder: Path) -> None:
    """Move a new entry into its place, if that can be."""
    try:
        if folder.exists():
            # An unreadable one, or that of another process that was quicker, which is as good as ours.
            os.replace(folder, made.with_name("replaced"))
        os.replace(made, folder)
        _prune(folder.parent)
    except OSError:  # the cache is read-only, or another process was quicker between two lines
        return


def _is_whole(folder: Path) -> bool:
    try:
        return (folder / _CHECKSUM).read_text() == _checksum(folder)
    except (OSError, UnicodeDecodeError):
        return False


def _checksum(folder: Path) -> str:
    lines = []
    for path in sorted(folder.iterdir()):
        if path.name != _CHECKSUM:
            with path.open("rb") as file:
                lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    return "".join(lines)


def _mark_as_used(folder: Path) -> None:
    try:
        os.utime(folder)
    except OSError:  # of a cache that is only read, nothing is removed either
        return


def _prune(cache: Path) -> None:
    """Remove the entries above the limit, and what processes left that were killed while they made one."""
    entries = [path for path in cache.iterdir() if (path / _CHECKSUM).is_file()]
    entries.sort(key=lambda path: path.stat().st_mtime)
    an_hour_ago = time.time() - 3600
    abandoned = [path for path in cache.glob(f"{_MAKING}*") if path.stat().st_mtime < an_hour_ago]
    for path in [*entries[:-KEPT], *abandoned]:
        shutil.rmtree(path, ignore_errors=True)
