"""Storage of output files: a local folder, or a folder of remote storage.

Names are paths below the folder, with slashes, in valid UTF-8.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from clothseg.errors import ConfigError, UsageError
from clothseg.images.atomic_files import atomic_path, clear_leftovers
from clothseg.images.file_names import system_path
from clothseg.images.remote import Remote, explained


_BUCKETS = {"s3", "gs", "abfs", "az", "hf", "oss", "oci"}
"""Protocols of storages without real folders, where writing creates everything except the bucket."""


class Storage(Protocol):
    """The storage of an output folder. Every method may raise `OSError`."""

    def prepare(self, folders: Iterable[str]) -> None:
        """Create folders, and remove what killed processes have left."""

    def refresh(self) -> None:
        """Look again for files that other processes have written."""

    def exists(self, name: str) -> bool:
        """Return whether there is such a file."""

    def read(self, name: str) -> bytes:
        """Return a file's content, or raise `FileNotFoundError`."""

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files, each completely or not at all; the last one after all others."""

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""

    def folders(self, name: str) -> list[str]:
        """Return the names of the folders directly in a folder."""

    def names(self, name: str) -> list[str]:
        """Return the names of the files directly in a folder."""

    def writing(self, name: str) -> Any:
        """Return a context manager that gives a text stream for a file, which is written when the context ends."""

    def state(self, name: str) -> Any:
        """Return a value that changes when a file is written anew, or None if there is no such file."""


def storage_of(place: Path | Remote) -> Storage:
    """Return the storage of an output folder.

    Raises:
        UsageError: it cannot be written file by file.
    """
    return LocalStorage(place) if isinstance(place, Path) else RemoteStorage(place)


class LocalStorage:
    """A folder of this machine, or one that several machines have mounted."""

    def __init__(self, path: Path) -> None:
        """Remember the folder; nothing is created yet."""
        self.path = path

    def prepare(self, folders: Iterable[str]) -> None:
        """Create folders, and remove what killed processes have left."""
        for folder in folders:
            (self.path / folder).mkdir(parents=True, exist_ok=True)
        clear_leftovers(self.path, deep=True)

    def refresh(self) -> None:
        """Do nothing: the disk is read each time."""

    def exists(self, name: str) -> bool:
        """Return whether there is such a file."""
        return self._path(name).exists()

    def read(self, name: str) -> bytes:
        """Return a file's content, or raise `FileNotFoundError`."""
        return self._path(name).read_bytes()

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files in this order, each atomically."""
        for name, content in files.items():
            path = self._path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as file:
                file.write_bytes(content)

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""
        self._path(name).unlink(missing_ok=True)

    def folders(self, name: str) -> list[str]:
        """Return the names of the folders directly in a folder."""
        return [folder.name for folder in self._path(name).glob("*/")]

    def names(self, name: str) -> list[str]:
        """Return the names of the files directly in a folder."""
        return [file.name for file in self._path(name).glob("*") if file.is_file()]

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[str]]:
        """Yield a text stream for a file, which replaces the older one when the context ends."""
        with atomic_path(self._path(name)) as file, file.open("w", newline="", encoding="utf-8") as stream:
            yield stream

    def state(self, name: str) -> tuple[int, int] | None:
        """Return time and inode of a file, or None."""
        try:
            status = self._path(name).stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_ino

    def _path(self, name: str) -> Path:
        return self.path / system_path(name)


class RemoteStorage:
    """A folder of remote storage. It is listed once; afterwards this process knows what it has written itself."""

    def __init__(self, remote: Remote) -> None:
        """Check the kind of storage.

        Raises:
            UsageError: it is a repo of the Hub, where each file would be a commit.
        """
        if remote.url.startswith("hf://") and not remote.path.startswith("buckets/"):
            raise UsageError(
                f"{remote} is a repo of the Hub, where each file written would be a commit: give a local folder and "
                "push it with `hf upload`, or use --dataset with --push_to_hub."
            )
        self.remote = remote
        self._known: set[str] | None = None

    def prepare(self, folders: Iterable[str]) -> None:
        """List the folder, and check that it can be written."""
        self.refresh()
        self.write({".clothseg": b""})
        self.remove(".clothseg")

    def refresh(self) -> None:
        """List the folder again."""
        self._known = set(self.remote.files())

    def exists(self, name: str) -> bool:
        """Return whether there is such a file, as far as this process knows."""
        return name in self._names

    def read(self, name: str) -> bytes:
        """Return a file's content, or raise `FileNotFoundError`."""
        if name not in self._names:
            raise FileNotFoundError(name)
        return self.remote.read(name)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write all files but the last one at once, then the last one."""
        *others, last = files
        for names in filter(None, (others, [last])):
            contents = {self.remote.inside(name): files[name] for name in names}
            with _as_os_error():
                _with_folders(self.remote, list(contents), lambda: self.remote.fs.pipe(contents))  # noqa: B023
            self._names.update(names)

    def remove(self, name: str) -> None:
        """Remove a file if it exists, as far as this process knows."""
        if name in self._names:
            with _as_os_error(), suppress(FileNotFoundError):
                self.remote.fs.rm_file(self.remote.inside(name))
            self._names.discard(name)

    def folders(self, name: str) -> list[str]:
        """Return the names of the folders directly in a folder."""
        return sorted({path.partition("/")[0] for path in self._below(name) if "/" in path})

    def names(self, name: str) -> list[str]:
        """Return the names of the files directly in a folder."""
        return [path for path in self._below(name) if "/" not in path]

    def _below(self, name: str) -> list[str]:
        start = f"{name}/"
        return [known[len(start) :] for known in self._names if known.startswith(start)]

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[str]]:
        """Yield a text stream of a temporary file, which is uploaded when the context ends."""
        with tempfile.TemporaryDirectory(prefix="clothseg-") as folder:
            path = Path(folder, "file")
            with path.open("w", newline="", encoding="utf-8") as stream:
                yield stream
            upload(path, self.remote, name)
        self._names.add(name)

    def state(self, name: str) -> str | None:
        """Return a checksum of what the storage says of a file, or None."""
        self.remote.fs.invalidate_cache()
        with _as_os_error():
            try:
                found = str(self.remote.fs.ukey(self.remote.inside(name)))
            except FileNotFoundError:
                return None
        self._names.add(name)
        return found

    @property
    def _names(self) -> set[str]:
        if self._known is None:
            self.refresh()
        assert self._known is not None
        return self._known


def upload(path: Path, remote: Remote, name: str) -> None:
    """Copy a local file to a file below a remote folder.

    Raises:
        OSError: it cannot be written.
    """
    target = remote.inside(name)
    with _as_os_error():
        _with_folders(remote, [target], lambda: remote.fs.put_file(str(path), target))


def _with_folders(remote: Remote, paths: list[str], write: Callable[[], Any]) -> None:
    """Write files; where a storage has real folders and some are missing, create them first."""
    try:
        write()
    except FileNotFoundError:
        protocol = remote.fs.protocol
        if _BUCKETS & ({protocol} if isinstance(protocol, str) else set(protocol)):
            raise  # the bucket is missing, probably because its name is wrong
        for folder in {str(PurePosixPath(path).parent) for path in paths}:
            remote.fs.makedirs(folder, exist_ok=True)
        write()


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Turn what the clients of storages raise into `OSError`."""
    try:
        with explained(""):
            yield
    except ConfigError as error:
        cause = error.__cause__
        raise cause if isinstance(cause, OSError) else OSError(str(cause or error)) from error
