"""Helpers shared by the annotation readers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clothseg.errors import DataError
from clothseg.training.annotations.source import circle, fill, ids_of_names, named, photo_sizes, upright


def test_background_gets_id_0_and_others_are_numbered() -> None:
    ids = ids_of_names(["top", "_background_", "shoes", "top"])
    assert ids == {"top": 1, "_background_": 0, "shoes": 2}
    assert named(ids) == {0: "_background_", 1: "top", 2: "shoes"} and named({"top": 1}) == {0: "background", 1: "top"}


def test_polygons_are_filled() -> None:
    ids = np.zeros((10, 12), np.uint16)
    assert fill(ids, 3, [np.array([(2, 1), (6, 1), (6, 5), (2, 5)])]) == 16
    assert (ids[1:5, 2:6] == 3).all() and (ids == 3).sum() == 16
    assert fill(ids, 4, [np.array([(0, 0), (1, 1)])]) == 0 and not (ids == 4).any()
    large = np.zeros((100, 100), np.uint16)
    assert fill(large, 1, [circle(np.array([50, 50]), 30)]) == pytest.approx(np.pi * 900, rel=0.02)


def test_mismatched_sizes_and_unreadable_photos_are_rejected(tmp_path: Path) -> None:
    Image.new("RGB", (8, 6)).save(tmp_path / "photo.png")
    assert photo_sizes(tmp_path / "photo.png")[:2] == ((6, 8), (6, 8))
    with pytest.raises(DataError, match="the annotation is for 6x8 pixels, the photo has 8x6"):
        upright(np.zeros((8, 6), np.uint16), tmp_path / "photo.png")
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(DataError, match=r"bad\.png is not a readable picture"):
        photo_sizes(tmp_path / "bad.png")
