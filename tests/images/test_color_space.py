"""Pictures of every mode are converted to the right 8-bit sRGB colours."""

from pathlib import Path

import numpy as np
import pytest
from pictures import (
    RED,
    assert_close,
    cmyk_jpeg,
    deep,
    encoded,
    grey,
    loaded,
    palette_with_transparency,
    quarters,
    rgb_with_key,
    wide_gamut_profile,
    with_alpha,
)
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin

from clothseg.images.color_space import to_array
from clothseg.images.decode import load_photo
from clothseg.images.image_file import FORMATS


ON_WHITE = [[0, 255]]

GREY_CASES = {
    "bilevel": (Image.new("1", (2, 1), 1), [[255, 255]]),
    "grey": (grey([[0, 77]], np.uint8), [[0, 77]]),
    "16 bit is scaled, not clipped": (grey([[0, 257 * 77, 65535]], np.uint16), [[0, 77, 255]]),
    "16 bit, big-endian": (grey([[0, 257 * 77, 65535]], ">u2"), [[0, 77, 255]]),
    "int32 holding 8 bits": (grey([[0, 77, 255]], np.int32), [[0, 77, 255]]),
    "int32 holding 16 bits": (grey([[0, 257 * 77, 65535]], np.int32), [[0, 77, 255]]),
    "int32 of any range": (grey([[-500, 0, 500]], np.int32), [[0, 128, 255]]),
    "float 0..1": (grey([[0, 0.2, 1]], np.float32), [[0, 51, 255]]),
    "float 0..255": (grey([[0, 51, 200]], np.float32), [[0, 51, 200]]),
    "float of any range": (grey([[-3, 0, 3]], np.float32), [[0, 128, 255]]),
    "float with holes": (grey([[np.nan, 0.2, np.inf]], np.float32), [[0, 51, 0]]),
    "float, all the same": (grey([[-7, -7]], np.float32), [[0, 0]]),
    "RGBA on white": (with_alpha("RGBA"), ON_WHITE),
    "premultiplied RGBa on white": (with_alpha("RGBa"), ON_WHITE),
    "LA on white": (with_alpha("LA"), ON_WHITE),
    "premultiplied La on white": (with_alpha("LA").convert("La"), ON_WHITE),
    "PA on white": (palette_with_transparency().convert("PA"), ON_WHITE),
    "P with a transparent entry on white": (palette_with_transparency(), ON_WHITE),
    "RGB with a transparent colour on white": (rgb_with_key(), ON_WHITE),
    "one pixel": (Image.new("RGB", (1, 1), (9, 9, 9)), [[9]]),
}


@pytest.mark.parametrize("case", GREY_CASES)
def test_pil_images_of_every_mode_are_converted(case: str) -> None:
    image, expected = GREY_CASES[case]
    photo = load_photo(image)
    assert photo.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(photo), np.repeat(np.uint8(expected)[..., None], 3, axis=2))


FILE_CASES = {
    "16-bit PNG": (encoded(grey([[0, 257 * 77, 65535]], np.uint16), "PNG"), [[0, 77, 255]]),
    "16-bit RGB PNG": (deep((0, 0, 0), (257 * 77,) * 3, (65535,) * 3), [[0, 77, 255]]),
    "16-bit RGBA PNG": (deep((0, 0, 0, 65535), (9999, 0, 0, 0)), ON_WHITE),
    "16-bit TIFF": (encoded(grey([[0, 257 * 77, 65535]], np.uint16), "TIFF"), [[0, 77, 255]]),
    "16-bit TIFF, big-endian": (encoded(grey([[0, 257 * 77, 65535]], ">u2"), "TIFF"), [[0, 77, 255]]),
    "int32 TIFF": (encoded(grey([[0, 257 * 77, 65535]], np.int32), "TIFF"), [[0, 77, 255]]),
    "1-bit PNG": (encoded(Image.new("1", (2, 1), 1), "PNG"), [[255, 255]]),
    "1-bit fax TIFF": (encoded(Image.new("1", (2, 1), 1), "TIFF", compression="group4"), [[255, 255]]),
    "grey JPEG": (encoded(Image.new("L", (2, 1), 77), "JPEG", quality=100), [[77, 77]]),
    "grey PNG": (encoded(grey([[0, 77]], np.uint8), "PNG"), [[0, 77]]),
    "CMYK TIFF": (encoded(Image.new("CMYK", (2, 1), (0, 0, 0, 178)), "TIFF"), [[77, 77]]),
    "palette GIF with transparency": (encoded(palette_with_transparency(), "GIF", transparency=1), ON_WHITE),
    "RGBA TIFF": (encoded(with_alpha("RGBA"), "TIFF"), ON_WHITE),
    "RGB PNG with a transparent colour": (encoded(rgb_with_key(), "PNG"), ON_WHITE),
    "float TIFF": (encoded(grey([[0, 0.2, 1]], np.float32), "TIFF"), [[0, 51, 255]]),
    "1-bit BMP": (encoded(Image.new("1", (2, 1), 1), "BMP"), [[255, 255]]),
    "palette PNG with alpha": (encoded(palette_with_transparency(), "PNG"), ON_WHITE),
    "RGBA PNG": (encoded(with_alpha("RGBA"), "PNG"), ON_WHITE),
    "LA PNG": (encoded(with_alpha("LA"), "PNG"), ON_WHITE),
    "lossless WebP with alpha": (encoded(with_alpha("RGBA"), "WEBP", lossless=True, exact=True), ON_WHITE),
}


