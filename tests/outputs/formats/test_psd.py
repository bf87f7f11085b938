"""Layered Photoshop documents, read back with psd-tools and with Pillow."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image
from psd_tools import PSDImage

from clothseg import ConfigError, Segmentation
from clothseg.outputs.formats import psd


@pytest.fixture(scope="module")
def result() -> Segmentation:
    doll = draw(5)
    return Segmentation(doll.image, doll.mask, name="doll.jpg")


def test_psd_layers_have_photo_pixels_and_item_masks(result: Segmentation, tmp_path: Path) -> None:
    result.export(tmp_path / "doll.psd", "psd")
    document = PSDImage.open(tmp_path / "doll.psd")
    photo, items = np.asarray(result.photo), result.items()
    bottom, *layers = document
    assert bottom.name == "Photo" and [layer.name for layer in layers] == [f"{i.index:02d} {i.name}" for i in items]
    np.testing.assert_array_equal(np.asarray(bottom.topil())[..., :3], photo)
    for layer, item in zip(layers, items, strict=True):
        x, y, width, height = item.box
        assert (layer.offset, layer.size) == ((x, y), (width, height))
        np.testing.assert_array_equal(np.asarray(layer.topil())[..., :3], photo[y : y + height, x : x + width])
        assert layer.mask is not None and layer.mask.bbox == (x, y, x + width, y + height)
        np.testing.assert_array_equal(np.asarray(layer.mask.topil()) > 0, item.mask)
        np.testing.assert_array_equal(np.asarray(layer.composite())[..., 3] > 0, item.mask)


def test_pillow_reads_the_photo_from_the_psd(result: Segmentation) -> None:
    with Image.open(io.BytesIO(psd.to_psd(result.items(), np.asarray(result.photo)))) as read:
        assert read.format == "PSD" and read.size == result.photo.size
        np.testing.assert_array_equal(np.asarray(read.convert("RGB")), np.asarray(result.photo))


def test_oversized_photo_or_missing_package_raises_config_error(
    result: Segmentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"at most 30,000 pixels a side, not 1 x 30,001"):
        psd.to_psd((), np.zeros((30_001, 1, 3), np.uint8))
    monkeypatch.setitem(sys.modules, "psd_tools", None)
    with pytest.raises(ConfigError, match="needs psd_tools, which is not installed: pip install"):
        psd.to_psd((), np.asarray(result.photo))
