"""Whatever strangers upload becomes an upright 8-bit RGB picture, or an error that names the file and the cure."""

import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin

from clothseg import ImageError
from clothseg.images import FORMATS, load_photo, photo_name


RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 180, 40), (30, 40, 200), (255, 255, 255)


def quarters() -> Image.Image:
    """48 x 32 with a colour of its own in each quarter, so that every turn and mirroring shows."""
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


# What the camera stored for an upright `quarters()`, by orientation: the inverse of what the loader has to do.
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


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_exif_orientation_is_set_upright(orientation: int, format: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encoded(STORED[orientation](quarters()), format, exif=exif, quality=95)
    path = tmp_path / "photo"
    path.write_bytes(data)
    tolerance = 0 if format in ("PNG", "TIFF") else 90  # lossy formats bleed where the quarters meet
    for source in (data, path, str(path), Image.open(path), Image.open(path).copy()):
        assert_close(load_photo(source), quarters(), tolerance)


def test_a_picture_is_not_turned_twice() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photo = load_photo(encoded(STORED[6](quarters()), "PNG", exif=exif))
    assert not photo.info
    assert_close(load_photo(photo), quarters())


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
def test_modes_of_pil_images(case: str) -> None:
    image, expected = GREY_CASES[case]
    photo = load_photo(image)
    assert photo.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(photo), np.repeat(np.uint8(expected)[..., None], 3, axis=2))


FILE_CASES = {
    "16-bit PNG": (encoded(grey([[0, 257 * 77, 65535]], np.uint16), "PNG"), [[0, 77, 255]]),
    "float TIFF": (encoded(grey([[0, 0.2, 1]], np.float32), "TIFF"), [[0, 51, 255]]),
    "1-bit BMP": (encoded(Image.new("1", (2, 1), 1), "BMP"), [[255, 255]]),
    "palette PNG with alpha": (encoded(palette_with_transparency(), "PNG"), ON_WHITE),
    "RGBA PNG": (encoded(with_alpha("RGBA"), "PNG"), ON_WHITE),
    "LA PNG": (encoded(with_alpha("LA"), "PNG"), ON_WHITE),
    "lossless WebP with alpha": (encoded(with_alpha("RGBA"), "WEBP", lossless=True, exact=True), ON_WHITE),
}


@pytest.mark.parametrize("case", FILE_CASES)
def test_modes_of_files(case: str) -> None:
    data, expected = FILE_CASES[case]
    np.testing.assert_array_equal(np.asarray(load_photo(data)), np.repeat(np.uint8(expected)[..., None], 3, axis=2))


@pytest.mark.parametrize("format", [*FORMATS, "MPO"])  # MPO: a JPEG with more pictures behind it, as phones write
def test_every_listed_format_is_read(format: str) -> None:
    photo = Image.new("RGB", (64, 48), BLUE)
    assert_close(load_photo(encoded(photo, format)), photo, tolerance=12)


def test_cmyk_jpeg_becomes_rgb() -> None:
    photo = Image.new("RGB", (16, 16), RED)
    assert_close(load_photo(encoded(photo.convert("CMYK"), "JPEG", quality=95)), photo, tolerance=6)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(format: str) -> None:
    frames = [Image.new("RGB", (16, 16), color) for color in (RED, GREEN, BLUE)]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    assert Image.open(BytesIO(data)).n_frames == 3
    assert_close(load_photo(data), frames[0], tolerance=8)


