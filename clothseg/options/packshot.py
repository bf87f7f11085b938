"""Options of packshots."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from clothseg.options.declaration import by_current_names, declare, options_of


@dataclass(frozen=True, kw_only=True)
class PackshotOptions:
    """Options of a packshot: a cut-out centred on a plain background, as shops show articles.

    Attributes:
        aspect: width to height of the picture: "1:1" (the default), "4:5" or "3:4".
        padding: empty border on each side, as a share of the picture's width and height, 0 to 0.4.
        shadow: draw a soft shadow below the cut-out.

    Raises:
        ConfigError: a wrong value.
    """

    aspect: Literal["1:1", "4:5", "3:4"] = declare(
        "1:1", "width to height of packshots: 1:1, 4:5 or 3:4", choices=("1:1", "4:5", "3:4")
    )
    padding: float = declare(0.08, "empty border of packshots, as a share of their size", minimum=0, maximum=0.4)
    shadow: bool = declare(False, "draw a soft shadow in packshots")

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
        return cls(**by_current_names(cls, given, "a packshot"))
