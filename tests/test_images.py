"""Whatever strangers upload becomes an upright 8-bit RGB picture, or an error that names the file and the cure."""

import base64
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from gradio.data_classes import ImageData
from paper_dolls import draw
from PIL import ExifTags, Image, ImageChops, ImageCms, TiffImagePlugin

from clothseg import ConfigError, ImageError, Segmenter, images
from clothseg.endpoints import photo_input
from clothseg.images import FORMATS, load_photo, photo_name, pixel_limit


ROOT = Path(images.__file__).parents[1]


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


def test_the_eight_turns_of_one_photo_have_one_label_map(tiny_model: Path) -> None:
    upright = Image.fromarray(draw(1, 160, 96).image)
    segmenter = Segmenter.from_pretrained(tiny_model)
    expected = segmenter(upright).label_map
    assert len(np.unique(expected)) > 2
    for orientation, stored in STORED.items():
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        result = segmenter(encoded(stored(upright), "PNG", exif=exif))
        np.testing.assert_array_equal(result.photo, upright)
        np.testing.assert_array_equal(result.label_map, expected)


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


def deep(*pixels: tuple[int, ...]) -> bytes:
    """A PNG of 16 bits a channel, in one row; Pillow writes none. Channels are given as RGB or RGBA."""
    rows = np.asarray([pixels], np.uint16)[..., [2, 1, 0, 3][: len(pixels[0])]]  # OpenCV's order
    return cv2.imencode(".png", rows)[1].tobytes()


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


def loaded(data: bytes, folder: Path) -> list[Image.Image]:
    """A file as it comes in by each door: a path, bytes, and a data: URL sent to the app."""
    path = folder / "photo"
    path.write_bytes(data)
    url = "data:image/any;base64," + base64.b64encode(data).decode()
    return [load_photo(source) for source in (path, data, photo_input().preprocess(ImageData(url=url)))]


@pytest.mark.parametrize("case", FILE_CASES)
def test_modes_of_files(case: str, tmp_path: Path) -> None:
    data, expected = FILE_CASES[case]
    for photo in loaded(data, tmp_path):
        np.testing.assert_array_equal(np.asarray(photo), np.repeat(np.uint8(expected)[..., None], 3, axis=2))


@pytest.mark.parametrize("format", ["AVIF", "WEBP", *(["HEIF"] if "HEIF" in FORMATS else [])])
def test_lossy_formats_are_laid_on_white(format: str, tmp_path: Path) -> None:
    picture = with_alpha("RGBA").resize((64, 32), Image.Resampling.NEAREST)
    for photo in loaded(encoded(picture, format, quality=95), tmp_path):
        assert_close(photo.crop((0, 0, 24, 32)), Image.new("RGB", (24, 32), "black"), tolerance=3)
        assert_close(photo.crop((40, 0, 64, 32)), Image.new("RGB", (24, 32), "white"), tolerance=3)


def test_lab_becomes_rgb(tmp_path: Path) -> None:
    for photo in loaded(encoded(Image.new("LAB", (2, 1), (255, 128, 128)), "TIFF"), tmp_path):
        assert_close(photo, Image.new("RGB", (2, 1), "white"), tolerance=1)


@pytest.mark.parametrize("format", [*FORMATS, "MPO"])  # MPO: a JPEG with more pictures behind it, as phones write
def test_every_listed_format_is_read(format: str, tmp_path: Path) -> None:
    photo = Image.new("RGB", (64, 48), BLUE)
    for found in loaded(encoded(photo, format), tmp_path):
        assert_close(found, photo, tolerance=12)


def test_heic_is_read_where_the_plugin_is_and_named_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pillow_heif")
    for orientation, stored in STORED.items():
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        data = encoded(stored(quarters()), "HEIF", exif=exif.tobytes(), quality=95)
        assert_close(load_photo(data), quarters(), tolerance=90)
    monkeypatch.setattr(images, "FORMATS", tuple(name for name in FORMATS if name != "HEIF"))
    with pytest.raises(ImageError, match=r"The photo is a HEIC photo, .* save or share it as JPEG\."):
        load_photo(data)


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


@pytest.mark.parametrize("ycck", [False, True])
def test_cmyk_jpeg_becomes_rgb(ycck: bool, tmp_path: Path) -> None:
    photo = Image.new("RGB", (16, 16), RED)
    for found in loaded(cmyk_jpeg(photo, ycck=ycck), tmp_path):
        assert_close(found, photo, tolerance=6)


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
    "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a readable image; use JPEG"),
    "empty.jpg": (b"", "empty"),
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


