"""The page's switches: how a photo is segmented, how a cut-out is made, and both as a link that can be passed on."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import gradio as gr

from clothseg.app.i18n import tr
from clothseg.app.photo_input import photo_input
from clothseg.errors import ClothsegError
from clothseg.labels import NAMES
from clothseg.options import MAX_FEATHER, MAX_GROWTH, CutoutOptions, SegmentOptions, options_of


class Switch(NamedTuple):
    """A choice of two in how photos are segmented.

    Attributes:
        option: name of the field of `SegmentOptions`, and in links.
        label: what the page calls it, in English.
        info: what it does, in plain words.
    """

    option: str
    label: str
    info: str

    @property
    def off(self) -> str | bool:
        """The option's value when the box is empty."""
        choices = options_of(SegmentOptions)[self.option].choices
        return choices[0] if choices else False

    @property
    def on(self) -> str | bool:
        """The one when it is ticked."""
        choices = options_of(SegmentOptions)[self.option].choices
        return choices[1] if choices else True

    @property
    def ticked(self) -> bool:
        """Whether it is at first."""
        return bool(getattr(AT_FIRST, self.option) == self.on)


AT_FIRST = SegmentOptions(rules=True)
"""How the page segments at first. The API's default leaves out the rules for one person; docs/experiments/edges.md has
what the page's defaults bring."""

LOOK = (
    Switch("edges", "Sharp borders", "Borders follow the photo’s edges."),
    Switch("zoom", "Zoom in on small people", "A small person is segmented again at a higher resolution."),
    Switch("people", "Separate people", "Each of several people is segmented separately."),
    Switch("tta", "High accuracy", "About 5× slower."),
    Switch("rules", "Clean up", "Removes specks, and what one person cannot wear there."),
    Switch("orientation", "Turn photos", "Tries other orientations if nobody stands upright."),
    Switch("back_view", "Swap left and right for backs", "For people seen from behind; can be wrong."),
)
"""How a photo is segmented, in the page's order."""

LOOK_AT_FIRST = tuple(switch.ticked for switch in LOOK)

OPACITY = 0.6
"""Of the regions, at first."""

GROUNDS = ("Transparent", "White", "Colour", "Picture")
"""What can lie behind a cut-out."""

WHITE = "#ffffff"

CUTOUT_AT_FIRST = CutoutOptions(drop_specks=True)
"""How the page cuts out at first. The API's own default keeps specks."""

MARGIN = 200
"""Widest margin that the page offers, in pixels; the API takes wider ones."""


class Settings(NamedTuple):
    """What a link carries.

    Attributes:
        look: a tick for each of `LOOK`.
        keep: classes to pick in a new photo; empty for all garments.
        opacity: of the regions, 0..1.
        cutout: how a cut-out is made, without a picture behind it.
    """

    look: tuple[bool, ...] = LOOK_AT_FIRST
    keep: tuple[str, ...] = ()
    opacity: float = OPACITY
    cutout: CutoutOptions = CUTOUT_AT_FIRST


def look_inputs() -> list[gr.Checkbox]:
    """A tick box for each of `LOOK`."""
    return [
        gr.Checkbox(switch.ticked, label=tr(switch.label), info=tr(switch.info), elem_classes="tight")
        for switch in LOOK
    ]


def polygons_input(elem_id: str) -> gr.Checkbox:
    """The choice between polygons and run lengths in COCO's files."""
    return gr.Checkbox(
        False,
        label=tr("COCO with polygons"),
        info=tr("For tools that take no run lengths, such as Label Studio."),
        elem_classes="tight",
        elem_id=elem_id,
    )


def look_options(ticks: Sequence[bool]) -> dict[str, Any]:
    """Keyword arguments of `Segmenter.__call__` from the boxes of `look_inputs`."""
    return {switch.option: switch.on if tick else switch.off for switch, tick in zip(LOOK, ticks, strict=True)}


def cutout_inputs(prefix: str = "") -> list[Any]:
    """The components whose values `cutout_options` takes; `prefix` is for their ids in the page."""
    return [*ground_inputs(prefix), *edge_inputs()]


def ground_inputs(prefix: str = "") -> list[Any]:
    """The first of `cutout_inputs`: what lies behind the cut-out, and whether it is cropped."""
    plain = CUTOUT_AT_FIRST
    grounds = [(tr(ground), ground) for ground in GROUNDS]
    ground = gr.Radio(grounds, value=GROUNDS[0], label=tr("Background"), elem_id=f"{prefix}ground")
    # The style sheet shows the one that is chosen: an update of the picture's input would give it back gradio's own
    # way to read files (`gradio_internals.replace_preprocess`).
    color = gr.ColorPicker("#ffd84d", label=tr("Colour"), elem_id=f"{prefix}ground-color")
    picture = photo_input(
        label=tr("Picture"),
        sources=["upload"],
        height=140,
        buttons=[],
        elem_id=f"{prefix}ground-picture",
    )
    crop = gr.Checkbox(plain.crop, label=tr("Crop to the cut-out"), elem_id=f"{prefix}crop", elem_classes="tight")
    return [ground, color, picture, crop]


