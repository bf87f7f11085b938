"""Options of masks for virtual try-on."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from clothseg.options.cutout import MAX_FEATHER
from clothseg.options.declaration import Checked, declare


@dataclass(frozen=True, kw_only=True)
class TryonOptions(Checked):
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

    WHOSE: ClassVar[str] = "a try-on mask"

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
