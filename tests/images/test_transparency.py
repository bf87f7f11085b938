"""Every kind of transparency is decoded: alpha with the file's own colours, or flattened on white."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import STORED, encoded, wide_gamut_profile
from PIL import ExifTags, Image

from clothseg.images.color_space import on_white
from clothseg.images.decode import load_photo
from clothseg.images.image_file import FORMATS


def png(bits: int, color_type: int, pixels: bytes, key: tuple[int, ...], palette: bytes = b"") -> bytes:
    """A PNG of one row of two pixels with a tRNS chunk; Pillow cannot write most of these kinds."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    transparent = bytes(key) if palette else struct.pack(f">{len(key)}H", *key)
    header = struct.pack(">IIBBBBB", 2, 1, bits, color_type, 0, 0, 0)
    parts = [(b"IHDR", header), (b"PLTE", palette), (b"tRNS", transparent)]
    parts += [(b"IDAT", zlib.compress(b"\0" + pixels)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts if part[1] or part[0] == b"IEND")


KEYED = {
    "1-bit grey": (png(1, 0, b"\x40", (1,)), [(0, 255), (255, 0)]),
    "2-bit grey": (png(2, 0, b"\x60", (1,)), [(255, 0), (170, 255)]),
    "4-bit grey": (png(4, 0, b"\x12", (2,)), [(17, 255), (255, 0)]),
    "8-bit grey": (png(8, 0, b"\x10\x20", (16,)), [(255, 0), (32, 255)]),
    "16-bit grey": (png(16, 0, struct.pack(">2H", 0x1010, 0x1011), (0x1010,)), [(255, 0), (16, 255)]),
    "8-bit RGB": (png(8, 2, b"\x10\x10\x10\x20\x20\x20", (16, 16, 16)), [(255, 0), (32, 255)]),
    "16-bit RGB": (
        png(16, 2, struct.pack(">6H", *[0x1010] * 3, *[0x2020] * 3), (0x1010,) * 3),
        [(255, 0), (32, 255)],
    ),
    "palette, one entry": (png(8, 3, b"\0\1", (255, 0), b"\x10\x10\x10\x20\x20\x20"), [(16, 255), (255, 0)]),
    "palette, bytes": (png(8, 3, b"\0\1", (64, 128), b"\x10\x10\x10\x20\x20\x20"), [(16, 64), (32, 128)]),
    "1-bit palette": (png(1, 3, b"\x40", (64,), b"\x10\x10\x10\x20\x20\x20"), [(16, 64), (32, 255)]),
}


@pytest.mark.parametrize("kind", KEYED)
def test_png_transparent_colours_are_decoded(kind: str) -> None:
    data, expected = KEYED[kind]
    photo = load_photo(data, keep_alpha=True)
    assert photo.mode == "RGBA"
    assert np.asarray(photo)[0].tolist() == [[grey, grey, grey, alpha] for grey, alpha in expected]
    flat = [round(grey * alpha / 255 + 255 - alpha) for grey, alpha in expected]
    np.testing.assert_array_equal(np.asarray(load_photo(data))[0], np.repeat(np.uint8(flat)[:, None], 3, axis=1))


def half_transparent(seed: int = 0, opaque_part: float = 0.3) -> Image.Image:
    """40 x 24 RGBA of random colours and alphas, some fully transparent and some opaque."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (24, 40, 4), np.uint8)
    pixels[..., 3] = np.where(rng.random((24, 40)) < 0.2, 0, pixels[..., 3])
    pixels[..., 3] = np.where(rng.random((24, 40)) < opaque_part, 255, pixels[..., 3])
    return Image.fromarray(pixels)


def own_colors(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image.convert("RGBA")).copy()
    pixels[pixels[..., 3] == 0] = (255, 255, 255, 0)
    return pixels


FILES: dict[str, Callable[[Image.Image], bytes]] = {
    "RGBA PNG": lambda image: encoded(image, "PNG"),
    "LA PNG": lambda image: encoded(image.convert("LA"), "PNG"),
    "RGBA TIFF": lambda image: encoded(image, "TIFF"),
    "LA TIFF": lambda image: encoded(image.convert("LA"), "TIFF"),
    "WebP": lambda image: encoded(image, "WEBP", lossless=True, exact=True),
    "palette PNG": lambda image: encoded(image.quantize(64), "PNG"),
    "GIF": lambda image: encoded(image, "GIF"),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_keep_alpha_and_colours(kind: str, tmp_path: Path) -> None:
    data = FILES[kind](half_transparent())
    path = tmp_path / "photo"
    path.write_bytes(data)
    expected = own_colors(Image.open(BytesIO(data)))
    assert {0, 255} <= set(expected[..., 3].ravel().tolist())
    for source in (data, path, Image.open(path)):
        np.testing.assert_array_equal(np.asarray(load_photo(source, keep_alpha=True)), expected)


@pytest.mark.parametrize("format", ["AVIF", "WEBP", *(["HEIF"] if "HEIF" in FORMATS else [])])
def test_lossy_files_keep_alpha(format: str) -> None:
    pixels = np.full((32, 96, 4), (200, 40, 60, 255), np.uint8)
    pixels[:, 32:64, 3], pixels[:, 64:, 3] = 128, 0
    found = np.asarray(load_photo(encoded(Image.fromarray(pixels), format, quality=95), keep_alpha=True)).astype(int)
    for left, color in ((0, (200, 40, 60, 255)), (32, (200, 40, 60, 128)), (64, (255, 255, 255, 0))):
        assert np.abs(found[8:24, left + 8 : left + 24] - color).max() <= 8


def test_premultiplied_colours_are_divided_by_alpha() -> None:
    pixels = np.full((4, 4, 4), (100, 20, 30, 128), np.uint8)
    image = Image.fromarray(pixels).convert("RGBa")
    assert np.asarray(image)[0, 0].tolist() == [50, 10, 15, 128]
    found = np.asarray(load_photo(image, keep_alpha=True)).astype(int)
    assert np.abs(found - pixels).max() <= 1


def test_fully_opaque_alpha_is_dropped() -> None:
    image = half_transparent(opaque_part=1)
    for source in (image, encoded(image, "PNG"), np.asarray(image)):
        photo = load_photo(source, keep_alpha=True)
        assert photo.mode == "RGB"
        np.testing.assert_array_equal(photo, image.convert("RGB"))


def test_arrays_with_alpha_are_accepted() -> None:
    image = half_transparent()
    array = np.asarray(image).copy()
    photo = load_photo(array, keep_alpha=True)
    np.testing.assert_array_equal(photo, own_colors(image))
    np.testing.assert_array_equal(load_photo(array), on_white(photo))


@pytest.mark.parametrize("orientation", STORED)
def test_orientation_applies_to_alpha(orientation: int) -> None:
    image, exif = half_transparent(), Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encoded(STORED[orientation](image), "PNG", exif=exif)
    np.testing.assert_array_equal(load_photo(data, keep_alpha=True), own_colors(image))


def test_colour_profiles_apply_to_colours_under_alpha() -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 100))
    found = np.asarray(load_photo(encoded(image, "PNG", icc_profile=wide_gamut_profile()), keep_alpha=True))
    assert np.abs(found[0, 0].astype(int) - (0, 255, 0, 100)).max() <= 2


def test_reducing_ignores_hidden_colours() -> None:
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, :32] = (200, 40, 60, 255)
    pixels[:, 32:] = (0, 255, 0, 0)  # fully transparent
    found = np.asarray(load_photo(Image.fromarray(pixels), max_side=37, keep_alpha=True))
    visible = found[..., 3] > 0
    assert np.abs(found[visible, :3].astype(int) - (200, 40, 60)).max() <= 12
    assert (found[~visible] == (255, 255, 255, 0)).all() and not visible.all()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["RGBA", "LA", "RGBa", "PA", "P"]))
def test_flattening_on_white_follows_alpha(seed: int, mode: str) -> None:
    image = half_transparent(seed)
    image = {"P": image.quantize, "PA": lambda: image.quantize().convert("PA")}.get(
        mode, lambda: image.convert(mode)
    )()
    pixels: Any = np.asarray(load_photo(image, keep_alpha=True)).astype(float)
    share = pixels[..., 3:] / 255
    mixed = pixels[..., :3] * share + 255 * (1 - share)
    assert np.abs(np.asarray(load_photo(image)) - mixed).max() <= 1
