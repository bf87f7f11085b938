"""PNG encoding is lossless for all sizes and modes, with and without the fast compressor."""

import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from clothseg.images import png_file
from clothseg.images.atomic_files import encoded
from clothseg.images.png_file import COLOR_TYPES, encode_png


@pytest.fixture(params=["isal", "zlib"])
def compressor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "zlib":
        monkeypatch.setattr(png_file, "_deflate", zlib)
    else:
        pytest.importorskip("isal")


@pytest.mark.usefixtures("compressor")
@pytest.mark.parametrize("mode", COLOR_TYPES)
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (700, 3), (511, 1027)])
def test_encoded_png_reads_back_exactly(mode: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_file, "_STRIP", 100_000)  # some pictures in one part, some in many
    rng = np.random.default_rng(0)
    bands = [Image.fromarray(rng.integers(0, 18 if mode == "P" else 256, size[::-1], np.uint8)) for _ in mode]
    picture = Image.merge(mode, bands) if mode != "P" else bands[0]
    if mode == "P":
        picture.putpalette(rng.integers(0, 256, 3 * 18, np.uint8).tobytes())
    data = encode_png(picture)
    with Image.open(BytesIO(data), formats=["PNG"]) as read:
        assert (read.mode, read.size, read.info) == (mode, size, {})
        assert (read.tobytes(), read.getpalette()) == (picture.tobytes(), picture.getpalette())
    picture = picture.convert("RGB") if mode == "P" else picture
    mode = picture.mode
    other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED).reshape(*size[::-1], -1)
    order = [2, 1, 0, 3][: len(mode)] if len(mode) > 1 else [0]
    assert np.array_equal(other[..., order], np.asarray(picture).reshape(*size[::-1], -1))


def test_resolution_is_written_like_pillow() -> None:
    picture = Image.new("RGB", (3, 2))
    picture.info["dpi"] = (300.0, 72.5)
    ours, pillows = (Image.open(BytesIO(data)).info["dpi"] for data in (encoded(picture, "PNG"), _by_pillow(picture)))
    assert ours == pillows == pytest.approx((300, 72.5), abs=0.02)


def test_png_files_are_at_most_15_percent_larger_than_pillows() -> None:
    y, x = np.mgrid[:600, :400]
    rng = np.random.default_rng(0)
    photo = np.stack([(x + y) / 5, x / 2, 90 + 60 * np.sin(y / 40)], axis=-1) + rng.normal(0, 4, (600, 400, 1))
    cutout = np.dstack([photo.clip(0, 255), np.full(x.shape, 255)]).astype(np.uint8)
    cutout[np.hypot(x - 200, y - 300) > 150] = 0
    label_map = Image.fromarray(np.uint8(y // 100 + 6 * (cutout[..., 3] > 0)))
    label_map.putpalette(bytes(range(36)))
    for picture in (*map(Image.fromarray, (cutout, cutout[..., :3], cutout[..., 3])), label_map):
        assert len(encode_png(picture)) < 1.15 * len(_by_pillow(picture))


def _by_pillow(picture: Image.Image) -> bytes:
    stream = BytesIO()
    picture.save(stream, "PNG", dpi=picture.info.get("dpi"), compress_level=1)
    return stream.getvalue()
