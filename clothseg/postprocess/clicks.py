"""Corrections by clicks."""

from dataclasses import dataclass

import numpy as np

from clothseg.errors import ConfigError
from clothseg.postprocess.corrections import class_id_of


@dataclass(frozen=True)
class Click:
    """A place in a photo whose class somebody gave.

    Attributes:
        x: column, in pixels of the photo, from 0 at the left; fractions are cut off.
        y: row, from 0 at the top.
        label: name of the class, "Background" included.

    Raises:
        UnknownClassError: the class is not one of the 18; a group of classes is none.
        ConfigError: a coordinate is no number.
    """

    x: int
    y: int
    label: str

    def __post_init__(self) -> None:
        class_id_of(self.label)
        for name in ("x", "y"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
                raise ConfigError(f"The {name} of a click must be a number of pixels, not {repr(value)[:50]}.")
            object.__setattr__(self, name, int(np.floor(value)))
