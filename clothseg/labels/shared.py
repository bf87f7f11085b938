"""Shared classes of two label sets, so that their label maps can be compared."""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clothseg.labels.label_set import BACKGROUND, IGNORE, LabelSet
from clothseg.labels.roles import PARENTS, SEPARATE, WHOLES, part_of, side_of, words_of


class SharedClass(NamedTuple):
    """A class that two label sets share, made of one or more classes of each.

    Attributes:
        name: as in the label set that has one class for it, else the role.
        first: ids in the first label set.
        second: ids in the second.
    """

    name: str
    first: tuple[int, ...]
    second: tuple[int, ...]


class SharedClasses(NamedTuple):
    """The classes that two label sets share; 0 is the background.

    Attributes:
        classes: in the order of the first label set's ids.
        left_out: names of the classes without a counterpart, of the first and of the second label set.
    """

    classes: tuple[SharedClass, ...]
    left_out: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the shared classes."""
        return tuple(each.name for each in self.classes)

    @property
    def tables(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Two lookup tables (256,) uint8, from the ids of either label set to the index of the shared class; 255 for
        classes without a counterpart."""
        tables = np.full((2, 256), IGNORE, np.uint8)
        for index, each in enumerate(self.classes):
            tables[0, list(each.first)] = index
            tables[1, list(each.second)] = index
        return tables[0], tables[1]

    def describe(self, first: LabelSet, second: LabelSet) -> list[str]:
        """Return one line for each shared class whose names differ in more than the spelling, and for those left
        out."""
        lines = []
        for each in self.classes:
            ours, theirs = ([labels.names[i] for i in ids] for labels, ids in ((first, each[1]), (second, each[2])))
            if [words_of(name) for name in ours] != [words_of(name) for name in theirs]:
                lines.append(f"{each.name}: {' + '.join(ours)} = {' + '.join(theirs)}")
        for labels, names in zip((first, second), self.left_out, strict=True):
            if names:
                lines.append(f"only in {labels.title or 'one of the label sets'}: {', '.join(names)}")
        return lines


def shared_classes(first: LabelSet, second: LabelSet) -> SharedClasses:
    """Match the classes of two label sets.

    Classes of one name match. Where a role is divided differently, such as into left and right in one label set only,
    its classes are merged.
    """
    if first == second or first.names == second.names:
        same = tuple(SharedClass(name, (index,), (index,)) for index, name in enumerate(first.names))
        return SharedClasses(same, ((), ()))
    found = [SharedClass(first.background, (BACKGROUND,), (BACKGROUND,))]
    roles = set(first.roles), set(second.roles)
    ours, theirs = _by_role(first, roles[1]), _by_role(second, roles[0])
    for role in dict.fromkeys([*ours, *theirs]):
        found += _match(role, first, ours.get(role, []), second, theirs.get(role, []))
    found.sort(key=lambda each: each.first)
    used = {i for each in found for i in each.first}, {i for each in found for i in each.second}
    rest = tuple(
        tuple(name for index, name in enumerate(labels.names) if index not in ids)
        for labels, ids in zip((first, second), used, strict=True)
    )
    return SharedClasses(tuple(found), (rest[0], rest[1]))


def _by_role(labels: LabelSet, other: set[str]) -> dict[str, list[int]]:
    """Return the ids under each role; a role that the other label set lacks counts as its parent.

    A glove or a sock covers an arm or a leg that is a class as well. Feet are shoes where there is no class for shoes.
    Pants and skirts are "lower" and faces and limbs are "skin" where the other label set does not tell them apart.
    """
    found = defaultdict(list)
    for index, role in enumerate(labels.roles):
        if index == BACKGROUND:
            continue
        parent = PARENTS.get(role, role)
        counts = labels.has(parent) != (role == "foot")
        within = parent if role not in other and counts else role
        whole = next((name for name, parts in WHOLES.items() if name in other and role in parts), None)
        found[whole if whole and within not in other else within].append(index)
    return found


def _match(role: str, first: LabelSet, ours: list[int], second: LabelSet, theirs: list[int]) -> list[SharedClass]:
    """Match the classes that count under one role. Those of the role itself match one by one if they can; what else
    counts under it is then left out."""
    sides = ((first, ours), (second, theirs))
    own = [{_part(labels, i): i for i in ids if labels.roles[i] == role} for labels, ids in sides]
    if role in SEPARATE or (own[0] and own[0].keys() == own[1].keys()):
        return [
            SharedClass(first.names[index], (index,), (own[1][part],))
            for part, index in own[0].items()
            if part in own[1]
        ]
    if not ours or not theirs:
        return []
    single = next((labels.names[ids[0]] for labels, ids in sides if len(ids) == 1), None)
    return [SharedClass(single or role.capitalize(), tuple(ours), tuple(theirs))]


def _part(labels: LabelSet, index: int) -> tuple[str, str | None]:
    name = labels.names[index]
    return part_of(name), side_of(name)
