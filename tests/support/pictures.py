"""Small pictures and files of all kinds that visitors may send, valid and invalid ones."""

import base64
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from gradio.data_classes import ImageData
from PIL import Image, ImageChops, ImageCms

from clothseg.app.photo_input import photo_input
from clothseg.images.decode import load_photo


RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 180, 40), (30, 40, 200), (255, 255, 255)


def quarters() -> Image.Image:
    """48 x 32 with a different colour in each quarter, so that every rotation and mirroring is visible."""
    array = np.zeros((32, 48, 3), np.uint8)
    array[:16, :24], array[:16, 24:], array[16:, :24], array[16:, 24:] = RED, GREEN, BLUE, WHITE
    return Image.fromarray(array)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def assert_close(photo: Image.Image, expected: Image.Image, tolerance: int = 0) -> None:
    assert (photo.mode, photo.size) == ("RGB", expected.size)
    difference = np.abs(np.asarray(photo).astype(int) - np.asarray(expected.convert("RGB")).astype(int))
    assert difference.max() <= tolerance


# The stored picture of an upright `quarters()` by EXIF orientation: the inverse of the loader's correction.
STORED: dict[int, Callable[[Image.Image], Image.Image]] = {
    1: lambda image: image,
    2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
}


def grey(values: Any, dtype: Any) -> Image.Image:
    return Image.fromarray(np.asarray(values, dtype))


def with_alpha(mode: str) -> Image.Image:
    """2 x 1: black opaque, then fully transparent over a hidden colour."""
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (200, 10, 10, 0))
    return image.convert(mode)


def palette_with_transparency() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 200, 10, 10])
    image.putpixel((1, 0), 1)
    image.info["transparency"] = 1
    return image


def rgb_with_key() -> Image.Image:
    image = Image.new("RGB", (2, 1))
    image.putpixel((1, 0), (200, 10, 10))
    image.info["transparency"] = (200, 10, 10)
    return image


def deep(*pixels: tuple[int, ...]) -> bytes:
    """A PNG of 16 bits a channel, in one row; Pillow writes none. Channels are given as RGB or RGBA."""
    rows = np.asarray([pixels], np.uint16)[..., [2, 1, 0, 3][: len(pixels[0])]]  # OpenCV's order
    return cv2.imencode(".png", rows)[1].tobytes()


def jpeg() -> bytes:
    return encoded(Image.effect_noise((200, 200), 80).convert("RGB"), "JPEG")


def cmyk_jpeg(photo: Image.Image, *, ycck: bool) -> bytes:
    """CMYK as Adobe stores it, inverted: as it is, or as luma, chroma and K (YCCK)."""
    ink = photo.convert("CMYK")
    if ycck:
        cyan, magenta, yellow, black = ink.split()
        luma = Image.merge("RGB", (cyan, magenta, yellow)).convert("YCbCr").split()
        ink = Image.merge("CMYK", (*map(ImageChops.invert, luma), black))
    data = bytearray(encoded(ink, "JPEG", quality=95))
    assert data.count(b"Adobe") == 1
    data[data.index(b"Adobe") + 11] = 2 if ycck else 0  # how its colours were transformed
    return bytes(data)


def sized(format: str, width: int, height: int) -> bytes:
    """A small file whose header states the given size."""
    small, second = Image.new("RGB", (64, 64), RED), Image.new("RGB", (64, 64), BLUE)
    if format == "PNG":
        data = bytearray(encoded(Image.new("1", (8, 8)), "PNG"))
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    elif format == "JPEG":
        data = bytearray(encoded(small, "JPEG"))
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    elif format == "GIF":
        data = bytearray(encoded(small, "GIF"))
        data[6:10] = struct.pack("<HH", width, height)
    elif format == "GIF's frame":
        data = bytearray(encoded(small, "GIF"))
        at = data.index(b"\x2c")
        data[at + 5 : at + 9] = struct.pack("<HH", width, height)
    elif format == "BMP":
        data = bytearray(encoded(small, "BMP"))
        data[18:26] = struct.pack("<ii", width, height)
    elif format == "WEBP":
        data = bytearray(encoded(small, "WEBP", save_all=True, append_images=[second]))
        at = data.index(b"VP8X")
        data[at + 12 : at + 18] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    else:
        data = bytearray(encoded(small, "TIFF", compression=None if format == "TIFF" else "tiff_lzw"))
        at = int.from_bytes(data[4:8], "little") + 2
        for entry in range(at, at + 12 * int.from_bytes(data[at - 2 : at], "little"), 12):
            tag = int.from_bytes(data[entry : entry + 2], "little")
            if tag in (256, 257, 278):  # width, height, rows in a strip
                data[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, width if tag == 256 else height)
    return bytes(data)


def wide_gamut_profile() -> bytes:
    """A profile with the red and green primaries of sRGB swapped, so that its use is obvious."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.find(b"rXYZ"), profile.find(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "Test".encode("utf-16-be"))


def loaded(data: bytes, folder: Path) -> list[Image.Image]:
    """A file loaded in each way: from a path, from bytes, and from a data: URL sent to the app."""
    path = folder / "photo"
    path.write_bytes(data)
    url = "data:image/any;base64," + base64.b64encode(data).decode()
    return [load_photo(source) for source in (path, data, photo_input().preprocess(ImageData(url=url)))]
