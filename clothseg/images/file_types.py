"""Recognise photos in folders and ZIPs, by suffix or else by content."""

from collections.abc import Callable
from pathlib import PurePosixPath


SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
    *(".heic", ".heif"),  # if unreadable, they are listed with an error instead of being skipped
)
"""Suffixes of photos that can be read."""

RAW = (".3fr", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw")
"""Suffixes of camera raw files. Many are TIFF files whose first picture is a thumbnail, so they are rejected by
name."""

_OTHER = (".jpg_large", ".jpeg_large", ".jp2", ".j2k", ".jpf", ".jpx", ".jxl", ".psd")
"""Suffixes of other photos and pictures. Those that cannot be read are listed in the table with an error."""

_KNOWN = frozenset((*SUFFIXES, *RAW, *_OTHER))

HEAD_BYTES = 32
"""Number of bytes that `is_picture` looks at."""

_BEGINNINGS = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),  # TIFF
    *(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xffO\xffQ"),  # JPEG 2000
    b"\0\0\0\x0cJXL \r\n\x87\n",
    b"8BPS",  # Photoshop
)
_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"crx ")
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)


def is_photo(name: PurePosixPath, head: Callable[[], bytes]) -> bool:
    """Return whether a file is a photo, or another kind of picture that the table should list.

    Files that macOS adds, `._*` and `__MACOSX`, are not photos.

    Args:
        name: its path within the folder or ZIP.
        head: returns the first `HEAD_BYTES` of the file; called only if the suffix is not one of pictures.
    """
    if name.name.startswith("._") or "__MACOSX" in name.parts:
        return False
    return name.suffix.lower() in _KNOWN or is_picture(head())


def is_picture(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is a picture, readable or not."""
    if head.startswith(_BEGINNINGS):
        return True
    if head[:4] == b"RIFF":
        return head[8:12] == b"WEBP"
    if head[:2] == b"BM":  # followed by a size and four zeros, for which two letters are too few
        return head[6:10] == b"\0\0\0\0" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS


def without_suffix(name: PurePosixPath) -> PurePosixPath:
    """Return a photo's path without its suffix; text after a dot in other names belongs to the name."""
    return name.with_suffix("") if name.suffix.lower() in _KNOWN else name
