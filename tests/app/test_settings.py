"""Switches and sliders of the page."""

from pathlib import Path

import pytest
from PIL import Image

from clothseg.app.settings import (
    BACKGROUNDS,
    DEFAULT_CUTOUT,
    DEFAULT_OPTIONS,
    SWITCHES,
    cutout_options,
    cutout_values,
    scaled,
    switch_options,
)
from clothseg.errors import ImageError
from clothseg.options import CutoutOptions, SegmentOptions


OTHER = CutoutOptions("#ff8800", True, 12, -3, 1.5, True, True, False)


def test_switches_map_to_segment_options() -> None:
    at_first = switch_options([switch.ticked for switch in SWITCHES])
    assert SegmentOptions(**at_first) == DEFAULT_OPTIONS
    others = switch_options([not switch.ticked for switch in SWITCHES])
    assert others == {
        "edges": "plain",
        "zoom": "off",
        "people": "all",
        "tta": True,
        "rules": False,
        "orientation": "upright",
        "back_view": "auto",
    }


def test_cutout_settings_round_trip() -> None:
    for options in (CutoutOptions(), DEFAULT_CUTOUT, CutoutOptions("#ffffff"), OTHER):
        assert cutout_options(*cutout_values(options)) == options


def test_background_picture_is_used_only_if_chosen(tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    Image.new("RGB", (4, 3), "#123456").save(path)
    values = cutout_values(CutoutOptions())
    with_picture = [values[0], values[1], str(path), *values[3:]]
    assert cutout_options(*with_picture) == CutoutOptions()
    assert cutout_options(BACKGROUNDS[3], *with_picture[1:]).background.size == (4, 3)
    assert cutout_options(BACKGROUNDS[2], "rgba(255, 136.2, 0, 1)", *with_picture[2:]).background == "#ff8800"
    path.write_text("no picture")
    with pytest.raises(ImageError):
        cutout_options(BACKGROUNDS[3], *with_picture[1:])


def test_pixel_options_scale_with_the_picture() -> None:
    small = scaled(OTHER, 0.5)
    assert (small.margin, small.grow, small.feather) == (6, -2, 0.75)
    assert small.crop and small.background == "#ff8800"
