"""Photos out of a ZIP that a stranger packed: one at a time, into memory, and never to a path that the ZIP names."""

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
"""How the names of archives end."""

_MB = 2**20
_ENTRY_BYTES = 256
"""What an entry of a ZIP's directory may take on average: 46 bytes, its name, and its times and owner."""
_SMALL = _MB
"""Bytes up to which no ratio is suspicious: a plain white picture packs very well."""
_ENCRYPTED, _UTF8 = 0x1 | 0x40 | 0x2000, 0x800
"""Bits of a member's flags."""


@dataclass(frozen=True)
class Limits:
    """What is taken from one ZIP; the defaults suit a public service.

    Attributes:
        files: entries of any kind.
        photo_bytes: a photo's size when unpacked.
        total_bytes: all photos' size when unpacked.
        ratio: how many times larger unpacked than packed a photo of more than 1 MB may be.
    """

    files: int = 5000
    photo_bytes: int = 64 * _MB
    total_bytes: int = 4096 * _MB
    ratio: int = 200


@dataclass(frozen=True)
class Member:
    """A photo in a ZIP.

    Attributes:
        name: its path within the ZIP, relative and without `..`, whatever the ZIP says.
        size: bytes when unpacked.
        crc: CRC-32 of its bytes.
    """

    name: PurePosixPath
    size: int
    crc: int
    _info: zipfile.ZipInfo
    _problem: str


class Archive:
    """The photos in a ZIP, to be read one by one. Several threads may read at the same time; close it after use.

    Attributes:
        photos: in the order of the ZIP. Folders, other files, other ZIPs and what macOS puts beside photos are left
            out; of two with one name both are there. Those that cannot be read are listed too: reading says why.
    """

    def __init__(
        self, path: Path, is_photo: Callable[[PurePosixPath, Callable[[], bytes]], bool], limits: Limits | None = None
    ) -> None:
        """Read the ZIP's directory.

        Args:
            path: the ZIP.
            is_photo: whether a file of this name is taken for a photo; its first bytes are given when asked for.
            limits: what to refuse.

        Raises:
            ConfigError: no such file, no sound ZIP, or more in it than the limits allow.
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
            raise ConfigError(f"{name} is no ZIP, or is damaged or incomplete ({error}); pack it anew.") from error
        try:
            entries = self._zip.infolist()
            if len(entries) > limits.files:
                raise ConfigError(_too_many(name, limits))
            members = (_member(entry, limits) for entry in entries if not entry.is_dir())
            self.photos = tuple(member for member in members if is_photo(member.name, partial(self._head, member)))
            total = sum(member.size for member in self.photos if not member._problem)
            if total > limits.total_bytes:
                raise ConfigError(
                    f"The photos in {name} take {total // _MB:,} MB when unpacked and the limit is "
                    f"{limits.total_bytes // _MB:,} MB; give it in parts, or unpack it first."
                )
        except BaseException:
            self.close()
            raise
        self._turn = threading.Lock()

    def read(self, member: Member) -> bytes:
        """The bytes of one of `photos`, no more than the limit for one.

        Raises:
            ImageError: it is a link, encrypted, damaged or too large, or its name leads out of the ZIP.
        """
        if member._problem:
            raise ImageError(f"{member.name} {member._problem}")
        try:
            with self._turn, self._zip.open(member._info) as file:
                data = file.read(member.size)
                file.read(1)  # at its end the checksum is compared
        except Exception as error:  # zlib.error, BadZipFile, EOFError, NotImplementedError ...
            raise ImageError(f"{member.name} is damaged in the ZIP ({error}); pack it anew.") from error
        if len(data) < member.size:
            raise ImageError(f"{member.name} is incomplete in the ZIP; pack it anew.")
        return data

    def _head(self, member: Member) -> bytes:
        """The first bytes of a member, none of one that is not to be read or cannot be."""
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
    """A file for zipfile, which reads the whole directory at once and makes an object of each entry."""

    def __init__(self, path: Path, limits: Limits) -> None:
        super().__init__(FileIO(path))
        self._path, self._limits = path, limits

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > max(self._limits.files * _ENTRY_BYTES, 2**17):  # its end is searched in 2**16
            raise ConfigError(_too_many(self._path.name, self._limits))
        return super().read(size)


def _too_many(name: str, limits: Limits) -> str:
    return f"{name} holds too many files: the limit is {limits.files:,}; give it in parts, or unpack it first."


def _member(entry: zipfile.ZipInfo, limits: Limits) -> Member:
    raw = entry.filename
    if not entry.flag_bits & _UTF8:  # zipfile took it for cp437; many packers write UTF-8 without saying so
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
    """Why a member will not be read, as the end of a sentence; empty if it will."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        return f"was not read: its name in the ZIP leads out of it ({name})."
    if kind not in (0, stat.S_IFREG):
        return "was not read: it is a link in the ZIP, not a file; pack the photo itself."
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted; pack it without a password."
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Not for want of code: zipfile unpacks the others without a bound on what comes out at once.
        return "is packed in an unusual way; pack it as a plain ZIP (deflate)."
    if entry.file_size > limits.photo_bytes:
        return (
            f"takes {entry.file_size // _MB:,} MB when unpacked and the limit is {limits.photo_bytes // _MB:,} MB; "
            "make it smaller first."
        )
    if entry.file_size > max(_SMALL, limits.ratio * entry.compress_size):
        return (
            f"becomes {entry.file_size // max(1, entry.compress_size):,} times larger when unpacked and the limit is "
            f"{limits.ratio}; photos do not."
        )
    return ""