def wide_gamut_profile() -> bytes:
    """A profile whose red and green are swapped sRGB primaries, so that its use cannot be missed."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.find(b"rXYZ"), profile.find(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "Test".encode("utf-16-be"))


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
def test_a_broken_or_foreign_profile_never_stops_a_photo(image: Image.Image, profile: bytes) -> None:
    assert load_photo(encoded(image, "PNG", icc_profile=profile)).size == image.size


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_is_ignored() -> None:
    assert_close(load_photo(encoded(quarters(), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")), quarters())


def test_the_photo_is_a_copy_without_metadata() -> None:
    original = quarters()
    original.info["comment"] = "secret place"
    photo = load_photo(original)
    photo.putpixel((0, 0), (1, 2, 3))
    assert (original.getpixel((0, 0)), photo.info) == (RED, {})
    array = np.asarray(quarters()).copy()
    photo = load_photo(array)
    array[:] = 0
    assert_close(photo, quarters())


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((4, 5), np.uint8), r"shape \(4, 5\)"),
        (np.zeros((4, 5, 4), np.uint8), r"shape \(4, 5, 4\)"),
        (np.zeros((3, 4, 5), np.uint8), r"shape \(3, 4, 5\)"),
        (np.zeros((4, 5, 3), np.float32), "float32"),
        (np.zeros((0, 5, 3), np.uint8), r"shape \(0, 5, 3\)"),
    ],
)
def test_arrays_must_be_height_width_rgb_uint8(array: Any, said: str) -> None:
    with pytest.raises(ImageError, match=said + r".*expected \(height, width, 3\) of type uint8"):
        load_photo(array)


def jpeg() -> bytes:
    return encoded(Image.effect_noise((200, 200), 80).convert("RGB"), "JPEG")


def deflated_bomb() -> bytes:
    """A 30000 x 30000 PNG of a few hundred bytes: the header alone tells its size."""
    png = bytearray(encoded(Image.new("1", (8, 8)), "PNG"))
    png[16:24] = (30_000).to_bytes(4) * 2
    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4)
    return bytes(png)


BROKEN_FILES = {
    "truncated.jpg": (jpeg()[:3000], "damaged or incomplete"),
    "truncated.png": (encoded(quarters(), "PNG")[:80], "damaged or incomplete"),
    "truncated.gif": (encoded(quarters(), "GIF")[:40], "damaged or incomplete|not a readable image"),
    "truncated.webp": (encoded(quarters(), "WEBP")[:60], "damaged or incomplete|not a readable image"),
    "truncated.avif": (encoded(quarters(), "AVIF")[:-40], "damaged or incomplete|not a readable image"),
    "truncated.tif": (encoded(quarters(), "TIFF")[:-3000], "damaged or incomplete|not a readable image"),
    "text.jpg": (b"This is no photo.", "not a readable image; use JPEG"),
    "page.png": (b"<html><body>404</body></html>", "not a readable image; use JPEG"),
    "drawing.eps": (encoded(quarters(), "EPS"), "not a readable image; use JPEG"),
    "empty.jpg": (b"", "empty"),
    "bomb.png": (deflated_bomb(), "too large.*40,000,000"),
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_broken_files_are_named_in_one_sentence(name: str, tmp_path: Path) -> None:
    data, said = BROKEN_FILES[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ImageError, match=said) as from_path:
        load_photo(path)
    message = str(from_path.value)
    assert name in message and message.endswith(".") and "\n" not in message
    with pytest.raises(ImageError, match=said):
        load_photo(data)


def test_the_limit_is_checked_before_decoding_and_named() -> None:
    with pytest.raises(ImageError, match="48 x 32 is 1,536 pixels and the limit is 1,000"):
        load_photo(encoded(quarters(), "PNG")[:60], max_pixels=1000)
    for source in (quarters(), np.asarray(quarters())):
        with pytest.raises(ImageError, match="the limit is 1,000"):
            load_photo(source, max_pixels=1000)
        assert load_photo(source, max_pixels=48 * 32).size == (48, 32)


def test_a_damaged_image_of_pil_is_reported(tmp_path: Path) -> None:
    image = Image.open(BytesIO(jpeg()[:3000]))
    with pytest.raises(ImageError, match="damaged"):
        load_photo(image)


def test_paths_that_hold_no_photo(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"There is no file .*none\.jpg"):
        load_photo(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="is a folder"):
        load_photo(tmp_path)
    with pytest.raises(ImageError, match="cannot be read"):
        load_photo("null\0byte.jpg")
    with pytest.raises(ImageError, match="not NoneType"):
        load_photo(None)  # type: ignore[arg-type]


def test_photo_names() -> None:
    assert photo_name("a/b/coat.jpg") == "coat.jpg"
    assert photo_name(Path("coat.jpg")) == "coat.jpg"
    assert photo_name(b"bytes") is None


def test_float_tiff_with_orientation_is_turned() -> None:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[ExifTags.Base.Orientation] = 6
    data = encoded(grey([[0, 0.2, 1]], np.float32), "TIFF", tiffinfo=info)
    np.testing.assert_array_equal(np.asarray(load_photo(data))[:, :, 0], [[0], [51], [255]])
