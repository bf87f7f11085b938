"""Any upload is decoded to an upright 8-bit RGB picture, or gives an error that names the file and the remedy."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paper_dolls import draw
from pictures import BLUE, GREEN, RED, STORED, assert_close, encoded, grey, jpeg, loaded, quarters
from PIL import ExifTags, Image

from clothseg import ConfigError, ImageError, Segmenter
from clothseg.images import decode
from clothseg.images.decode import LEAST_MAX_SIDE, load_photo, photo_name
from clothseg.images.image_file import FORMATS


ROOT = Path(decode.__file__).parents[2]


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_exif_orientation_is_applied(orientation: int, format: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encoded(STORED[orientation](quarters()), format, exif=exif, quality=95)
    path = tmp_path / "photo"
    path.write_bytes(data)
    tolerance = 0 if format in ("PNG", "TIFF") else 90  # lossy formats blur the borders of the quarters
    for source in (data, path, str(path), Image.open(path), Image.open(path).copy()):
        assert_close(load_photo(source), quarters(), tolerance)


def test_label_map_is_independent_of_exif_orientation(tiny_model: Path) -> None:
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


def test_orientation_is_not_applied_twice() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photo = load_photo(encoded(STORED[6](quarters()), "PNG", exif=exif))
    assert not photo.info
    assert_close(load_photo(photo), quarters())


@pytest.mark.parametrize("format", [*FORMATS, "MPO"])  # MPO: a JPEG followed by further pictures, as from phones
def test_every_listed_format_is_read(format: str, tmp_path: Path) -> None:
    photo = Image.new("RGB", (64, 48), BLUE)
    for found in loaded(encoded(photo, format), tmp_path):
        assert_close(found, photo, tolerance=12)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_an_animation_is_used(format: str) -> None:
    frames = [Image.new("RGB", (16, 16), color) for color in (RED, GREEN, BLUE)]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    assert Image.open(BytesIO(data)).n_frames == 3
    assert_close(load_photo(data), frames[0], tolerance=8)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_is_ignored() -> None:
    assert_close(load_photo(encoded(quarters(), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")), quarters())


def test_loaded_photo_is_a_copy_without_metadata() -> None:
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
        (np.zeros((4, 5, 2), np.uint8), r"shape \(4, 5, 2\)"),
        (np.zeros((3, 4, 5), np.uint8), r"shape \(3, 4, 5\)"),
        (np.zeros((4, 5, 3), np.float32), "float32"),
        (np.zeros((0, 5, 3), np.uint8), r"shape \(0, 5, 3\)"),
    ],
)
def test_arrays_of_other_shapes_or_dtypes_are_rejected(array: Any, said: str) -> None:
    with pytest.raises(ImageError, match=said + r".*expected \(height, width, 3\) of type uint8"):
        load_photo(array)


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
def test_broken_files_give_a_one_sentence_error(name: str, tmp_path: Path) -> None:
    data, said = BROKEN_FILES[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ImageError, match=said) as from_path:
        load_photo(path)
    message = str(from_path.value)
    assert name in message and message.endswith(".") and "\n" not in message
    with pytest.raises(ImageError, match=said):
        load_photo(data)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "gif"])
def test_closed_pil_images_give_a_clear_error(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"photo.{suffix}"
    quarters().save(path)
    with Image.open(path) as left:
        pass
    closed, drawn, file = Image.open(path), quarters(), path.open("rb")
    closed.close()
    drawn.close()
    of_file = Image.open(file)
    file.close()
    for image in (left, closed, drawn, of_file):
        with pytest.raises(ImageError, match=r"a PIL image that has been closed; use it inside"):
            load_photo(image)
    with Image.open(path) as read:
        read.load()
    assert load_photo(read).size == quarters().size


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://example.org/photo.jpg", "is an address, not the path of a file; download it first"),
        (Path("http://example.org/photo.jpg"), "is an address"),
        ("s3://bucket/photo.jpg", "is an address"),
        ("data:image/png;base64," + "A" * 5000, "decode it and pass the bytes"),
        ("file:///home/me/photo.jpg", "give the path alone"),
    ],
)
def test_urls_give_a_clear_error(address: str | Path, said: str) -> None:
    with pytest.raises(ImageError, match=said) as raised:
        load_photo(address)
    assert len(str(raised.value)) < 200


def test_existing_paths_that_look_like_urls_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quarters().save("data:1.png")
    assert load_photo("data:1.png").size == quarters().size


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP"])
def test_dpi_is_kept(format: str, tmp_path: Path) -> None:
    data = encoded(quarters(), format, dpi=(300, 150))
    for max_side, share in ((None, 1), (32, 32 / 48)):
        found = load_photo(data, max_side=max_side).info["dpi"]
        assert found == pytest.approx((300 * share, 150 * share), rel=0.02)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    if format in ("PNG", "JPEG"):
        turned = load_photo(encoded(quarters(), format, dpi=(300, 150), exif=exif)).info["dpi"]
        assert turned == pytest.approx((150, 300), abs=0.02)


def test_implausible_dpi_is_ignored() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 1
    assert "dpi" not in load_photo(encoded(quarters(), "JPEG", exif=exif)).info
    exif[ExifTags.Base.XResolution] = exif[ExifTags.Base.YResolution] = 240
    exif[ExifTags.Base.ResolutionUnit] = 2
    assert load_photo(encoded(quarters(), "JPEG", exif=exif)).info["dpi"] == (240, 240)
    for nonsense in ((0, 0), (float("nan"), 72), (1e9, 1e9), 300, "fine", (72,)):
        image = quarters()
        image.info["dpi"] = nonsense
        assert "dpi" not in load_photo(image).info


@pytest.mark.parametrize("format", ["JPEG", "progressive JPEG", "PNG", "16-bit PNG", "GIF", "BMP", "TIFF"])
def test_truncated_files_are_rejected_or_partially_decoded(format: str) -> None:
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
    if name != "JPEG":  # an opened JPEG cannot be completed
        np.testing.assert_array_equal(load_photo(Image.open(BytesIO(half)), allow_truncated=True), partial)
    np.testing.assert_array_equal(load_photo(data, allow_truncated=True), whole)


@pytest.mark.parametrize("format", FORMATS)
def test_files_without_pixels_are_rejected(format: str) -> None:
    data = encoded(Image.effect_noise((200, 200), 80).convert("RGB"), format)
    with pytest.raises(ImageError, match=r"damaged or incomplete|not a readable image"):
        load_photo(data[:14], allow_truncated=True)


def test_damaged_pil_image_raises_image_error(tmp_path: Path) -> None:
    image = Image.open(BytesIO(jpeg()[:3000]))
    with pytest.raises(ImageError, match="damaged"):
        load_photo(image)


def test_paths_without_a_photo_raise_image_errors(tmp_path: Path) -> None:
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


def test_photo_name_is_the_file_name_of_a_path() -> None:
    assert photo_name("a/b/coat.jpg") == "coat.jpg"
    assert photo_name(Path("coat.jpg")) == "coat.jpg"
    assert photo_name(b"bytes") is None


@pytest.mark.parametrize("format", ["PNG", "JPEG", "MPO", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_max_side_reduces_photos_while_decoding(orientation: int, format: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    upright = Image.fromarray(np.repeat(np.repeat(draw(1, 90, 60).image, 7, axis=0), 7, axis=1))  # 630 x 420
    data = encoded(STORED[orientation](upright), format, exif=exif, quality=95)
    whole = load_photo(data)
    path = tmp_path / "photo"
    path.write_bytes(data)
    for max_side, width in ((100, 67), (315, 210), (400, 267), (630, 420), (999, 420)):
        size = (width, min(max_side, 630))
        for found in (load_photo(source, max_side=max_side) for source in (path, data)):
            assert found.size == size and found.mode == "RGB" and not found.info
            assert np.abs(np.subtract(found, whole.resize(size, Image.Resampling.BICUBIC), dtype=float)).mean() < 3
    opened = Image.open(BytesIO(data))
    assert max(load_photo(opened, max_side=100).size) == 100 and max(opened.size) == 630  # the caller's is unchanged
    assert load_photo(np.asarray(upright), max_side=100).size == (67, 100)
    assert load_photo(Image.new("RGB", (4000, 41)), max_side=LEAST_MAX_SIDE).size == (32, 1)


def test_reduced_jpegs_are_decoded_at_a_lower_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    convert = decode.to_rgb_or_rgba
    monkeypatch.setattr(decode, "to_rgb_or_rgba", lambda image: decoded.append(image.size) or convert(image))
    data = encoded(Image.new("RGB", (800, 600), BLUE), "JPEG")
    for max_side in (None, 801, 500, 400, 399, 101, 50):
        load_photo(data, max_side=max_side)
    whole, half, quarter, eighth = (800, 600), (400, 300), (200, 150), (100, 75)
    assert decoded == [whole, whole, whole, half, half, quarter, eighth]
    with pytest.raises(ConfigError, match="32 pixels or more, not 31"):
        load_photo(data, max_side=31)
    with pytest.raises(ImageError, match="too large"):
        load_photo(data, 1000, max_side=32)
