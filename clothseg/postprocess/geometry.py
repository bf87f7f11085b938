"""Places in a photo."""

from typing import NamedTuple


class Box(NamedTuple):
    """A box in a photo, in pixels: `right` and `bottom` are the first column and row outside, as in PIL."""

    left: int
    top: int
    right: int
    bottom: int
