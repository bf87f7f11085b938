"""ATR's 18 classes: ids, names, groups, palette and the left/right pairs.

This is the only place where they are written down. Ids and order are those of the Hub's
`mattmdjaga/human_parsing_dataset` and `mattmdjaga/segformer_b2_clothes`; names are spelled as there.
Left and right are the wearer's own.
"""

import numpy as np
import numpy.typing as npt


NAMES: tuple[str, ...] = (
    "Background",
    "Hat",
    "Hair",
    "Sunglasses",
    "Upper-clothes",
    "Skirt",
    "Pants",
    "Dress",
    "Belt",
    "Left-shoe",
    "Right-shoe",
    "Face",
    "Left-leg",
    "Right-leg",
    "Left-arm",
    "Right-arm",
    "Bag",
    "Scarf",
)
NUM_CLASSES = len(NAMES)
ID2LABEL: dict[int, str] = dict(enumerate(NAMES))
LABEL2ID: dict[str, int] = {name: index for index, name in ID2LABEL.items()}

BACKGROUND = 0
IGNORE = 255
"""Value of pixels without annotation; loss and metrics ignore them."""

SIDE_PAIRS: tuple[tuple[int, int], ...] = ((9, 10), (12, 13), (14, 15))
"""(left id, right id) of shoes, legs and arms; mirroring a picture swaps them."""

_BODY = ("Hair", "Face", "Left-leg", "Right-leg", "Left-arm", "Right-arm")
GROUPS: dict[str, tuple[str, ...]] = {
    "All garments": tuple(name for name in NAMES[1:] if name not in _BODY),
    "Upper": ("Upper-clothes", "Dress", "Scarf"),
    "Lower": ("Skirt", "Pants", "Dress", "Belt"),
    "Shoes and accessories": ("Hat", "Sunglasses", "Belt", "Left-shoe", "Right-shoe", "Bag", "Scarf"),
    "Body": _BODY,
}
"""Groups of classes in the app, the command line and the API. A dress covers both halves, so it is in both."""

# Light/dark steps tell a pair's sides apart (left darker); neighbours on the body differ in
# lightness as well as hue, so the overlay still reads with colour-blind eyes and in grey.
PALETTE: npt.NDArray[np.uint8] = np.array(
    [
        (0, 0, 0),  # Background
        (230, 25, 75),  # Hat
        (112, 62, 20),  # Hair
        (20, 20, 60),  # Sunglasses
        (66, 133, 244),  # Upper-clothes
        (245, 130, 190),  # Skirt
        (20, 60, 150),  # Pants
        (170, 40, 190),  # Dress
        (255, 225, 25),  # Belt
        (200, 80, 0),  # Left-shoe
        (255, 160, 60),  # Right-shoe
        (255, 205, 170),  # Face
        (0, 110, 80),  # Left-leg
        (70, 200, 140),  # Right-leg
        (0, 120, 140),  # Left-arm
        (90, 210, 230),  # Right-arm
        (60, 180, 20),  # Bag
        (190, 240, 70),  # Scarf
    ],
    dtype=np.uint8,
)
"""(18, 3) RGB, one colour per class id."""


def _swap_table() -> npt.NDArray[np.uint8]:
    table = np.arange(256, dtype=np.uint8)
    for left, right in SIDE_PAIRS:
        table[left], table[right] = right, left
    return table


SWAP_SIDES: npt.NDArray[np.uint8] = _swap_table()
"""(256,) lookup table from a class id to the id it has in the mirrored picture; 255 stays 255."""


def hex_color(name: str) -> str:
    """Return the palette colour of the class `name` as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*PALETTE[LABEL2ID[name]])


def ink(name: str) -> str:
    """Black or white as `#rrggbb`: which of them reads better on the palette's colour of the class `name`, by WCAG's
    relative luminance.
    """
    linear = [
        (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4) for c in (PALETTE[LABEL2ID[name]] / 255).tolist()
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def swap_sides(label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Swap left and right ids in a label map (any shape, uint8), as mirroring requires."""
    return SWAP_SIDES[label_map]


def mirror(label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the label map of the mirrored picture: (H, W) uint8 flipped left to right, with sides swapped."""
    return np.ascontiguousarray(swap_sides(label_map)[:, ::-1])


def ids_of(names: tuple[str, ...] | list[str]) -> list[int]:
    """Return the class ids of `names`, each once; a name of `GROUPS` means its classes.

    Raises:
        UnknownClassError: a name is neither a class nor a group; the message lists them.
    """
    from clothseg.errors import UnknownClassError

    unknown = [name for name in names if not isinstance(name, str) or not (name in LABEL2ID or name in GROUPS)]
    if unknown:
        few = ", ".join(repr(name)[:50] for name in unknown[:5]) + (" ..." if len(unknown) > 5 else "")
        raise UnknownClassError(
            f"Unknown class {few}; the classes are: {', '.join(NAMES)}; groups of them: {', '.join(GROUPS)}."
        )
    return list(dict.fromkeys(LABEL2ID[each] for name in names for each in GROUPS.get(name, (name,))))


def class_names(names: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Return class names in the order of their ids, for names of classes and groups.

    Raises:
        UnknownClassError: as for `ids_of`.
    """
    return tuple(ID2LABEL[class_id] for class_id in sorted(ids_of(names)))
