"""Options of masks for virtual try-on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from clothseg.options.cutout import MAX_FEATHER
from clothseg.options.declaration import by_current_names, declare, options_of


@dataclass(frozen=True, kw_only=True)
class TryonOptions:
    """Options of masks for virtual try-on (`clothseg.outputs.tryon`).

    Attributes:
        part: which garment is replaced: "upper" (a dress counts), "lower" (a dress counts) or "overall".
        shape: "hull" (the default) fills the convex hull of each piece, so that the old garment's shape is hidden;
            "outline" follows garment and limbs.
        reach: pixels by which the mask is wider than garment and limbs, 0 to 256; None is 1/50 of the longer side.
        blur: pixels on both sides of the outline over which the mask fades, 0 to 64.

    Raises:
        ConfigError: a wrong value.
    """

    part: Literal["upper", "lower", "overall"] = declare(
        "upper",
        "which garment a try-on model replaces; a dress counts as upper and as lower",
        choices=("upper", "lower", "overall"),
    )
    shape: Literal["hull", "outline"] = declare(
        "hull",
        '"hull" fills the convex hull of each piece of the try-on mask; "outline" follows garment and limbs',
        choices=("outline", "hull"),
    )
    reach: int | None = declare(
        None,
        "pixels by which the try-on mask is wider than garment and limbs; by default 1/50 of the longer side",
        kind=int,
        minimum=0,
        maximum=256,
        optional=True,
    )
    blur: float = declare(0.0, "pixels over which the edge of the try-on mask fades", minimum=0, maximum=MAX_FEATHER)

    def __post_init__(self) -> None:
        for name, option in options_of(type(self)).items():
            object.__setattr__(self, name, option.check(getattr(self, name)))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return options from a mapping such as a JSON object; missing values and None mean the default.

        Raises:
            ConfigError: an unknown option, or a wrong value.
        """
        given = {name: value for name, value in values.items() if value is not None}
        return cls(**by_current_names(cls, given, "a try-on mask"))
