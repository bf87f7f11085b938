"""Open untrusted image files, without decoding them, if they can be decoded in reasonable time and memory."""

import os
import re
from io import BytesIO
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from clothseg.errors import ConfigError, ImageError


try:
    import pillow_heif
except ImportError:
    pillow_heif = None  # type: ignore[assignment]


MAX_PIXELS = 40_000_000
"""Default of the largest number of pixels (width x height)."""

MOST_PIXELS = 2 * 89_478_485
"""Largest value of that limit; Pillow itself rejects larger pictures."""

MAX_ASPECT = 100
"""Largest ratio of the longer to the shorter side."""

MAX_SCANS = 100
"""Largest number of scans of a progressive JPEG, which needs about ten. A scan of 65 bytes takes 14 ms for 40 million
pixels, so without a limit 25 MB of scans would take an hour and a half. libtiff has the same limit."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", *(("HEIF",) if pillow_heif else ()))
"""Pillow's names of the accepted formats; its rarer decoders are not used on untrusted files.

HEIC is read if the operator has installed pillow-heif. It is not a dependency: its wheels contain x265, so they are
GPL, and libheif had vulnerabilities in 2026 that allowed code execution. The package pi-heif, without x265, was
abandoned before they were fixed.
"""

FORMATS_TEXT = "JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF"

if pillow_heif:
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")

_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")
"""Markers of a JPEG that are followed by their length; the end, FF D9, is not."""


def pixel_limit() -> int:
    """Return the largest width x height of a photo: CLOTHSEG_MAX_PIXELS, or `MAX_PIXELS`.

    Raises:
        ConfigError: CLOTHSEG_MAX_PIXELS is not a number from 1 to `MOST_PIXELS`.
    """
    return checked_limit(os.environ.get("CLOTHSEG_MAX_PIXELS") or MAX_PIXELS, "CLOTHSEG_MAX_PIXELS")


def checked_limit(value: int | str, name: str) -> int:
    """Return the number of pixels that `name` sets, from 1 to `MOST_PIXELS`; raise ConfigError for other values."""
    try:
        limit = int(value)
    except ValueError:
        limit = 0
    if not 1 <= limit <= MOST_PIXELS:
        raise ConfigError(f"{name} is {value}; give a number of pixels from 1 to {MOST_PIXELS:,}, without commas.")
    return limit


def open_image(file: BinaryIO, name: str, max_pixels: int, allow_truncated: bool = False) -> Image.Image:
    """Open a picture of one of `FORMATS` without decoding it yet, if it can be decoded in reasonable time and memory.

    Args:
        file: Open for reading, at its start.
        name: What messages call it.
        max_pixels: The largest width x height.
        allow_truncated: As in `decode.load_photo`; only a JPEG that breaks off has to be opened in another way.

    Raises:
        ImageError: It is not an image, damaged, too large or too narrow.
    """
    start = file.read(12)
    if start.startswith(b"\xff\xd8"):
        file = _checked_jpeg(start + file.read(), name, allow_truncated)
    file.seek(0)
    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        if "HEIF" not in FORMATS and start[4:8] == b"ftyp" and start[8:] in _HEIC_BRANDS:
            raise ImageError(
                f"{name} is a HEIC photo, which is not supported here; save or share it as JPEG."
            ) from error
        raise ImageError(f"{name} is not a readable image; use {FORMATS_TEXT}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            f"{name} is too large: the limit is {max_pixels:,} pixels; make the picture smaller first."
        ) from error
    except Exception as error:
        raise damaged(name, error) from error
    try:
        check_size(image.size, name, max_pixels)
    except ImageError:
        image.close()
        raise
    return image


def _checked_jpeg(data: bytes, name: str, allow_truncated: bool) -> BinaryIO:
    """Return the file, unless it has too many scans; a possibly truncated one gets an end marker, for which libjpeg
    waits otherwise."""
    at = scans = 0
    # Data between two markers belongs to a scan, and may have any length.
    while (marker := _MARKER.search(data, at)) and marker[0] != b"\xff\xd9":
        scans += marker[0] == b"\xff\xda"
        at = marker.end() + max(2, int.from_bytes(data[marker.end() : marker.end() + 2]))
    if scans > MAX_SCANS:
        raise ImageError(f"{name} is a JPEG of {scans} scans; more than {MAX_SCANS} are rejected: save it again.")
    return BytesIO(data + b"\xff\xd9" if allow_truncated else data)


def check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    """Raise ImageError for a size (width, height) without pixels, with more than `max_pixels`, or too narrow."""
    width, height = size
    if width < 1 or height < 1:
        raise ImageError(f"{name} has no pixels ({width} x {height}).")
    if width * height > max_pixels:
        raise ImageError(
            f"{name} is too large: {width} x {height} is {width * height:,} pixels and the limit is {max_pixels:,}; "
            "make the picture smaller first."
        )
    if max(size) > MAX_ASPECT * min(size):
        raise ImageError(
            f"{name} is too narrow: {width} x {height}; one side may be {MAX_ASPECT} times longer than the other."
        )


def damaged(name: str, error: Exception) -> ImageError:
    """Return the error to raise if a decoder failed."""
    detail = str(error).strip().rstrip(".").partition("\n")[0] or type(error).__name__
    return ImageError(f"{name} is damaged or incomplete and cannot be decoded ({detail}); save or download it again.")
