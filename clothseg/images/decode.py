"""Load photos: convert any supported input to an upright 8-bit picture, or raise a clear error."""

import math
import os
import re
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile

from clothseg.errors import ConfigError, ImageError
from clothseg.images.color_space import on_white, to_rgb_or_rgba, without_hidden_colors
from clothseg.images.image_file import check_size, checked_limit, damaged, open_image, pixel_limit


Photo = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[np.uint8]
"""Inputs of `load_photo`: a path, the bytes of a file, a PIL image, or an (H, W, 3) RGB or (H, W, 4) RGBA uint8 array.
"""

LEAST_MAX_SIDE = 32
"""Smallest value of `max_side`."""

MOST_DPI = 100_000
"""Largest plausible resolution in dots per inch; PNG and TIFF can contain any number."""

_ADDRESS = re.compile(r"(https?|ftps?|s3|gs|hf|file|data):", re.IGNORECASE)
"""Beginnings of web addresses; `pathlib` reduces two slashes to one."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> the transposition that turns the picture upright."""

_ON_ITS_SIDE = tuple(_TURNS[orientation] for orientation in (5, 6, 7, 8))
"""Turns that swap width and height."""


def load_photo(
    source: Photo,
    max_pixels: int | None = None,
    *,
    allow_truncated: bool = False,
    max_side: int | None = None,
    keep_alpha: bool = False,
) -> Image.Image:
    """Load a photo as an upright RGB picture, or RGBA where its transparency is to be kept.

    EXIF orientation is applied (also to PIL images), colours are converted to sRGB, transparent photos are placed on
    white, 16-bit and float pictures are scaled to 8 bits, and the first frame of an animation is used.

    Args:
        source: A path, the bytes of an image file, a PIL image, or an (H, W, 3) RGB or (H, W, 4) RGBA uint8 array.
        max_pixels: The largest width x height that is accepted; checked before the picture is decoded. None:
            `pixel_limit()`.
        allow_truncated: Decode the readable part of an incomplete file; the rest is black (grey in a JPEG, white where
            there is transparency). WebP and AVIF cannot be read in part.
        max_side: Make a larger photo smaller, to so many pixels on its longer side. JPEG files are then decoded at a
            half, a quarter or an eighth, as far as that is still larger, which is several times quicker.
        keep_alpha: Return RGBA if any pixel is not opaque. Colours are the file's own then, not premultiplied, and
            white where alpha is 0.

    Returns:
        A PIL image of mode RGB (or RGBA, see `keep_alpha`) that shares nothing with `source`. Of its metadata it
        carries the resolution alone, as `info["dpi"]`, if the file tells it; a reduced photo has a lower one.

    Raises:
        ImageError: The file is missing, empty, damaged, too large, too narrow or not an image.
        ConfigError: `max_pixels`, or CLOTHSEG_MAX_PIXELS, is no number from 1 to `MOST_PIXELS`, or `max_side` is below
            `LEAST_MAX_SIDE`.
    """
    limit = pixel_limit() if max_pixels is None else checked_limit(max_pixels, "max_pixels")
    if max_side is not None and max_side < LEAST_MAX_SIDE:
        raise ConfigError(f"max_side can be {LEAST_MAX_SIDE} pixels or more, not {max_side}.")
    photo = _load(source, limit, allow_truncated, max_side)
    if max_side is not None:
        photo = resized(photo, _within(photo.size, max_side))
    return photo if keep_alpha else on_white(photo)