@pytest.mark.parametrize("case", FILE_CASES)
def test_files_of_every_mode_are_converted(case: str, tmp_path: Path) -> None:
    data, expected = FILE_CASES[case]
    for photo in loaded(data, tmp_path):
        np.testing.assert_array_equal(np.asarray(photo), np.repeat(np.uint8(expected)[..., None], 3, axis=2))


@pytest.mark.parametrize("format", ["AVIF", "WEBP", *(["HEIF"] if "HEIF" in FORMATS else [])])
def test_lossy_formats_with_alpha_are_flattened_on_white(format: str, tmp_path: Path) -> None:
    picture = with_alpha("RGBA").resize((64, 32), Image.Resampling.NEAREST)
    for photo in loaded(encoded(picture, format, quality=95), tmp_path):
        assert_close(photo.crop((0, 0, 24, 32)), Image.new("RGB", (24, 32), "black"), tolerance=3)
        assert_close(photo.crop((40, 0, 64, 32)), Image.new("RGB", (24, 32), "white"), tolerance=3)


def test_lab_is_converted_to_rgb(tmp_path: Path) -> None:
    for photo in loaded(encoded(Image.new("LAB", (2, 1), (255, 128, 128)), "TIFF"), tmp_path):
        assert_close(photo, Image.new("RGB", (2, 1), "white"), tolerance=1)


@pytest.mark.parametrize("ycck", [False, True])
def test_cmyk_jpeg_is_converted_to_rgb(ycck: bool, tmp_path: Path) -> None:
    photo = Image.new("RGB", (16, 16), RED)
    for found in loaded(cmyk_jpeg(photo, ycck=ycck), tmp_path):
        assert_close(found, photo, tolerance=6)


def test_colour_profile_is_applied() -> None:
    data = encoded(Image.new("RGB", (4, 4), (255, 0, 0)), "PNG", icc_profile=wide_gamut_profile())
    assert_close(load_photo(data), Image.new("RGB", (4, 4), (0, 255, 0)), tolerance=2)


def test_srgb_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert_close(load_photo(encoded(quarters(), "PNG", icc_profile=profile)), quarters())


@pytest.mark.parametrize(
    "image", [quarters(), quarters().convert("L"), with_alpha("LA")], ids=lambda image: image.mode
)
@pytest.mark.parametrize("profile", [b"broken", wide_gamut_profile()[:200], wide_gamut_profile()])
def test_invalid_colour_profiles_are_ignored(image: Image.Image, profile: bytes) -> None:
    assert load_photo(encoded(image, "PNG", icc_profile=profile)).size == image.size


def test_float_tiff_follows_its_orientation() -> None:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[ExifTags.Base.Orientation] = 6
    data = encoded(grey([[0, 0.2, 1]], np.float32), "TIFF", tiffinfo=info)
    np.testing.assert_array_equal(np.asarray(load_photo(data))[:, :, 0], [[0], [51], [255]])


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (700, 1100)])
def test_to_array_returns_the_pixels(mode: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (size[1], size[0], len(mode)), np.uint8)
    assert np.array_equal(to_array(Image.fromarray(pixels)), pixels)
