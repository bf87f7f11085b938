"""Which photos are meant: those of files, folders and ZIPs, each with a name of its own for what is made of it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from unicodedata import normalize

from clothseg.errors import ConfigError, ImageError
from clothseg.images.decode import address_problem
from clothseg.images.file_names import as_utf8, portable
from clothseg.images.file_types import HEAD_BYTES, RAW, SUFFIXES, is_photo, without_suffix
from clothseg.images.zip_archive import SUFFIX, Archive, Limits


class Source(NamedTuple):
    """A photo to be read.

    `name` is its path within the folder or ZIP that was given, or its file's name, as `file_names.as_utf8` has it.
    `files` is the name for what is made of it, without a suffix, and differs from those of all others; UTF-8 can hold
    it. `read` gives what `load_photo` takes. `stamp` changes when the photo does.
    """

    name: PurePosixPath
    files: PurePosixPath
    read: Callable[[], Path | bytes]
    stamp: tuple[int, ...]


@contextmanager
def collected(
    paths: Iterable[Path], *, leave_out: Sequence[Path] = (), unpack: bool = False, limits: Limits | None = None
) -> Iterator[list[Source]]:
    """Give the photos of files and folders, sorted by name; ZIPs are open for as long as the context.

    A file that is named is always taken; of a folder or ZIP, what `file_types.is_photo` takes for a photo.

    Args:
        paths: photos, folders with photos and, with `unpack`, ZIPs of photos.
        leave_out: folders of which nothing is taken, wherever they lie.
        unpack: whether to look into ZIPs that are given.
        limits: what to refuse of a ZIP.

    Raises:
        ConfigError: a path does not exist or has no photos, or a ZIP is damaged or beyond the limits.
    """
    with ExitStack() as stack:
        found: list[Source] = []
        for path in paths:
            if not path.exists():
                raise ConfigError(address_problem(path) or f"There is no file or folder {path}; check the path.")
            if path.suffix.lower() == SUFFIX and path.is_file():
                if not unpack:
                    raise ConfigError(f"{path} is a ZIP: give --zip to take the photos in it.")
                inside = _in_archive(stack.enter_context(Archive(path, is_photo, limits)))
            else:
                inside = (
                    _in_folder(path, leave_out) if path.is_dir() else [_file(path, PurePosixPath(as_utf8(path.name)))]
                )
            if not inside:
                kind = "folder" if path.is_dir() else "ZIP"
                raise ConfigError(f"The {kind} {path} holds no photos ({', '.join(SUFFIXES)}, or the like).")
            found += inside
        found.sort(key=lambda source: source.name)
        names = _distinct([source.name for source in found])
        yield [source._replace(files=files) for source, files in zip(found, names, strict=True)]


def _source(name: PurePosixPath, read: Callable[[], Path | bytes], stamp: tuple[int, ...]) -> Source:
    return Source(name, name, partial(_refuse_raw, name) if name.suffix.lower() in RAW else read, stamp)


def _refuse_raw(name: PurePosixPath) -> bytes:
    raise ImageError(f"{name} is a camera's raw file, which is not read; export it as JPEG or PNG.")


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
    """A name for what is made of each photo, the same for the same list.

    It is the photo's without its suffix; with it where another's differs in that alone; and with a number where the
    name is taken; `file_names.portable` in each case. Capital letters do not count: on many disks they make no other
    file.
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
