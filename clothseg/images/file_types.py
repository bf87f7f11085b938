"""Which files of a folder or ZIP are taken for photos: by their suffix, and where that says nothing, by content."""

from collections.abc import Callable
from pathlib import PurePosixPath


SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
    *(".heic", ".heif"),  # told of in the table where they cannot be read, which is better than left out
)
"""Of photos that are read."""

RAW = (".3fr", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw")
"""Of raw files of cameras. Many are TIFF files whose first picture is a thumbnail, so they are refused by name."""

_OTHER = (".jpg_large", ".jpeg_large", ".jp2", ".j2k", ".jpf", ".jpx", ".jxl", ".psd")
"""Of photos under another suffix, and of other kinds of pictures: what is not read of them is named in the table."""

_KNOWN = frozenset((*SUFFIXES, *RAW, *_OTHER))

HEAD_BYTES = 32
"""How much of a file `is_picture` looks at."""

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
    """Whether a file is taken for a photo, or for a picture of a kind that the table is to name.

    What macOS puts beside photos, `._*` and `__MACOSX`, is not.

    Args:
        name: its path within the folder or ZIP.
        head: gives its first `HEAD_BYTES`; asked only where the suffix is not one of pictures.
    """
    if name.name.startswith("._") or "__MACOSX" in name.parts:
        return False
    return name.suffix.lower() in _KNOWN or is_picture(head())


def is_picture(head: bytes) -> bool:
    """Whether a file that begins so is a picture of a kind that is read, or of another that photos come in."""
    if head.startswith(_BEGINNINGS):
        return True
    if head[:4] == b"RIFF":
        return head[8:12] == b"WEBP"
    if head[:2] == b"BM":  # followed by a size and four zeros, for which two letters are too few
        return head[6:10] == b"\0\0\0\0" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS


def without_suffix(name: PurePosixPath) -> PurePosixPath:
    """A photo's path without its suffix; what follows a dot in other names is a part of the name."""
    return name.with_suffix("") if name.suffix.lower() in _KNOWN else name
