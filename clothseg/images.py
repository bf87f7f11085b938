"""The one loader: whatever a stranger calls a photo becomes an upright 8-bit RGB picture, or a clear error."""

import os
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from clothseg.errors import ImageError


Photo = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[np.uint8]
"""What `load_photo` takes: a path, the bytes of a file, a PIL image, or an (H, W, 3) uint8 RGB array."""

MAX_PIXELS = 40_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""Pillow's names of the formats that are opened; its rarer decoders are kept away from strangers' files."""

FORMATS_TEXT = "JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF"

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> the turn that sets the picture upright."""


def load_photo(source: Photo, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Load a photo as an upright RGB picture.

    EXIF orientation is applied (to PIL images as well), colours are brought to sRGB, transparency is laid on white,
    16-bit and float pictures are scaled to 8 bits, and of an animation the first frame is taken.

    Args:
        source: A path, the bytes of an image file, a PIL image, or an (H, W, 3) uint8 array in RGB order.
        max_pixels: The largest width x height that is accepted; checked before the picture is decoded.

    Returns:
        A PIL image of mode RGB that shares nothing with `source` and carries no metadata.

    Raises:
        ImageError: The file is missing, empty, damaged, too large or not an image.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, Image.Image):
        return _decode(source, "The photo", max_pixels)
    if isinstance(source, bytes):
        if not source:
            raise ImageError("The photo is empty: it has no bytes.")
        return _open(BytesIO(source), "The photo", max_pixels)
    if isinstance(source, str | os.PathLike):
        return _from_path(Path(source), max_pixels)
    raise ImageError(
        f"A photo must be a path, bytes, a PIL image or an (H, W, 3) uint8 array, not {type(source).__name__}."
    )


def photo_name(source: Photo) -> str | None:
    """File name of a photo given by its path, None for every other kind."""
    return Path(source).name if isinstance(source, str | os.PathLike) else None


def _from_array(array: npt.NDArray[np.generic], max_pixels: int) -> Image.Image:
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or array.size == 0:
        raise ImageError(
            f"The photo is an array of shape {array.shape} and type {array.dtype}; "
            "expected (height, width, 3) of type uint8, in RGB order."
        )
    _check_size((array.shape[1], array.shape[0]), "The photo", max_pixels)
    return Image.fromarray(array).copy()


def _from_path(path: Path, max_pixels: int) -> Image.Image:
    try:
        if path.is_dir():
            raise ImageError(f"{path} is a folder; give the path of one photo.")
        with path.open("rb") as file:
            if not file.read(1):
                raise ImageError(f"{path.name} is empty: it has no bytes.")
            file.seek(0)
            return _open(file, path.name, max_pixels)
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {path}; check the path.") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise ImageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _open(file: BinaryIO, name: str, max_pixels: int) -> Image.Image:
    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not a readable image; use {FORMATS_TEXT}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            f"{name} is too large: the limit is {max_pixels:,} pixels; make the picture smaller first."
        ) from error
    except Exception as error:
        raise _damaged(name, error) from error
    with image:
        return _decode(image, name, max_pixels)


def _decode(image: Image.Image, name: str, max_pixels: int) -> Image.Image:
    _check_size(image.size, name, max_pixels)
    # Decoders answer damaged bytes with nearly any exception: OSError, SyntaxError, struct.error, zlib.error ...
    try:
        image.load()
        # Only now: PNG may keep its EXIF behind the pixels, and TIFF has turned itself (and dropped the tag) by now.
        turn = _TURNS.get(_orientation(image))
        photo = _to_rgb(image)
        if turn is not None:
            photo = photo.transpose(turn)
    except Exception as error:
        raise _damaged(name, error) from error
    photo.info.clear()
    return photo


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise ImageError(f"{name} has no pixels ({width} x {height}).")
    if width * height > max_pixels:
        raise ImageError(
            f"{name} is too large: {width} x {height} is {width * height:,} pixels and the limit is {max_pixels:,}; "
            "make the picture smaller first."
        )


def _damaged(name: str, error: Exception) -> ImageError:
    detail = str(error).strip().rstrip(".").partition("\n")[0] or type(error).__name__
    return ImageError(f"{name} is damaged or incomplete and cannot be decoded ({detail}); save or download it anew.")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # Damaged EXIF says nothing about the pixels: take them as they lie.
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode -> a new RGB picture in sRGB, transparency laid on white."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_to_8bit(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBa", "La"):  # premultiplied alpha has no direct way to RGB
        image = image.convert(image.mode.upper())
    rgb = _to_srgb(image)
    if not image.has_transparency_data:
        return rgb
    white = Image.new("RGB", image.size, "white")
    white.paste(rgb, mask=image.convert("RGBA").getchannel("A"))
    return white


def _to_8bit(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Scale (H, W) grey values to uint8 by the range they are meant in, never by clipping.

    16-bit types span 0..65535. Int32 and float carry no such promise: 0..1 (float only), 0..255 and 0..65535
    (int only) are recognised, anything else is stretched from its minimum to its maximum.
    """
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        low, high = 0.0, 65535.0
        grey = values.astype(np.float32)
    else:
        grey = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        low, high = float(grey.min()), float(grey.max())
        known = (1.0, 255.0) if values.dtype.kind == "f" else (255.0, 65535.0)
        if low >= 0:
            low, high = 0.0, next((limit for limit in known if high <= limit), high)
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    return np.rint((grey - low) * (255.0 / (high - low))).astype(np.uint8)


def _to_srgb(image: Image.Image) -> Image.Image:
    """Drop alpha and convert to RGB, through the embedded ICC profile where there is a sound one."""
    profile = image.info.get("icc_profile")
    source = image if image.mode in ("L", "CMYK") else image.convert("RGB")
    if profile:
        try:
            embedded = ImageCms.ImageCmsProfile(BytesIO(profile))
            # A round trip through the same space would cost time and shift values by rounding.
            if "sRGB" not in ImageCms.getProfileDescription(embedded):
                srgb = ImageCms.createProfile("sRGB")
                transform = ImageCms.buildTransform(embedded, srgb, source.mode, "RGB")
                return transform.apply(source)
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            pass  # A damaged profile, or one of another colour space: the plain values are the best guess.
    return source.convert("RGB")
