"""Links that carry the page's settings: written for visitors, and read when the page opens."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode

import gradio as gr

from clothseg.app.photo_input import plain_errors
from clothseg.app.selection import Choice, PhotoResult, first_picks
from clothseg.app.settings import DEFAULT_CUTOUT, DEFAULT_TICKS, SWITCHES, cutout_options, cutout_values
from clothseg.errors import ClothsegError
from clothseg.labels import ATR, LabelSet
from clothseg.options import CutoutOptions, SegmentOptions


OPACITY = 0.6
"""Default opacity of the regions."""


class Settings(NamedTuple):
    """Settings that a link carries.

    Attributes:
        ticks: whether each of `SWITCHES` is ticked.
        keep: classes to pick in a new photo; empty for all garments.
        opacity: opacity of the regions, 0..1.
        cutout: options of cut-outs, without a background picture.
    """

    ticks: tuple[bool, ...] = DEFAULT_TICKS
    keep: tuple[str, ...] = ()
    opacity: float = OPACITY
    cutout: CutoutOptions = DEFAULT_CUTOUT


def read_link(query: Mapping[str, str], labels: LabelSet = ATR) -> Settings:
    """Return the settings in a link's query; unknown or invalid values are replaced by the defaults."""
    defaults = Settings()
    query = {SegmentOptions.RENAMED.get(name, name): value for name, value in query.items()}
    ticks = tuple(
        {str(switch.on).lower(): True, str(switch.off).lower(): False}.get(query.get(switch.option, ""), switch.ticked)
        for switch in SWITCHES
    )
    keep = tuple(name for name in map(unquote, query.get("keep", "").split(",")) if name in labels.names)
    opacity = defaults.opacity
    with suppress(ValueError):
        given = float(query.get("opacity", opacity))
        opacity = given if 0 <= given <= 1 else opacity
    cutout: dict[str, Any] = {}
    for field in fields(CutoutOptions):
        if (text := query.get(field.name)) is None:
            continue
        with suppress(ValueError, ClothsegError):
            value: Any = {"true": True, "false": False}.get(text)
            if field.name == "background":
                value = text
            elif value is None:
                value = float(text)
            CutoutOptions.of({field.name: value})
            cutout[field.name] = value
    return Settings(ticks, keep, opacity, replace(defaults.cutout, **cutout))


def write_link(settings: Settings) -> str:
    """Return the query of a link to settings, with its `?`: all values that differ from the defaults, except a
    background picture."""
    query = {
        switch.option: str(switch.on if tick else switch.off).lower()
        for switch, tick in zip(SWITCHES, settings.ticks, strict=True)
        if tick != switch.ticked
    }
    if settings.keep:
        query["keep"] = ",".join(quote(name, safe="") for name in settings.keep)
    if settings.opacity != OPACITY:
        query["opacity"] = f"{settings.opacity:g}"
    for field in fields(CutoutOptions):
        value = getattr(settings.cutout, field.name)
        if value != getattr(DEFAULT_CUTOUT, field.name) and isinstance(value, bool | int | float | str):
            query[field.name] = str(value).lower()
    return f"?{urlencode(query, safe=',')}" if query else ""


def from_link(query: Mapping[str, str], labels: LabelSet = ATR) -> list[Any]:
    """Return the values of the components that a link sets, in the order of `SegmentTab.linked`."""
    settings = read_link(query, labels)
    return [*settings.ticks, *cutout_values(settings.cutout), list(settings.keep)]


@plain_errors
def address(*values: Any) -> str:
    """Return the query of the page's address: the settings, without the picked parts."""
    return write_link(Settings(values[: len(SWITCHES)], cutout=cutout_options(*values[len(SWITCHES) :])))


@plain_errors
def link(said: Any, seen: Any, *values: Any) -> Any:
    """Return the query of a link to the settings; it names classes only if they differ from the first picks."""
    choice = Choice.of(said)
    opacity = OPACITY if choice.opacity is None else choice.opacity
    keep: tuple[str, ...] = ()
    if isinstance(seen, PhotoResult):
        if set(choice.picked) != set(first_picks(seen.parts, (), seen.result.labels)):
            keep = tuple(dict.fromkeys(part.name for part in seen.parts if part.key in choice.picked))
    settings = Settings(values[: len(SWITCHES)], keep, opacity, cutout_options(*values[len(SWITCHES) :]))
    return gr.update(value=write_link(settings), visible=True)