@pytest.mark.parametrize("format", ["JPEG", "progressive JPEG", "PNG", "16-bit PNG", "GIF", "BMP", "TIFF"])
def test_a_truncated_file_is_refused_or_used_as_far_as_it_goes(format: str) -> None:
    name = format.split()[-1]
    photo = Image.effect_noise((200, 200), 80)
    if format == "16-bit PNG":
        photo = grey(np.asarray(photo, np.uint16) * 257, np.uint16)
    options = {"progressive JPEG": {"progressive": True}, "GIF": {"interlace": False}}.get(format, {})
    data = encoded(photo, name, **options)
    whole, half = np.asarray(load_photo(data), int), data[: len(data) // 2]
    with pytest.raises(ImageError, match="damaged or incomplete"):
        load_photo(half)
    partial = np.asarray(load_photo(half, allow_truncated=True), int)
    rows = np.abs(partial - whole).mean(axis=(1, 2)) < (50 if format == "progressive JPEG" else 1)
    assert partial.shape == whole.shape and 80 < rows.sum()
    if name != "JPEG":  # an opened file is not ours to lengthen
        np.testing.assert_array_equal(load_photo(Image.open(BytesIO(half)), allow_truncated=True), partial)
    np.testing.assert_array_equal(load_photo(data, allow_truncated=True), whole)


@pytest.mark.parametrize("format", FORMATS)
def test_of_a_file_without_pixels_nothing_is_used(format: str) -> None:
    data = encoded(Image.effect_noise((200, 200), 80).convert("RGB"), format)
    with pytest.raises(ImageError, match=r"damaged or incomplete|not a readable image"):
        load_photo(data[:14], allow_truncated=True)


def test_a_jpeg_of_very_many_scans_is_refused(tmp_path: Path) -> None:
    """Each takes the decoder over the whole picture once more, and some need but a few dozen bytes."""
    data = encoded(quarters(), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    path = tmp_path / "scans.jpg"
    for times, scans in ((90, 99), (92, 101), (3000, 3009)):
        path.write_bytes(data[:start] + data[start:-2] * times + data[-2:])
        if scans <= 100:
            assert_close(load_photo(path), quarters(), tolerance=90)
            continue
        for source in (path, path.read_bytes()):
            with pytest.raises(ImageError, match=f"is a JPEG of {scans} scans; more than 100 are not read"):
                load_photo(source)


def test_scans_are_counted_in_the_picture_alone() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "\xff\xda" * 500
    data = encoded(quarters(), "JPEG", exif=exif, comment=b"\xff\xda" * 500) + b"\xff\xda" * 500
    assert_close(load_photo(data), quarters(), tolerance=90)


def sized(format: str, width: int, height: int) -> bytes:
    """A small file whose header claims a size."""
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


BOMBS = {
    "PNG": (30_000, 30_000),
    "JPEG": (65_500, 65_500),
    "GIF": (65_535, 65_535),
    "GIF's frame": (65_535, 65_535),
    "BMP": (60_000, 60_000),
    "WEBP": (16_383, 16_383),
    "TIFF": (100_000, 100_000),
    "TIFF, compressed": (100_000, 100_000),
}

LOAD_ALL = """
import sys
from pathlib import Path
from clothseg import ImageError
from clothseg.images import load_photo

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

try:
    load_photo(b"warm up")
except ImageError:
    pass
for path in sys.argv[1:]:
    before = peak()
    try:
        load_photo(path)
        sys.exit(f"{path} was loaded")
    except ImageError as error:
        print(peak() - before, error)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
def test_bombs_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    paths = []
    for format, size in BOMBS.items():
        paths.append(tmp_path / format)
        paths[-1].write_bytes(sized(format, *size))
    command = [sys.executable, "-W", "ignore", "-c", LOAD_ALL, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    for path, line in zip(paths, done.stdout.splitlines(), strict=True):
        kilobytes, _, message = line.partition(" ")
        assert message.startswith(f"{path.name} is too large: "), message
        assert int(kilobytes) < 30_000, line


@pytest.mark.parametrize("size", [(1, 40_000_000), (40_000, 10), (1, 101)])
def test_what_is_too_narrow_is_refused_before_decoding(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=rf"too narrow: {size[0]} x {size[1]}; one side may be 100 times"):
        load_photo(sized("PNG", *size))
    assert load_photo(Image.new("RGB", (1, 100))).size == (1, 100)


@pytest.mark.parametrize("value", ["many", "0", "-5", "4e6", "178956971", "1" * 5000])
def test_a_limit_that_cannot_be_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOTHSEG_MAX_PIXELS", value)
    with pytest.raises(ConfigError, match=r"CLOTHSEG_MAX_PIXELS is .* give a number of pixels from 1 to 178,956,970"):
        load_photo(quarters())
    assert load_photo(quarters(), max_pixels=1536).size == (48, 32)


def test_the_limit_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pixel_limit() == 40_000_000
    monkeypatch.setenv("CLOTHSEG_MAX_PIXELS", "1000")
    with pytest.raises(ImageError, match="48 x 32 is 1,536 pixels and the limit is 1,000"):
        load_photo(encoded(quarters(), "PNG"))
    with pytest.raises(ConfigError, match="max_pixels is 0"):
        load_photo(quarters(), max_pixels=0)


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
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="pipe is a pipe or a device"):
        load_photo(tmp_path / "pipe")
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
