"""Remote storage: folders and files at addresses that fsspec knows, such as `s3://bucket/photos` and `hf://...`.

Where a path is a local one, the rest of the package uses pathlib; `location` tells them apart.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from clothseg.errors import ConfigError, UsageError


_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)(::|://)")

_WEB = ("http", "https", "data")
"""Addresses of single files, which have no folders to list or to write to."""

_CHANGES = (
    "ETag",
    "etag",
    "e_tag",
    "md5Hash",
    "content_md5",
    "blob_id",
    "xet_hash",
    "LastModified",
    "mtime",
    "created",
)
"""Fields of a listing that change with a file's content, the most reliable first."""


def location(text: str) -> "Path | Remote":
    """Return the local path or the remote place that a user has named; `file://` is a local path.

    Raises:
        UsageError: the address is of a kind that cannot be used.
    """
    address = _ADDRESS.match(text)
    if address is None or Path(text).exists():
        return Path(text)
    scheme = address["scheme"].lower()
    if scheme in ("file", "local"):
        return Path(text[address.end() :])
    if scheme in _WEB:
        raise UsageError(f"{text} is a web address, which has no folders; download the photos and give their folder.")
    return Remote(text.rstrip("/"))


class Remote:
    """A file or folder of remote storage. It can be pickled.

    Attributes:
        url: its address, as given.
    """

    def __init__(self, url: str) -> None:
        """Remember the address; nothing is read yet."""
        self.url = url

    def __str__(self) -> str:
        return self.url

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and self.url == other.url

    def __hash__(self) -> int:
        return hash(self.url)

    def __reduce__(self) -> tuple[Any, ...]:
        return Remote, (self.url,)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return PurePosixPath(self.path).name or self.url

    @property
    def fs(self) -> Any:
        """fsspec's file system."""
        return self._opened[0]

    @property
    def path(self) -> str:
        """The path within `fs`."""
        return self._opened[1]

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        import fsspec

        try:
            fs, path = fsspec.core.url_to_fs(self.url)
        except ImportError as error:
            raise UsageError(f"{self.url} needs a package that is not installed: {_first_line(error)}.") from error
        except ValueError as error:
            raise UsageError(f"{self.url} cannot be used: {_first_line(error)}.") from error
        return fs, str(path).rstrip("/")

    def contains(self, other: object) -> bool:
        """Return whether `other` is this place or lies below it."""
        if not isinstance(other, Remote) or type(other.fs) is not type(self.fs):
            return False
        return f"{other.path}/".startswith(f"{self.path}/")

    def is_file(self) -> bool:
        """Return whether it is a file.

        Raises:
            ConfigError: the storage does not answer.
        """
        with explained(self):
            return bool(self.fs.isfile(self.path))

    def exists(self) -> bool:
        """Return whether there is such a file or folder.

        Raises:
            ConfigError: the storage does not answer.
        """
        with explained(self):
            return bool(self.fs.exists(self.path))

    def files(self) -> dict[str, Mapping[str, Any]]:
        """Return the files below a folder: path relative to it -> what the listing says of it; from one listing.

        Raises:
            ConfigError: the storage does not answer.
        """
        with explained(self):
            self.fs.invalidate_cache()
            try:
                found = self.fs.find(self.path, detail=True)
            except FileNotFoundError:
                return {}
        start = len(self.path) + 1 if self.path else 0
        found = {str(path).rstrip("/"): info for path, info in found.items() if info.get("type") == "file"}
        return {path[start:]: info for path, info in sorted(found.items()) if path[start:]}

    def info(self) -> Mapping[str, Any]:
        """Return what a listing says of the file itself.

        Raises:
            ConfigError: the storage does not answer.
        """
        with explained(self):
            found: Mapping[str, Any] = self.fs.info(self.path)
            return found

    def read(self, name: str = "", start: int | None = None, end: int | None = None) -> bytes:
        """Return the content of a file below the folder, or of the file itself, or bytes `start` to `end` of it.

        Raises:
            FileNotFoundError: there is no such file.
            OSError: it cannot be read.
        """
        try:
            return bytes(self.fs.cat_file(self.inside(name), start=start, end=end))
        except OSError:
            raise
        except Exception as error:  # each storage's client has its own
            raise OSError(_first_line(error)) from error

    def inside(self, name: str) -> str:
        """Return the path within `fs` of a file below the folder."""
        return f"{self.path}/{name}" if name else self.path

    def address(self, name: str) -> str:
        """Return the address of a file below the folder, with its scheme, or the file's own for ""."""
        return str(self.fs.unstrip_protocol(self.inside(name)))


def stamp(info: Mapping[str, Any]) -> tuple[int, ...]:
    """Return numbers that change when a file changes, from what a listing says of it."""
    change = next((str(info[key]) for key in _CHANGES if info.get(key) is not None), "")
    return int(info.get("size") or 0), int.from_bytes(sha256(change.encode()).digest()[:6], "big")


@contextmanager
def explained(place: object) -> Iterator[None]:
    """Turn what the clients of storages raise into one sentence; `FileNotFoundError` passes.

    Raises:
        ConfigError: the storage does not answer, or refuses.
    """
    try:
        yield
    except (FileNotFoundError, ConfigError):
        raise
    except PermissionError as error:
        raise ConfigError(f"{place}: access is denied ({_first_line(error)}); check the credentials.") from error
    except Exception as error:
        raise ConfigError(f"{place} cannot be used: {_first_line(error)}.") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__).rstrip(".")
