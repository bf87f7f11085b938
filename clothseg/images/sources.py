"""Which photos are meant: those of files, folders and ZIPs, each with a name of its own for what is made of it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from unicodedata import normalize

from clothseg.errors import ConfigError
from clothseg.images.zip_archive import SUFFIX, Archive, Limits


SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
    *(".heic", ".heif"),  # told of in the table where they cannot be read, which is better than left out
)
"""What is taken from a folder or ZIP for a photo; a file that is named is always taken."""


class Source(NamedTuple):
    """A photo to be read.

    `name` is its path within the folder or ZIP that was given, or its file's name. `files` is the name for what is
    made of it, without a suffix, and differs from those of all others. `read` gives what `load_photo` takes.
    `stamp` changes when the photo does.
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

    What macOS puts beside photos, `._*` and `__MACOSX`, is left out.

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
                raise ConfigError(f"There is no file or folder {path}; check the path.")
            if path.suffix.lower() == SUFFIX and path.is_file():
                if not unpack:
                    raise ConfigError(f"{path} is a ZIP: give --zip to take the photos in it.")
                inside = _in_archive(stack.enter_context(Archive(path, _is_photo, limits)))
            else:
                inside = _in_folder(path, leave_out) if path.is_dir() else [_file(path, PurePosixPath(path.name))]
            if not inside:
                kind = "folder" if path.is_dir() else "ZIP"
                raise ConfigError(f"The {kind} {path} holds no photos ({', '.join(SUFFIXES)}).")
            found += inside
        found.sort(key=lambda source: source.name)
        names = _distinct([source.name for source in found])
        yield [source._replace(files=files) for source, files in zip(found, names, strict=True)]


def _is_photo(name: PurePosixPath) -> bool:
    return name.suffix.lower() in SUFFIXES and not name.name.startswith("._") and "__MACOSX" not in name.parts


def _file(path: Path, name: PurePosixPath) -> Source:
    stamp: tuple[int, ...] = ()
    with suppress(OSError):  # reading will say why
        status = path.stat()
        stamp = status.st_size, status.st_mtime_ns
    return Source(name, name, lambda: path, stamp)


def _in_folder(folder: Path, leave_out: Sequence[Path]) -> list[Source]:
    barred = [path.resolve() for path in leave_out]
    found = []
    for path in sorted(folder.rglob("*")):
        name = PurePosixPath(path.relative_to(folder).as_posix())
        if _is_photo(name) and path.is_file() and not any(map(path.resolve().is_relative_to, barred)):
            found.append(_file(path, name))
    return found


def _in_archive(archive: Archive) -> list[Source]:
    return [
        Source(photo.name, photo.name, partial(archive.read, photo), (photo.size, photo.crc))
        for photo in archive.photos
    ]


def _distinct(names: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """A name for what is made of each photo, the same for the same list.

    It is the photo's without its suffix; with it where another's differs in that alone; and with a number where the
    name is taken. Capital letters do not count: on many disks they make no other file.
    """
    sharing: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        sharing[_folded(name.with_suffix(""))].add(_folded(name))
    taken: Counter[str] = Counter()
    found = []
    for name in names:
        stem = name.with_suffix("")
        wanted = name if len(sharing[_folded(stem)]) > 1 else stem
        free = wanted
        while _folded(free) in taken:
            taken[_folded(wanted)] += 1
            free = wanted.with_name(f"{wanted.name}-{taken[_folded(wanted)]}")
        taken[_folded(free)] = 1
        found.append(free)
    return found


def _folded(name: PurePosixPath) -> str:
    return normalize("NFC", str(name)).casefold()
