"""Options of a cut-out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from clothseg.errors import ConfigError
from clothseg.options.declaration import by_current_names, declare, options_of


if TYPE_CHECKING:
    from clothseg.images.decode import Photo


MAX_GROWTH = 64
"""Largest move of an outline, in pixels."""

MAX_FEATHER = 64.0
"""Largest feather, in pixels."""

MAX_MARGIN = 1000
"""Largest margin around a cropped cut-out, in pixels."""

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class CutoutOptions:
    """Options of a cut-out. The page, the API and the command line have the same ones.

    Attributes:
        background: "none" (transparent), a colour such as "#ff8800", or a picture as
            `clothseg.images.decode.load_photo` takes it. A path must be a `pathlib.Path`, so that text from outside
            cannot open a file.
        crop: crop to the visible pixels.
        margin: pixels to leave around a cropped cut-out on each side, 0 to 1000; empty beyond the photo's edge.
        grow: pixels by which the outline moves outwards, or inwards if negative: -64 to 64.
        feather: pixels on both sides of the outline over which it fades, 0 to 64.
        soft_edges: make alpha follow hair, fringes and blur, and remove the background's colours from the edge.
        fill_holes: fill holes below 1 % of the cut-out's area.
        drop_specks: remove pieces below 0.03 % of the photo; the largest always stays.
        invert: keep everything except the classes.

    Raises:
        ConfigError: a wrong value.
        ImageError: the background picture cannot be used.
    """

    background: "str | Photo" = declare("none", '"none" (transparent) or a colour such as "#ff8800"')  # noqa: RUF009
    crop: bool = declare(False, "crop to the visible pixels")
    margin: int = declare(0, "pixels to leave around a cropped cut-out", minimum=0, maximum=MAX_MARGIN)
    grow: int = declare(
        0, "pixels by which the outline moves outwards; negative: inwards", minimum=-MAX_GROWTH, maximum=MAX_GROWTH
    )
    feather: float = declare(0.0, "pixels over which the edge fades", minimum=0, maximum=MAX_FEATHER)
    soft_edges: bool = declare(False, "make the edge follow hair and fringes")
    fill_holes: bool = declare(False, "fill small holes")
    drop_specks: bool = declare(False, "remove small pieces")
    invert: bool = declare(False, "keep everything except the classes")

    def __post_init__(self) -> None:
        for name, option in options_of(type(self)).items():
            if name != "background":
                object.__setattr__(self, name, option.check(getattr(self, name)))
        background = self.background
        if isinstance(background, str):
            if background != "none" and not _COLOR.fullmatch(background):
                raise ConfigError(
                    f'background must be "none", a colour such as "#ff8800" or a picture, not {background!r}.'
                )
            object.__setattr__(self, "background", background.lower())
        else:
            from clothseg.images.decode import load_photo

            object.__setattr__(self, "background", load_photo(background))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return options from a mapping such as a JSON object; missing values and None mean the default.

        Raises:
            ConfigError: an unknown option, or a wrong value.
        """
        return cls(
            **by_current_names(cls, {name: value for name, value in values.items() if value is not None}, "a cut-out")
        )


MASK_OPTIONS = ("grow", "feather", "soft_edges", "fill_holes", "drop_specks", "invert")
"""Options of cut-outs that change masks. Not `background`, `crop` and `margin`: a mask has the photo's size."""
