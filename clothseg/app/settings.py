"""The page's settings: options of segmentation and of cut-outs."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from clothseg.app.i18n import tr
from clothseg.app.photo_input import photo_input
from clothseg.options import MAX_FEATHER, MAX_GROWTH, CutoutOptions, SegmentOptions, options_of


class Switch(NamedTuple):
    """A segmentation option with two values, shown as a tick box.

    Attributes:
        option: name of the field of `SegmentOptions`, also used in links.
        label: the page's name for it, in English.
        info: its effect, in plain words.
    """

    option: str
    label: str
    info: str

    @property
    def off(self) -> str | bool:
        """The option's value if the box is not ticked."""
        choices = options_of(SegmentOptions)[self.option].choices
        return choices[0] if choices else False

    @property
    def on(self) -> str | bool:
        """The option's value if the box is ticked."""
        choices = options_of(SegmentOptions)[self.option].choices
        return choices[1] if choices else True

    @property
    def ticked(self) -> bool:
        """Whether the box is ticked when the page opens."""
        return bool(getattr(DEFAULT_OPTIONS, self.option) == self.on)


DEFAULT_OPTIONS = SegmentOptions(rules=True)
"""The page's default options. The API's default leaves out the rules for one person; docs/experiments/edges.md shows
the effect of the page's defaults."""

SWITCHES = (
    Switch("edges", "Sharp borders", "Borders follow the photo’s edges."),
    Switch("zoom", "Zoom in on small people", "A small person is segmented again at a higher resolution."),
    Switch("people", "Separate people", "Each of several people is segmented separately."),
    Switch("tta", "High accuracy", "About 5× slower."),
    Switch("rules", "Clean up", "Removes specks and items that one person cannot wear there."),
    Switch("orientation", "Turn photos", "Tries other orientations if nobody stands upright."),
    Switch("back_view", "Swap left and right for backs", "For people seen from behind; can be wrong."),
)
"""The switches, in the page's order."""

DEFAULT_TICKS = tuple(switch.ticked for switch in SWITCHES)

BACKGROUNDS = ("Transparent", "White", "Colour", "Picture")
"""The choices for the background of a cut-out."""

WHITE = "#ffffff"

DEFAULT_CUTOUT = CutoutOptions(drop_specks=True)
"""The page's default options of cut-outs. The API's default keeps specks."""

MAX_MARGIN = 200
"""Largest margin that the page offers, in pixels; the API allows more."""


def switch_inputs() -> list[gr.Checkbox]:
    """Return a tick box for each of `SWITCHES`."""
    return [
        gr.Checkbox(switch.ticked, label=tr(switch.label), info=tr(switch.info), elem_classes="tight")
        for switch in SWITCHES
    ]


def polygons_input(elem_id: str) -> gr.Checkbox:
    """Return the tick box that selects polygons instead of run lengths in COCO files."""
    return gr.Checkbox(
        False,
        label=tr("Polygons instead of masks"),
        info=tr("In files for COCO, Label Studio and CVAT. Masks are exact."),
        elem_classes="tight",
        elem_id=elem_id,
    )


def switch_options(ticks: Sequence[bool]) -> dict[str, Any]:
    """Return the keyword arguments of `Segmenter.__call__` for the values of `switch_inputs`."""
    return {switch.option: switch.on if tick else switch.off for switch, tick in zip(SWITCHES, ticks, strict=True)}


def cutout_inputs(prefix: str = "") -> list[Any]:
    """Return the components whose values `cutout_options` takes; `prefix` is put before their element ids."""
    return [*background_inputs(prefix), *edge_inputs()]


def background_inputs(prefix: str = "") -> list[Any]:
    """Return the first components of `cutout_inputs`: background and cropping."""
    defaults = DEFAULT_CUTOUT
    grounds = [(tr(ground), ground) for ground in BACKGROUNDS]
    ground = gr.Radio(grounds, value=BACKGROUNDS[0], label=tr("Background"), elem_id=f"{prefix}ground")
    # The style sheet shows the chosen input: an update of the picture's input would restore Gradio's own way to read
    # files (`gradio_internals.replace_preprocess`).
    color = gr.ColorPicker("#ffd84d", label=tr("Colour"), elem_id=f"{prefix}ground-color")
    picture = photo_input(
        label=tr("Picture"),
        sources=["upload"],
        height=140,
        buttons=[],
        elem_id=f"{prefix}ground-picture",
    )
    crop = gr.Checkbox(defaults.crop, label=tr("Crop to the cut-out"), elem_id=f"{prefix}crop", elem_classes="tight")
    return [ground, color, picture, crop]


def edge_inputs() -> list[Any]:
    """Return the other components of `cutout_inputs`: margin and outline."""
    defaults = DEFAULT_CUTOUT
    margin = gr.Slider(0, MAX_MARGIN, defaults.margin, step=1, label=tr("Padding when cropped, pixels"))
    grow = gr.Slider(-MAX_GROWTH, MAX_GROWTH, defaults.grow, step=1, label=tr("Expand, pixels"))
    feather = gr.Slider(0, MAX_FEATHER, defaults.feather, step=0.5, label=tr("Feather, pixels"))
    soft_edges = gr.Checkbox(
        defaults.soft_edges, label=tr("Soft edges"), info=tr("For hair and fringes."), elem_classes="tight"
    )
    fill_holes = gr.Checkbox(defaults.fill_holes, label=tr("Fill holes"), info=tr("Small ones."), elem_classes="tight")
    drop_specks = gr.Checkbox(
        defaults.drop_specks, label=tr("Drop specks"), info=tr("Pieces of a few pixels."), elem_classes="tight"
    )
    invert = gr.Checkbox(
        defaults.invert, label=tr("Invert"), info=tr("Keeps everything except what is picked."), elem_classes="tight"
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
    """Return the options for the values of the components of `cutout_inputs`.

    Raises:
        ConfigError: a value is not allowed.
        ImageError: the picture cannot be used.
    """
    background: Any = "none"
    if ground == BACKGROUNDS[1]:
        background = WHITE
    elif ground == BACKGROUNDS[2]:
        background = hex_of(color)
    elif ground == BACKGROUNDS[3] and picture is not None:
        background = Path(picture) if isinstance(picture, str) else picture
    edges = soft_edges, fill_holes, drop_specks, invert
    return CutoutOptions(background, crop, round(margin), round(grow), feather, *edges)


def scaled(options: CutoutOptions, scale: float) -> CutoutOptions:
    """Return the options for a photo that was reduced by the factor `scale`: lengths in pixels are multiplied by
    it."""
    return replace(
        options,
        margin=round(options.margin * scale),
        grow=round(options.grow * scale),
        feather=options.feather * scale,
    )


def cutout_values(options: CutoutOptions) -> list[Any]:
    """Return the values of the components of `cutout_inputs` for options without a background picture."""
    color = options.background
    ground = {"none": BACKGROUNDS[0], WHITE: BACKGROUNDS[1]}.get(str(color), BACKGROUNDS[2])
    return [
        ground,
        color if ground == BACKGROUNDS[2] else "#ffd84d",
        None,
        *(getattr(options, name) for name in ("crop", "margin", "grow", "feather")),
        *(getattr(options, name) for name in ("soft_edges", "fill_holes", "drop_specks", "invert")),
    ]


def hex_of(color: str) -> str:
    """Return the colour of a gr.ColorPicker as `#rrggbb`; it may give rgba(...) with fractions."""
    if numbers := re.findall(r"[\d.]+", color) if color.startswith("rgb") else []:
        return "#{:02x}{:02x}{:02x}".format(*(min(255, round(float(number))) for number in numbers[:3]))
    return color
