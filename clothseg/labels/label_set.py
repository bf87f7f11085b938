"""A label set: the classes of a model, with their names, colours, groups, left/right pairs and roles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from clothseg.errors import ConfigError, UnknownClassError
from clothseg.labels.palette import distinct_colors, ink_on
from clothseg.labels.roles import BODY_ROLES, ROLES, find_background, find_pairs, role_of


BACKGROUND = 0
"""Id of the background in every label set."""

IGNORE = 255
"""Value of pixels without annotation; loss and metrics ignore them."""

MOST_CLASSES = 255
"""Largest number of classes, since a label map has 8 bits and 255 means "not annotated"."""

ALL_GARMENTS, BODY = "All garments", "Body"

_GROUPS = {
    "Upper": ("upper", "dress", "scarf"),
    "Lower": ("skirt", "pants", "lower", "dress", "belt"),
    "Shoes and accessories": ("hat", "glasses", "belt", "shoe", "sock", "glove", "bag", "scarf", "accessory"),
}
"""Roles of the default groups of a label set. A dress covers both halves, so it is in both."""

Color = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class LabelSet:
    """The classes of a model. An id is the index of a class; 0 is the background.

    Attributes:
        names: of the classes, in the order of their ids.
        title: what the label set is called, such as "ATR"; may be empty.
        roles: what each class is, one of `clothseg.labels.roles.ROLES`.
        pairs: (left id, right id) of classes that swap when a picture is mirrored; the sides are the wearer's own.
        colors: RGB of each class, 0..255.
        groups: name of a group -> names of its classes.

    Raises:
        ConfigError: the names are not 2 to 255 different texts, or the rest does not fit them.
    """

    names: tuple[str, ...]
    title: str
    roles: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    colors: tuple[Color, ...] = field(repr=False)
    groups: Mapping[str, tuple[str, ...]] = field(repr=False)

    def __post_init__(self) -> None:
        _check_names(self.names)
        _check_parts(self.names, self.roles, self.pairs, self.colors)
        _check_groups(self)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        title: str = "",
        *,
        roles: Sequence[str] | None = None,
        pairs: Sequence[tuple[int, int]] | None = None,
        colors: Sequence[Color | None] | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> Self:
        """Return a label set of which only the names need to be given.

        Args:
            names: in the order of the ids.
            title: what the label set is called.
            roles: by default found by name.
            pairs: by default the classes whose names differ only in left and right.
            colors: by default, and where it is None, a colour unlike all others.
            groups: by default made from the roles.

        Raises:
            ConfigError: as for the class.
        """
        names = tuple(names)
        _check_names(names)
        roles = tuple(roles or ("background", *(role_of(name) for name in names[1:])))
        pairs = tuple(find_pairs(names) if pairs is None else pairs)
        colors = tuple(colors or [None] * len(names))
        _check_parts(names, roles, pairs, colors)
        wanted = sum(color is None for color in colors[1:])
        missing = iter(distinct_colors([color for color in colors if color is not None], wanted))
        return cls(
            names,
            title,
            roles,
            pairs,
            (colors[0] or (0, 0, 0), *(color or next(missing) for color in colors[1:])),
            _groups(names, roles, groups),
        )

    @classmethod
    def from_id2label(cls, id2label: Mapping[Any, str], title: str = "") -> Self:
        """Return the label set of a configuration's `id2label`; pairs and roles are found by name.

        A background that is not class 0 comes first here, and one that is missing is added, since each label map has
        one: `channel_order` tells where each class is in the model.

        Raises:
            ConfigError: the ids have gaps, a name is missing or occurs twice, or there are more than 255 classes.
        """
        names = names_of(id2label)
        return cls.of(["Background" if at is None else names[at] for at in channel_order(names)], title)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelSet) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    @property
    def _key(self) -> tuple[Any, ...]:
        return self.names, self.roles, self.pairs, self.colors, self.groups

    @cached_property
    def id2label(self) -> Mapping[int, str]:
        """The name of each id."""
        return MappingProxyType(dict(enumerate(self.names)))

    @cached_property
    def label2id(self) -> Mapping[str, int]:
        """The id of each name."""
        return MappingProxyType({name: index for index, name in enumerate(self.names)})

    @property
    def background(self) -> str:
        """The background's name."""
        return self.names[BACKGROUND]

    @property
    def foreground(self) -> tuple[str, ...]:
        """All names but the background's."""
        return self.names[BACKGROUND + 1 :]

    @property
    def garments(self) -> tuple[str, ...]:
        """Names of the garments and accessories; all but the background if there are none."""
        return self.groups.get(ALL_GARMENTS, self.foreground)

    @cached_property
    def head(self) -> list[int]:
        """Ids of everything on a head."""
        return self.with_roles("hat", "hair", "glasses", "face")

    @cached_property
    def face(self) -> list[int]:
        """Ids of a face and things worn on it."""
        return self.with_roles("glasses", "face")

    @cached_property
    def legs(self) -> list[int]:
        """Ids of legs, feet, socks and shoes, without garments such as pants."""
        return self.with_roles("leg", "sock", "shoe", "foot")

    @cached_property
    def palette(self) -> npt.NDArray[np.uint8]:
        """(256, 3) RGB by class id; black beyond the classes. Read-only."""
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(self)] = self.colors
        palette.flags.writeable = False
        return palette

    @cached_property
    def swap_table(self) -> npt.NDArray[np.uint8]:
        """(256,) from a class id to the id it has in the mirrored picture; 255 stays 255. Read-only."""
        table = np.arange(256, dtype=np.uint8)
        for left, right in self.pairs:
            table[left], table[right] = right, left
        table.flags.writeable = False
        return table

    def swap_sides(self, label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Swap left and right ids in a label map (any shape, uint8), as mirroring requires."""
        return self.swap_table[label_map]

    def mirror(self, label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the label map of the mirrored picture: (H, W) uint8 flipped left to right, with sides swapped."""
        return np.ascontiguousarray(self.swap_sides(label_map)[:, ::-1])

    def with_roles(self, *roles: str) -> list[int]:
        """Return the ids of the classes with any of these roles."""
        return [index for index, role in enumerate(self.roles) if role in roles]

    def has(self, *roles: str) -> bool:
        """Return whether there is a class with each of these roles."""
        return set(roles) <= set(self.roles)

    def id_of(self, name: str) -> int:
        """Return the id of a class.

        Raises:
            UnknownClassError: there is no such class; a group is none.
        """
        if not isinstance(name, str) or name not in self.label2id:
            raise UnknownClassError(f"Unknown class {repr(name)[:50]}; the classes are: {', '.join(self.names)}.")
        return self.label2id[name]

    def ids_of(self, names: Sequence[str]) -> list[int]:
        """Return the class ids of `names`, each once; the name of a group means its classes.

        Raises:
            UnknownClassError: a name is neither a class nor a group; the message lists them.
        """
        groups = self.groups
        known = {*self.names, *groups}
        unknown = [name for name in names if not isinstance(name, str) or name not in known]
        if unknown:
            few = ", ".join(repr(name)[:50] for name in unknown[:5]) + (" ..." if len(unknown) > 5 else "")
            classes, sets = ", ".join(self.names), ", ".join(groups)
            if groups:
                raise UnknownClassError(f"Unknown class {few}; the classes are: {classes}; groups of them: {sets}.")
            raise UnknownClassError(f"Unknown class {few}; the classes are: {classes}.")
        return list(dict.fromkeys(self.label2id[each] for name in names for each in groups.get(name, (name,))))

    def class_names(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return class names in the order of their ids, for names of classes and groups.

        Raises:
            UnknownClassError: as for `ids_of`.
        """
        return tuple(self.names[class_id] for class_id in sorted(self.ids_of(names)))

    def hex_color(self, name: str) -> str:
        """Return the palette colour of a class as `#rrggbb`."""
        return "#{:02x}{:02x}{:02x}".format(*self.palette[self.label2id[name]])

    def ink(self, name: str) -> str:
        """Return black or white as `#rrggbb`: which of them reads better on the colour of a class."""
        return ink_on(self.palette[self.label2id[name]].tolist())


def names_of(id2label: Mapping[Any, str]) -> tuple[str, ...]:
    """Return the names of a configuration's `id2label`, in the order of the ids.

    Raises:
        ConfigError: the ids are not 0, 1, 2 ... without gaps, or there are none.
    """
    try:
        named = {int(key): value for key, value in id2label.items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigError("id2label must map class ids, whole numbers, to names.") from error
    if not named:
        raise ConfigError("id2label names no class.")
    if len(named) != len(id2label):
        raise ConfigError("id2label names an id twice.")
    absent = next((index for index in range(len(named)) if index not in named), None)
    if absent is not None:
        raise ConfigError(
            f"The class ids must run from 0 to {len(named) - 1} without gaps, but {absent} has no name; name it, or "
            "renumber the classes with a label map."
        )
    return tuple(named[index] for index in range(len(named)))


def channel_order(names: Sequence[str]) -> tuple[int | None, ...]:
    """Return, for each id of the label set of these names, the model's channel; None for a background that the model
    does not have."""
    background = find_background([str(name) for name in names])
    return (background, *(index for index in range(len(names)) if index != background))


def _check_names(names: tuple[str, ...]) -> None:
    if not 2 <= len(names) <= MOST_CLASSES:
        raise ConfigError(
            f"A label set has 2 to {MOST_CLASSES} classes, background included, since a label map has 8 bits, "
            f"not {len(names)}."
        )
    for name in names:
        if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > 100:
            raise ConfigError(f"The name of a class must be printable text of 1 to 100 characters, not {name!r:.60}.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"Two classes are named {twice!r}; names must differ.")


def _check_parts(
    names: Sequence[str], roles: Sequence[str], pairs: Sequence[tuple[int, int]], colors: Sequence[Color | None]
) -> None:
    if len(roles) != len(names) or len(colors) != len(names):
        raise ConfigError(f"{len(names)} classes need as many roles and colours.")
    wrong = next((role for role in roles if role not in ROLES), None)
    if wrong is not None:
        raise ConfigError(f"There is no role {wrong!r}; the roles are: {', '.join(ROLES)}.")
    sides = [side for pair in pairs for side in pair]
    if any(len(pair) != 2 for pair in pairs) or len(set(sides)) != len(sides):
        raise ConfigError("Each pair must have a left and a right class, and a class can be in one pair only.")
    if any(not 0 < side < len(names) for side in sides):
        raise ConfigError(f"Pairs must consist of class ids from 1 to {len(names) - 1}.")
    for color in colors:
        if color is not None and (len(color) != 3 or any(not 0 <= part <= 255 for part in color)):
            raise ConfigError(f"A colour must have three parts from 0 to 255, not {color!r}.")


def _check_groups(labels: LabelSet) -> None:
    for group, members in labels.groups.items():
        if group in labels.names:
            raise ConfigError(f"{group!r} is the name of a class and of a group; names must differ.")
        unknown = next((name for name in members if name not in labels.names), None)
        if unknown is not None or not members:
            what = f"names the unknown class {unknown!r}" if members else "has no class"
            raise ConfigError(f"The group {group!r} {what}.")


def _groups(
    names: tuple[str, ...], roles: tuple[str, ...], given: Mapping[str, Sequence[str]] | None
) -> dict[str, tuple[str, ...]]:
    """Return the groups: those that are given, else by role. There always is one of all garments, the default of
    outputs; without garments it has all classes but the background."""
    body = (*BODY_ROLES, "background")
    garments = tuple(name for name, role in zip(names, roles, strict=True) if role not in body)
    members = {} if ALL_GARMENTS in names else {ALL_GARMENTS: garments or names[1:]}
    if given is not None:
        return members | {group: tuple(each) for group, each in given.items()}
    for group, wanted in _GROUPS.items():
        members[group] = tuple(name for name, role in zip(names, roles, strict=True) if role in wanted)
    members[BODY] = tuple(name for name, role in zip(names, roles, strict=True) if role in BODY_ROLES)
    return {group: each for group, each in members.items() if each and group not in names}
