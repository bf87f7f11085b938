"""Derive the role and side of a class, and whether it is the background, from its name."""

import re
from collections.abc import Sequence


BODY_ROLES = ("hair", "face", "torso", "arm", "hand", "leg", "foot", "skin")

GARMENT_ROLES = (
    *("hat", "glasses", "scarf", "upper", "dress", "skirt", "pants", "lower", "belt", "sock", "shoe", "glove", "bag"),
    *("accessory", "detail"),
)

ROLES = ("background", *BODY_ROLES, *GARMENT_ROLES, "other")
"""Roles of classes. "upper" is any garment of the upper body, "dress" any that covers both halves, "pants" any with
legs, "lower" any of the lower body, "detail" a part of a garment such as a sleeve, "torso" skin that is neither face
nor limb, "skin" that of all parts. "other" is unknown, and counts as a garment."""

PARENTS = {"hand": "arm", "glove": "arm", "sock": "leg", "foot": "shoe"}
"""Role under which a class counts when its label set is compared with one that does not have its role."""

WHOLES = {
    "lower": ("pants", "skirt"),
    "skin": ("face", "torso", "arm", "hand", "leg"),
}
"""Roles that one class of a label set may hold together -> what they are in label sets that tell them apart."""

SEPARATE = ("accessory", "detail", "other")
"""Roles whose classes have too little in common to be merged."""

_ALIKE = "cloth(?:es|ing)|garments?"
_PATTERNS = {
    "glove": r"gloves?|mittens?",
    "sock": r"socks?|stockings?|tights|pantyhose|hosiery|leg ?warmers?",
    "hat": r"hats?|caps?|beanies?|helmets?|head ?wear|(?:hair|head) ?bands?|head coverings?|hair ?accessor(?:y|ies)",
    "glasses": r"(?:sun ?|eye ?)?glasses|goggles|eye ?wear",
    "shoe": r"shoes?|boots?|sneakers?|sandals?|heels?|slippers?|foot ?wear",
    "bag": r"(?:hand ?)?bags?|back ?packs?|purses?|wallets?|clutch(?:es)?",
    "scarf": r"scarf|scarfs|scarves|shawls?",
    "belt": r"belts?",
    "accessory": r"accessor(?:y|ies)|jewel(?:le)?ry|necklaces?|ear ?rings?|rings?|bracelets?|watch(?:es)?|ties?"
    r"|umbrellas?|face ?masks?",
    "detail": r"collars?|lapels?|epaulettes?|sleeves?|pockets?|necklines?|buckles?|zippers?|buttons?|cuffs?|hoods?"
    r"|appliques?|beads?|bows?|flowers?|fringes?|ribbons?|rivets?|ruffles?|sequins?|tassels?",
    "hair": r"hair",
    "face": r"face(?: neck)?|heads?|eyes?|eye ?brows?|ears?|nose|mouth|lips?|teeth|tongue",
    "hand": r"hands?",
    "arm": r"arms?|fore ?arms?",
    "foot": r"foot|feet",
    "leg": r"legs?|thighs?",
    "torso": r"torso|neck|body|chest|belly",
    "skin": r"(?:body )?skin",
    "dress": rf"dress(?:es)?|gowns?|jump ?suits?|rompers?|overalls|one pieces?|(?:full|whole) body(?: (?:{_ALIKE}))?",
    "skirt": r"skirts?",
    "pants": r"pants?|trousers|jeans|shorts|leggings?",
    "lower": rf"bottoms?|lower(?: body)?(?: (?:{_ALIKE}))?",
    "upper": rf"upper(?: body)?(?: (?:{_ALIKE}))?|tops?|(?:t |sweat ?)?shirts?|tees?|blouses?|sweaters?"
    r"|hoodies?|cardigans?|jackets?|coats?|blazers?|vests?|capes?|suits?|pullovers?|jumpers?|outer ?wear|bras?",
}
_COMPILED = {
    role: re.compile(rf"\b(?:{pattern}){'(?: skin)?' if role in BODY_ROLES else ''}\b")
    for role, pattern in _PATTERNS.items()
}

_BACKGROUND = ("background", "bg", "unlabelled", "unlabeled", "everything else", "other", "others", "void", "none")
"""Names of the background in the field's label sets, the surest first."""

_NUMBERED = re.compile(r"LABEL_\d+")
_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case: `Left_UpperArm` has three."""
    return re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def part_of(name: str) -> str:
    """Return the name in lower case without its side: "shoe" for "Left-shoe"."""
    return " ".join(word for word in words_of(name) if word not in _SIDES)


def side_of(name: str) -> str | None:
    """Return "left", "right", or None for a name without a side, or with both."""
    sides = {_SIDES[word] for word in words_of(name) if word in _SIDES}
    return sides.pop() if len(sides) == 1 else None


def role_of(name: str) -> str:
    """Return the role that a name means, by its last known words: "dress" for "vest dress"; "other" for an unknown
    one."""
    part, best, found = part_of(name), (0, 0), "other"
    for role, pattern in _COMPILED.items():
        for match in pattern.finditer(part):
            if (match.end(), len(match[0])) > best:
                best, found = (match.end(), len(match[0])), role
    return found


def known_role(text: str) -> str | None:
    """Return the role that a word or phrase in lower case names as a whole, such as "shoe" for "boots"; None for any
    other."""
    return next((role for role, pattern in _COMPILED.items() if pattern.fullmatch(text)), None)


def find_background(names: Sequence[str]) -> int | None:
    """Return the id of the background, or None if no name means it.

    Where all names are only numbers, as transformers writes them, it is class 0.
    """
    parts = [" ".join(words_of(name)) for name in names]
    if all(_NUMBERED.fullmatch(name) for name in names):
        return 0
    return next((parts.index(name) for name in _BACKGROUND if name in parts), None)


def find_pairs(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Return (left id, right id) of the classes whose names differ only in their side."""
    parts = {(part_of(name), side_of(name)): index for index, name in enumerate(names)}
    return tuple(
        (index, parts[part, "right"])
        for (part, side), index in parts.items()
        if side == "left" and (part, "right") in parts
    )
