"""Collect the photos of files, folders, remote storage and ZIPs, each with a unique name for its output files."""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from unicodedata import normalize

from clothseg.errors import ConfigError, ImageError
from clothseg.images.decode import address_problem
from clothseg.images.file_names import as_utf8, portable
from clothseg.images.file_types import HEAD_BYTES, RAW, SUFFIXES, is_photo, without_suffix
from clothseg.images.remote import Remote, explained, stamp
from clothseg.images.zip_archive import SUFFIX, Archive, Limits


MOST_REMOTE_BYTES = 2**28
"""Largest photo that is read from remote storage; unlike a local file, it is read into memory before it is opened."""


class Source(NamedTuple):
    """A photo to read.

    `name` is its path within the folder or ZIP, or its file name, as in `file_names.as_utf8`. `files` is a unique name
    for its output files, without a suffix, in valid UTF-8. `read` returns what `load_photo` takes. `stamp` changes
    when the photo changes.
    """

    name: PurePosixPath
    files: PurePosixPath
    read: Callable[[], Path | bytes]
    stamp: tuple[int, ...]


@contextmanager
def collected(
    paths: Iterable[Path | Remote],
    *,
    leave_out: Sequence[Path | Remote] = (),
    unpack: bool = False,
    limits: Limits | None = None,
    may_be_empty: bool = False,
) -> Iterator[list[Source]]:
    """Yield the photos of files and folders, sorted by name; ZIPs stay open during the context.

    Files named in `paths` are always included; of a folder or ZIP, those that `file_types.is_photo` accepts.

    Args:
        paths: photos, folders with photos and, with `unpack`, ZIPs of photos.
        leave_out: folders to leave out, at any depth.
        unpack: whether to read ZIPs. Remote ones are downloaded to a temporary file.
        limits: limits for ZIPs.
        may_be_empty: accept folders without photos.

    Raises:
        ConfigError: a path does not exist or contains no photos, a ZIP is damaged or exceeds the limits, or a storage
            does not answer.
    """
    with ExitStack() as stack:
        found: list[Source] = []
        for path in paths:
            if not path.exists():
                problem = address_problem(path) if isinstance(path, Path) else None
                raise ConfigError(problem or f"There is no file or folder {path}; check the path.")
            if PurePosixPath(path.name).suffix.lower() == SUFFIX and path.is_file():
                if not unpack:
                    raise ConfigError(f"{path} is a ZIP: add --zip to segment the photos in it.")
                local = path if isinstance(path, Path) else stack.enter_context(_downloaded(path))
                kind, inside = "ZIP", _in_archive(stack.enter_context(Archive(local, is_photo, limits)))
            elif isinstance(path, Remote):
                kind, inside = "folder", _in_remote(path, leave_out)
            elif path.is_dir():
                kind, inside = "folder", _in_folder(path, [each for each in leave_out if isinstance(each, Path)])
            else:
                kind, inside = "file", [_file(path, PurePosixPath(as_utf8(path.name)))]
            if not inside and not may_be_empty:
                raise ConfigError(f"The {kind} {path} holds no photos ({', '.join(SUFFIXES)}, or the like).")
            found += inside
        found.sort(key=lambda source: source.name)
        names = _distinct([source.name for source in found])
        yield [source._replace(files=files) for source, files in zip(found, names, strict=True)]


@contextmanager
def _downloaded(remote: Remote) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="clothseg-") as folder:
        path = Path(folder, remote.name)
        with explained(remote):
            remote.fs.get_file(remote.path, str(path))
        yield path


def _in_remote(remote: Remote, leave_out: Sequence[Path | Remote]) -> list[Source]:
    if remote.is_file():
        return [_remote_file(remote, "", PurePosixPath(remote.name), remote.info())]
    others = [each for each in leave_out if isinstance(each, Remote) and remote.contains(each)]
    barred = [other.path[len(remote.path) :].strip("/") for other in others]
    found = []
    for text, info in remote.files().items():
        name = PurePosixPath(text)
        if is_photo(name, partial(_remote_head, remote, text)) and not any(map(name.is_relative_to, barred)):
            found.append(_remote_file(remote, text, name, info))
    return found


def _remote_file(remote: Remote, text: str, name: PurePosixPath, info: Mapping[str, Any]) -> Source:
    size = int(info.get("size") or 0)
    if size > MOST_REMOTE_BYTES:
        return _source(name, partial(_refuse_size, remote.address(text), size), stamp(info))
    return _source(name, partial(_read_remote, remote, text), stamp(info))


def _refuse_size(address: str, size: int) -> bytes:
    raise ImageError(
        f"{address} has {size / 2**20:.0f} MB; photos in remote storage may have {MOST_REMOTE_BYTES / 2**20:.0f} MB. "
        "Copy it here and give its path."
    )


def _read_remote(remote: Remote, name: str) -> bytes:
    try:
        return remote.read(name)
    except OSError as error:
        where = remote.address(name)
        raise ImageError(f"{where} could not be read: {error.strerror or error or type(error).__name__}.") from error


def _remote_head(remote: Remote, name: str) -> bytes:
    try:
        return remote.read(name, 0, HEAD_BYTES)
    except OSError:
        return b""


def _source(name: PurePosixPath, read: Callable[[], Path | bytes], stamp: tuple[int, ...]) -> Source:
    return Source(name, name, partial(_refuse_raw, name) if name.suffix.lower() in RAW else read, stamp)


def _refuse_raw(name: PurePosixPath) -> bytes:
    raise ImageError(f"{name} is a camera's raw file, which is not supported; export it as JPEG or PNG.")


def _file(path: Path, name: PurePosixPath) -> Source:
    stamp: tuple[int, ...] = ()
    with suppress(OSError):  # reading will say why
        status = path.stat()
        stamp = status.st_size, status.st_mtime_ns
    return _source(name, lambda: path, stamp)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _in_folder(folder: Path, leave_out: Sequence[Path]) -> list[Source]:
    barred = [path.resolve() for path in leave_out]
    found = []
    for path in sorted(folder.rglob("*")):
        name = PurePosixPath(as_utf8(path.relative_to(folder).as_posix()))
        if (
            path.is_file()
            and is_photo(name, partial(_head, path))
            and not any(map(path.resolve().is_relative_to, barred))
        ):
            found.append(_file(path, name))
    return found


def _in_archive(archive: Archive) -> list[Source]:
    return [_source(photo.name, partial(archive.read, photo), (photo.size, photo.crc)) for photo in archive.photos]


def _distinct(names: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Return a unique name for the output files of each photo, the same for the same list.

    It is the photo's name without its suffix; with the suffix if another photo differs only in that; and with a number
    if the name is taken; each made `file_names.portable`. Upper and lower case count as equal, since many disks ignore
    case.
    """
    sharing: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        sharing[_folded(portable(without_suffix(name)))].add(_folded(name))
    taken: Counter[str] = Counter()
    found = []
    for name in names:
        stem = portable(without_suffix(name))
        wanted = portable(name) if len(sharing[_folded(stem)]) > 1 else stem
        free = wanted
        while _folded(free) in taken:
            taken[_folded(wanted)] += 1
            free = wanted.with_name(f"{wanted.name}-{taken[_folded(wanted)]}")
        taken[_folded(free)] = 1
        found.append(free)
    return found


def _folded(name: PurePosixPath) -> str:
    return normalize("NFC", str(name)).casefold()
