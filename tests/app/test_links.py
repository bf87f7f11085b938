"""Links with settings."""

from typing import Any
from urllib.parse import parse_qsl

import pytest

from clothseg.app.components.parts import find_parts
from clothseg.app.links import Settings, link, read_link, write_link
from clothseg.app.selection import PhotoResult, first_picks
from clothseg.app.settings import DEFAULT_CUTOUT, DEFAULT_TICKS, cutout_values
from clothseg.labels import ATR
from clothseg.options import CutoutOptions


OTHER = Settings(
    ticks=(False, False, True, True, False, False, True),
    keep=("Dress", "Bag"),
    opacity=0.4,
    cutout=CutoutOptions("#ff8800", True, 12, -3, 1.5, True, True, False),
)


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


def test_link_names_classes_only_if_picks_differ_from_default(doll: PhotoResult) -> None:
    first = first_picks(find_parts(doll.result), (), ATR)

    def query(picked: list[str], **said: Any) -> str:
        values = [*DEFAULT_TICKS, *cutout_values(DEFAULT_CUTOUT)]
        return str(link({"picked": picked, **said}, doll, *values)["value"])

    assert query(first) == "" and query(first, opacity=0.4) == "?opacity=0.4"
    assert query(["Hat", "Face"]) == "?keep=Hat,Face"
