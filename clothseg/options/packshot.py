"""Options of packshots."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from clothseg.options.declaration import Checked, declare


@dataclass(frozen=True, kw_only=True)
class PackshotOptions(Checked):
    """Options of a packshot: a cut-out centred on a plain background, as shops show articles.

    Attributes:
        aspect: width to height of the picture: "1:1" (the default), "4:5" or "3:4".
        padding: empty border on each side, as a share of the picture's width and height, 0 to 0.4.
        shadow: draw a soft shadow below the cut-out.

    Raises:
        ConfigError: a wrong value.
    """

    WHOSE: ClassVar[str] = "a packshot"

    aspect: Literal["1:1", "4:5", "3:4"] = declare(
        "1:1", "width to height of packshots: 1:1, 4:5 or 3:4", choices=("1:1", "4:5", "3:4")
    )
    padding: float = declare(0.08, "empty border of packshots, as a share of their size", minimum=0, maximum=0.4)
    shadow: bool = declare(False, "draw a soft shadow in packshots")
