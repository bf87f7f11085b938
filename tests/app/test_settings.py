"""Switches and sliders of the page, and links with settings."""

from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from PIL import Image

from clothseg.app.settings import (
    BACKGROUNDS,
    DEFAULT_CUTOUT,
    DEFAULT_OPTIONS,
    SWITCHES,
    Settings,
    cutout_options,
    cutout_values,
    read_link,
    scaled,
    switch_options,
    write_link,
)
from clothseg.errors import ImageError
from clothseg.options import CutoutOptions, SegmentOptions


OTHER = Settings(
    ticks=(False, False, True, True, False, False, True),
    keep=("Dress", "Bag"),
    opacity=0.4,
    cutout=CutoutOptions("#ff8800", True, 12, -3, 1.5, True, True, False),
)


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


@pytest.mark.parametrize("settings", [Settings(), OTHER, Settings(keep=("Hat",)), Settings(opacity=0)])
def test_link_round_trip_keeps_all_settings(settings: Settings) -> None:
    query = write_link(settings)
    assert read_link(dict(parse_qsl(query.removeprefix("?")))) == settings
    assert bool(query) == (settings != Settings())


def test_links_are_readable() -> None:
    settings = Settings(ticks=(True, True, True, False, True, True, False), keep=("Dress", "Bag"), opacity=0.4)
    assert write_link(settings) == "?people=all&keep=Dress,Bag&opacity=0.4"


@pytest.mark.parametrize(
    "query",
    [
        {"people": "many", "edges": "", "keep": "Cape,<script>", "opacity": "nan", "grow": "1000", "feather": "nan"},
        {"background": "/etc/passwd", "crop": "perhaps", "margin": "-1", "tta": "2", "foreign": "1"},
    ],
)
def test_invalid_link_values_give_defaults(query: dict[str, str]) -> None:
    assert read_link(query) == Settings()


def test_cutout_settings_round_trip() -> None:
    for options in (CutoutOptions(), DEFAULT_CUTOUT, CutoutOptions("#ffffff"), OTHER.cutout):
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
    small = scaled(OTHER.cutout, 0.5)
    assert (small.margin, small.grow, small.feather) == (6, -2, 0.75)
    assert small.crop and small.background == "#ff8800"