def edge_inputs() -> list[Any]:
    """The rest of `cutout_inputs`: the outline."""
    plain = CUTOUT_AT_FIRST
    margin = gr.Slider(0, MARGIN, plain.margin, step=1, label=tr("Padding when cropped, pixels"))
    grow = gr.Slider(-MAX_GROWTH, MAX_GROWTH, plain.grow, step=1, label=tr("Expand, pixels"))
    feather = gr.Slider(0, MAX_FEATHER, plain.feather, step=0.5, label=tr("Feather, pixels"))
    soft_edges = gr.Checkbox(
        plain.soft_edges, label=tr("Soft edges"), info=tr("For hair and fringes."), elem_classes="tight"
    )
    fill_holes = gr.Checkbox(plain.fill_holes, label=tr("Fill holes"), info=tr("Small ones."), elem_classes="tight")
    drop_specks = gr.Checkbox(
        plain.drop_specks, label=tr("Drop specks"), info=tr("Pieces of a few pixels."), elem_classes="tight"
    )
    invert = gr.Checkbox(
        plain.invert, label=tr("Invert"), info=tr("Everything but what is picked."), elem_classes="tight"
    )
    return [margin, grow, feather, soft_edges, fill_holes, drop_specks, invert]


def cutout_options(
    ground: str,
    color: str,
    picture: str | bytes | None,
    crop: bool,
    margin: float,
    grow: float,
    feather: float,
    soft_edges: bool,
    fill_holes: bool,
    drop_specks: bool,
    invert: bool,
) -> CutoutOptions:
    """What the components of `cutout_inputs` say.

    Raises:
        ConfigError: a value that is not allowed.
        ImageError: the picture cannot be used.
    """
    background: Any = "none"
    if ground == GROUNDS[1]:
        background = WHITE
    elif ground == GROUNDS[2]:
        background = _hex(color)
    elif ground == GROUNDS[3] and picture is not None:
        background = Path(picture) if isinstance(picture, str) else picture
    edges = soft_edges, fill_holes, drop_specks, invert
    return CutoutOptions(background, crop, round(margin), round(grow), feather, *edges)


def scaled(options: CutoutOptions, scale: float) -> CutoutOptions:
    """Options for a photo that was made smaller, by `scale` below 1: what counts in pixels counts in fewer."""
    return replace(
        options,
        margin=round(options.margin * scale),
        grow=round(options.grow * scale),
        feather=options.feather * scale,
    )


def cutout_values(options: CutoutOptions) -> list[Any]:
    """Values of the components of `cutout_inputs` that say `options`, which have no picture."""
    color = options.background
    ground = {"none": GROUNDS[0], WHITE: GROUNDS[1]}.get(str(color), GROUNDS[2])
    return [
        ground,
        color if ground == GROUNDS[2] else "#ffd84d",
        None,
        *(getattr(options, name) for name in ("crop", "margin", "grow", "feather")),
        *(getattr(options, name) for name in ("soft_edges", "fill_holes", "drop_specks", "invert")),
    ]


def read_link(query: Mapping[str, str]) -> Settings:
    """Settings from a link's query; what is unknown there, or cannot be read, is as at first."""
    plain = Settings()
    query = {SegmentOptions.RENAMED.get(name, name): value for name, value in query.items()}
    look = tuple(
        {str(switch.on).lower(): True, str(switch.off).lower(): False}.get(query.get(switch.option, ""), switch.ticked)
        for switch in LOOK
    )
    keep = tuple(name for name in query.get("keep", "").split(",") if name in NAMES)
    opacity = plain.opacity
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
    return Settings(look, keep, opacity, replace(plain.cutout, **cutout))


def write_link(settings: Settings) -> str:
    """The query, from its `?`, of a link to settings: what is not as at first, but for a picture behind cut-outs."""
    told = {
        switch.option: str(switch.on if tick else switch.off).lower()
        for switch, tick in zip(LOOK, settings.look, strict=True)
        if tick != switch.ticked
    }
    if settings.keep:
        told["keep"] = ",".join(settings.keep)
    if settings.opacity != OPACITY:
        told["opacity"] = f"{settings.opacity:g}"
    for field in fields(CutoutOptions):
        value = getattr(settings.cutout, field.name)
        if value != getattr(CUTOUT_AT_FIRST, field.name) and isinstance(value, bool | int | float | str):
            told[field.name] = str(value).lower()
    return f"?{urlencode(told, safe=',')}" if told else ""


def _hex(color: str) -> str:
    """`#rrggbb` of what a gr.ColorPicker says, which may be rgba(...) with fractions."""
    if numbers := re.findall(r"[\d.]+", color) if color.startswith("rgb") else []:
        return "#{:02x}{:02x}{:02x}".format(*(min(255, round(float(number))) for number in numbers[:3]))
    return color
