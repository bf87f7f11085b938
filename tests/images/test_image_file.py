"""Files that would need too much time or memory are rejected before decoding."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pictures import STORED, assert_close, encoded, quarters, sized
from PIL import ExifTags, Image

from clothseg import ConfigError, ImageError
from clothseg.images import image_file
from clothseg.images.decode import load_photo
from clothseg.images.image_file import FORMATS, pixel_limit


ROOT = Path(image_file.__file__).parents[2]


def test_heic_is_read_with_the_plugin_and_named_without(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pillow_heif")
    for orientation, stored in STORED.items():
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        data = encoded(stored(quarters()), "HEIF", exif=exif.tobytes(), quality=95)
        assert_close(load_photo(data), quarters(), tolerance=90)
    monkeypatch.setattr(image_file, "FORMATS", tuple(name for name in FORMATS if name != "HEIF"))
    with pytest.raises(ImageError, match=r"The photo is a HEIC photo, .* save or share it as JPEG\."):
        load_photo(data)


def test_jpeg_with_too_many_scans_is_rejected(tmp_path: Path) -> None:
    """Each scan makes the decoder process the whole picture again, and may need only a few dozen bytes."""
    data = encoded(quarters(), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    path = tmp_path / "scans.jpg"
    for times, scans in ((90, 99), (92, 101), (3000, 3009)):
        path.write_bytes(data[:start] + data[start:-2] * times + data[-2:])
        if scans <= 100:
            assert_close(load_photo(path), quarters(), tolerance=90)
            continue
        for source in (path, path.read_bytes()):
            with pytest.raises(ImageError, match=f"is a JPEG of {scans} scans; more than 100 are rejected"):
                load_photo(source)


def test_scan_markers_in_metadata_are_not_counted() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "\xff\xda" * 500
    data = encoded(quarters(), "JPEG", exif=exif, comment=b"\xff\xda" * 500) + b"\xff\xda" * 500
    assert_close(load_photo(data), quarters(), tolerance=90)


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
from clothseg.images.decode import load_photo

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
def test_decompression_bombs_are_rejected_without_allocating_memory(tmp_path: Path) -> None:
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
def test_narrow_photos_are_rejected_before_decoding(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=rf"too narrow: {size[0]} x {size[1]}; one side may be 100 times"):
        load_photo(sized("PNG", *size))
    assert load_photo(Image.new("RGB", (1, 100))).size == (1, 100)


@pytest.mark.parametrize("value", ["many", "0", "-5", "4e6", "178956971", "1" * 5000])
def test_invalid_pixel_limit_raises_config_error(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOTHSEG_MAX_PIXELS", value)
    with pytest.raises(ConfigError, match=r"CLOTHSEG_MAX_PIXELS is .* give a number of pixels from 1 to 178,956,970"):
        load_photo(quarters())
    assert load_photo(quarters(), max_pixels=1536).size == (48, 32)


def test_pixel_limit_is_configurable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pixel_limit() == 40_000_000
    monkeypatch.setenv("CLOTHSEG_MAX_PIXELS", "1000")
    with pytest.raises(ImageError, match="48 x 32 is 1,536 pixels and the limit is 1,000"):
        load_photo(encoded(quarters(), "PNG"))
    with pytest.raises(ConfigError, match="max_pixels is 0"):
        load_photo(quarters(), max_pixels=0)


def test_pixel_limit_is_checked_before_decoding() -> None:
    with pytest.raises(ImageError, match="48 x 32 is 1,536 pixels and the limit is 1,000"):
        load_photo(encoded(quarters(), "PNG")[:60], max_pixels=1000)
    for source in (quarters(), np.asarray(quarters())):
        with pytest.raises(ImageError, match="the limit is 1,000"):
            load_photo(source, max_pixels=1000)
        assert load_photo(source, max_pixels=48 * 32).size == (48, 32)
