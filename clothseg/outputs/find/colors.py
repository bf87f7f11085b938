"""Meanings of colour words: families of the colours of `clothseg.outputs.color_names`, and shades of them."""

from collections.abc import Sequence

from clothseg.outputs.color_names import NAMES, Color, chroma_of, difference_of, lightness_of


FAMILIES: dict[str, tuple[str, ...]] = {
    "black": ("black", "charcoal"),
    "grey": ("charcoal", "grey", "light grey", "slate", "grey brown"),
    "white": ("white",),
    "red": ("red", "dark red", "burgundy", "coral", "rust"),
    "pink": ("pink", "light pink", "dusty pink", "dark pink", "magenta", "salmon", "mauve", "peach"),
    "orange": ("orange", "rust", "peach", "coral", "salmon"),
    "brown": ("brown", "dark brown", "light brown", "taupe", "grey brown", "tan", "rust"),
    "beige": ("beige", "cream", "tan", "taupe", "khaki", "light brown"),
    "yellow": ("yellow", "mustard"),
    "green": (
        *("olive", "dark olive", "army green", "lime", "sage", "grey green", "pale green", "light green", "green"),
        *("grass green", "emerald", "forest green", "dark green", "mint", "teal", "dark teal"),
    ),
    "turquoise": ("turquoise", "teal", "dark teal", "cyan", "mint", "petrol"),
    "blue": (
        *("blue", "navy", "royal blue", "denim", "slate", "dusty blue", "azure", "light blue", "pale blue", "cyan"),
        *("petrol", "turquoise", "teal", "dark teal"),
    ),
    "purple": ("purple", "violet", "lavender", "light lavender", "dusty purple", "dark purple", "plum", "mauve"),
}
"""The eleven basic colour terms of Berlin and Kay, beige and turquoise, and the colour names that each covers. Names
between two terms belong to both."""

DARK, LIGHT = 40.0, 60.0
"""Lightness L* (0..100) below which a colour is dark, and above which it is light."""

BY_CHROMA: dict[str, tuple[tuple[str, ...], float, float]] = {
    "white": (("cream",), 0, 16),
    "yellow": (("beige", "cream", "tan"), 40, 200),
}
"""Further names of a family, and the CIELAB chroma from and below which they belong to it: nearly grey cream is white,
and vivid beige is yellow."""

NEAR = 12.0
"""CIE94 difference up to which a colour counts as a named one such as navy."""

MOST = 0.5
"""Share of an item's pixels from which it has a colour that is not its largest."""

SOME = 0.15
"""The same where several colours are asked for together: "black and white"."""


def is_color(color: Color, wanted: str) -> bool:
    """Return whether a colour is what a word of the table means: "blue", "dark blue" or "navy"."""
    if color.name == wanted:
        return True
    if wanted in FAMILIES:
        names, least, most = BY_CHROMA.get(wanted, ((), 0, 0))
        return color.name in FAMILIES[wanted] or (color.name in names and least <= chroma_of(color.hex) < most)
    shade, _, family = wanted.partition(" ")
    if shade in ("dark", "light") and family in FAMILIES:
        lightness = lightness_of(color.hex)
        return color.name in FAMILIES[family] and (lightness < DARK if shade == "dark" else lightness > LIGHT)
    return wanted in NAMES and difference_of(color.hex, wanted) <= NEAR


def has_color(colors: Sequence[Color], wanted: str, least: float = MOST) -> bool:
    """Return whether an item of these colours, the largest first, has a colour: as its largest, or on `least` of its
    pixels."""
    shares = [color.share for color in colors if is_color(color, wanted)]
    return bool(shares) and (sum(shares) >= least or is_color(colors[0], wanted))
