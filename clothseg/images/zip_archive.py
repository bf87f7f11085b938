"""Read photos from untrusted ZIPs: one at a time, into memory, never writing to a path that the ZIP gives."""

import re
import stat
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BufferedReader, FileIO
from pathlib import Path, PurePosixPath
from typing import Any, Self

from clothseg.errors import ConfigError, ImageError
from clothseg.images.file_types import HEAD_BYTES


SUFFIX = ".zip"
"""Suffix of archives."""

_MB = 2**20
_ENTRY_BYTES = 256
"""Bytes that an entry of a ZIP's directory may take on average: 46 bytes, its name, times and owner."""
_SMALL = _MB
"""Bytes up to which no ratio is suspicious, since a plain white picture compresses very well."""
_ENCRYPTED, _UTF8 = 0x1 | 0x40 | 0x2000, 0x800
"""Bits of a member's flags."""


@dataclass(frozen=True)
class Limits:
    """Limits for one ZIP; the defaults suit a public service.

    Attributes:
        files: number of entries of any kind.
        photo_bytes: unpacked size of a photo.
        total_bytes: unpacked size of all photos.
        ratio: unpacked by packed size of a photo of more than 1 MB.
    """

    files: int = 5000
    photo_bytes: int = 64 * _MB
    total_bytes: int = 4096 * _MB
    ratio: int = 200


@dataclass(frozen=True)
class Member:
    """A photo in a ZIP.

    Attributes:
        name: its path within the ZIP, made relative and without `..`.
        size: unpacked size in bytes.
        crc: CRC-32 of its bytes.
    """

    name: PurePosixPath
    size: int
    crc: int
    _info: zipfile.ZipInfo
    _problem: str


class Archive:
    """The photos in a ZIP. Several threads may read at the same time; close the archive after use.

    Attributes:
        photos: in the order of the ZIP. Folders, other files, nested ZIPs and files that macOS adds are left out;
            duplicates are included. Photos that cannot be read are included too; reading them raises an error.
    """

    def __init__(
        self, path: Path, is_photo: Callable[[PurePosixPath, Callable[[], bytes]], bool], limits: Limits | None = None
    ) -> None:
        """Read the ZIP's directory.

        Args:
            path: the ZIP.
            is_photo: returns whether a file of this name is a photo; gets a function that returns its first bytes.
            limits: limits for the ZIP.

        Raises:
            ConfigError: no such file, not a valid ZIP, or over the limits.
        """
        limits = limits or Limits()
        name = path.name
        try:
            self._zip = zipfile.ZipFile(_Guarded(path, limits))
        except ConfigError:
            raise
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
        except Exception as error:  # what zipfile raises for damage is not documented: struct.error, ValueError ...
            raise ConfigError(
                f"{name} is not a ZIP, or is damaged or incomplete ({error}); create the ZIP again."
            ) from error
        try:
            entries = self._zip.infolist()
            if len(entries) > limits.files:
                raise ConfigError(_too_many(name, limits))
            # `is_dir` fails for an entry without a name, which no program can unpack.
            members = (_member(entry, limits) for entry in entries if entry.filename and not entry.is_dir())
            self.photos = tuple(member for member in members if is_photo(member.name, partial(self._head, member)))
            total = sum(member.size for member in self.photos if not member._problem)
            if total > limits.total_bytes:
                raise ConfigError(
                    f"The photos in {name} take {total // _MB:,} MB when unpacked and the limit is "
                    f"{limits.total_bytes // _MB:,} MB; split it or unpack it first."
                )
        except BaseException:
            self.close()
            raise
        self._turn = threading.Lock()

    def read(self, member: Member) -> bytes:
        """Return the bytes of one of `photos`, at most the limit for one.

        Raises:
            ImageError: it is a link, encrypted, damaged or too large, or its name points outside the ZIP.
        """
        if member._problem:
            raise ImageError(f"{member.name} {member._problem}")
        try:
            with self._turn, self._zip.open(member._info) as file:
                data = file.read(member.size)
                file.read(1)  # at its end the checksum is compared
        except Exception as error:  # zlib.error, BadZipFile, EOFError, NotImplementedError ...
            raise ImageError(f"{member.name} is damaged in the ZIP ({error}); create the ZIP again.") from error
        if len(data) < member.size:
            raise ImageError(f"{member.name} is incomplete in the ZIP; create the ZIP again.")
        return data

    def _head(self, member: Member) -> bytes:
        """Return the first bytes of a member; empty if it cannot be read."""
        if member._problem:
            return b""
        try:
            with self._zip.open(member._info) as file:
                return file.read(HEAD_BYTES)
        except Exception:  # as in `read`
            return b""

    def close(self) -> None:
        """Close the file."""
        file: Any = self._zip.fp
        self._zip.close()
        if file is not None:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Guarded(BufferedReader):
    """A file for zipfile that limits the size of the directory, which zipfile reads at once into one object per
    entry."""

    def __init__(self, path: Path, limits: Limits) -> None:
        super().__init__(FileIO(path))
        self._path, self._limits = path, limits

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > max(self._limits.files * _ENTRY_BYTES, 2**17):  # its end is searched in 2**16
            raise ConfigError(_too_many(self._path.name, self._limits))
        return super().read(size)


def _too_many(name: str, limits: Limits) -> str:
    return f"{name} holds too many files: the limit is {limits.files:,}; split it or unpack it first."


def _member(entry: zipfile.ZipInfo, limits: Limits) -> Member:
    raw = entry.filename
    if not entry.flag_bits & _UTF8:  # zipfile decoded it as cp437; many packers write UTF-8 without the flag
        try:
            raw = raw.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    # zipfile cuts names at a null byte, and leaves backslashes as they are
    raw = "".join(character if character.isprintable() else "_" for character in raw.replace("\\", "/"))
    parts = [part for part in raw.split("/") if part not in ("", ".", "..")]
    name = PurePosixPath(*(part.replace(":", "_") for part in parts) if parts else "_")
    return Member(name, entry.file_size, entry.CRC, entry, _problem(entry, raw, limits))


def _problem(entry: zipfile.ZipInfo, name: str, limits: Limits) -> str:
    """Return why a member cannot be read, as the end of a sentence; empty if it can."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        return f"was not read: its name in the ZIP points outside the ZIP ({name})."
    if kind not in (0, stat.S_IFREG):
        return "was not read: it is a link in the ZIP, not a file; add the photo itself."
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted; pack it without a password."
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # zipfile supports other methods, but without a limit on the size of each unpacked chunk.
        return "uses an unusual compression; create the ZIP with the usual one (deflate)."
    if entry.file_size > limits.photo_bytes:
        return (
            f"takes {entry.file_size // _MB:,} MB when unpacked and the limit is {limits.photo_bytes // _MB:,} MB; "
            "make it smaller first."
        )
    if entry.file_size > max(_SMALL, limits.ratio * entry.compress_size):
        return (
            f"becomes {entry.file_size // max(1, entry.compress_size):,} times larger when unpacked and the limit is "
            f"{limits.ratio}; this is not a usual photo."
        )
    return ""