def resized(photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return an RGB or RGBA photo at another size (width, height), with its new resolution."""
    if size == photo.size:
        return photo
    small = photo.resize(size, Image.Resampling.BICUBIC)
    if "dpi" in photo.info:
        small.info["dpi"] = _scaled(photo.info["dpi"], photo.size, size)
    return without_hidden_colors(small) if small.mode == "RGBA" else small


def _load(source: Photo, limit: int, allow_truncated: bool, max_side: int | None) -> Image.Image:
    if isinstance(source, np.ndarray):
        return _from_array(source, limit)
    if isinstance(source, Image.Image):
        check_size(source.size, "The photo", limit)
        try:
            return _decode(source, "The photo", allow_truncated)
        except ImageError as error:
            if _is_closed(source):
                raise ImageError(
                    "The photo is a PIL image that has been closed; use it inside its `with` block, or give its path."
                ) from error
            raise
    if isinstance(source, bytes):
        if not source:
            raise ImageError("The photo is empty: it has no bytes.")
        return _open(BytesIO(source), "The photo", limit, allow_truncated, max_side)
    if isinstance(source, str | os.PathLike):
        if problem := address_problem(source):
            raise ImageError(problem)
        return _from_path(Path(source), limit, allow_truncated, max_side)
    raise ImageError(
        f"A photo must be a path, bytes, a PIL image or an (H, W, 3) uint8 array, not {type(source).__name__}."
    )


def address_problem(path: str | os.PathLike[str]) -> str | None:
    """Return a message if the text is a web address, which is often given instead of a path; else None."""
    text = os.fspath(path)
    address = _ADDRESS.match(text)
    if address is None or os.path.exists(text):
        return None
    scheme = address[1].lower()
    cure = {"data": "decode it and pass the bytes", "file": "give the path alone"}.get(
        scheme, "download it first and pass the file or its bytes"
    )
    return f"{text[:60]}{'...' * (len(text) > 60)} is an address, not the path of a file; {cure}."


def _is_closed(image: Image.Image) -> bool:
    """Return whether a PIL image cannot be decoded because it, or its file, was closed before its pixels were read."""
    file = getattr(image, "fp", None)
    if getattr(file, "closed", False):
        return True
    try:
        return file is None and image.im is None
    except ValueError:  # Pillow's message for a closed image
        return True
    except AssertionError:
        return file is None


def _within(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """Return a size with the same proportions and no side longer than `max_side`."""
    shrink = max(1.0, max(size) / max_side)
    return max(1, round(size[0] / shrink)), max(1, round(size[1] / shrink))


def photo_name(source: Photo) -> str | None:
    """Return the file name of a photo given by its path; None for other inputs."""
    return Path(source).name if isinstance(source, str | os.PathLike) else None


def _from_array(array: npt.NDArray[np.generic], max_pixels: int) -> Image.Image:
    if array.ndim != 3 or array.shape[2] not in (3, 4) or array.dtype != np.uint8 or array.size == 0:
        raise ImageError(
            f"The photo is an array of shape {array.shape} and type {array.dtype}; "
            "expected (height, width, 3) of type uint8, in RGB order, or (height, width, 4), in RGBA order."
        )
    check_size((array.shape[1], array.shape[0]), "The photo", max_pixels)
    photo = Image.fromarray(array)
    return to_rgb_or_rgba(photo) if photo.mode == "RGBA" else photo.copy()


def _from_path(path: Path, max_pixels: int, allow_truncated: bool, max_side: int | None) -> Image.Image:
    try:
        if path.is_dir():
            raise ImageError(f"{path} is a folder; give the path of one photo.")
        if path.exists() and not path.is_file():
            raise ImageError(f"{path} is a pipe or a device; give the path of one photo.")
        with path.open("rb") as file:
            if not file.read(1):
                raise ImageError(f"{path.name} is empty: it has no bytes.")
            file.seek(0)
            return _open(file, path.name, max_pixels, allow_truncated, max_side)
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {path}; check the path.") from error
    except (OSError, ValueError) as error:  # ValueError: the path contains a null byte
        raise ImageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _open(file: BinaryIO, name: str, max_pixels: int, allow_truncated: bool, max_side: int | None) -> Image.Image:
    with open_image(file, name, max_pixels, allow_truncated) as image:
        whole = image.size
        if max_side is not None:
            image.draft(None, _within(whole, max_side))  # only for JPEG; never smaller than `size`
            if image.size != whole:
                return _decode(image, name, allow_truncated, _within(whole, max_side), whole)
        return _decode(image, name, allow_truncated)


def _decode(
    image: Image.Image,
    name: str,
    allow_truncated: bool,
    size: tuple[int, int] | None = None,
    whole: tuple[int, int] | None = None,
) -> Image.Image:
    """Return the photo as RGB or RGBA, at `size` if given; `whole` is its own size if it is decoded at another."""
    # Decoders raise nearly any exception for damaged bytes: OSError, SyntaxError, struct.error, zlib.error ...
    try:
        _scale_transparent_color(image)
        try:
            image.load()
        except OSError:
            if not allow_truncated or not isinstance(image, ImageFile.ImageFile):
                raise
            image.tile = []  # no more data is read: the decoded part is the picture
            if image.getbbox(alpha_only=False) is None:
                raise
        # Only after decoding: PNG may have its EXIF after the pixels, and TIFF has already turned itself (and dropped
        # the tag).
        turn = _TURNS.get(_orientation(image))
        photo, dpi = to_rgb_or_rgba(image), _resolution(image)
        photo.info.clear()
        if dpi is not None:
            photo.info["dpi"] = _scaled(dpi, whole or image.size, image.size)
        if size is not None:
            photo = resized(photo, size)
        if turn is not None:
            photo = photo.transpose(turn)
            if dpi is not None and turn in _ON_ITS_SIDE:
                photo.info["dpi"] = photo.info["dpi"][::-1]
    except Exception as error:
        raise damaged(name, error) from error
    return photo


def _scale_transparent_color(image: Image.Image) -> None:
    """Scale the transparent colour of a PNG to 8 bits, as Pillow scales its pixels."""
    key = image.info.get("transparency")
    if image.format != "PNG" or not isinstance(image, ImageFile.ImageFile) or not image.tile:
        return
    raw_mode = image.tile[0].args
    if isinstance(key, int) and raw_mode in ("L;2", "L;4"):
        image.info["transparency"] = key * (85 if raw_mode == "L;2" else 17)
    elif isinstance(key, tuple) and raw_mode == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _resolution(image: Image.Image) -> tuple[float, float] | None:
    """Return the dots per inch (horizontal, vertical), if the picture states plausible values."""
    if image.format in ("JPEG", "MPO") and image.info.get("jfif_unit") not in (1, 2):
        try:
            if ExifTags.Base.XResolution not in image.getexif():
                return None  # Pillow's default is 72
        except Exception:  # damaged EXIF
            return None
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    sound = all(math.isfinite(value) and 1 <= value <= MOST_DPI for value in (across, down))
    return (across, down) if sound else None


def _scaled(dpi: tuple[float, float], before: tuple[int, int], now: tuple[int, int]) -> tuple[float, float]:
    """Return the resolution of a photo that was resized from `before` (width, height) to `now`."""
    return dpi[0] * now[0] / before[0], dpi[1] * now[1] / before[1]


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # Damaged EXIF says nothing about the pixels, so they are used without turning.
        return 1
