"""The classes of a data set's masks: which class each stored id means."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clothseg.errors import ConfigError
from clothseg.labels import ATR, IGNORE, KNOWN, LabelSet, channel_order, label_set_of, names_of, read_labels
from clothseg.labels.roles import words_of


LARGEST_ID = 65_535
"""Largest id in a stored mask."""

WRONG = -1
"""Entry of a table for ids that mean nothing."""

IGNORE_WORDS = ("ignore", None)
"""Entries of a label map for ids whose pixels are not annotated."""


@dataclass(frozen=True, eq=False)
class MaskClasses:
    """The classes of a data set, and how its masks store them.

    Attributes:
        labels: the classes that a model learns.
        table: (65536,) int16 from a stored id to a class id, 255 for not annotated, or `WRONG`; None if the stored ids
            are the class ids.
        stored: names of the stored ids, if a label map gives them new ones.
    """

    labels: LabelSet
    table: npt.NDArray[np.int16] | None = None
    stored: Mapping[int, str] = field(default_factory=dict)

    def decode(self, stored: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]:
        """Return the class ids (uint8) of stored ids of any shape, and the sorted stored ids that mean nothing."""
        if self.table is None:
            with np.errstate(invalid="ignore"):  # of a floating-point mask
                ids = stored.astype(np.uint8)
            return ids, np.unique(stored[(ids != stored) | ((ids >= len(self.labels)) & (ids != IGNORE))])
        with np.errstate(invalid="ignore"):
            places = np.clip(np.nan_to_num(stored, nan=-1), 0, LARGEST_ID).astype(np.int64)
        ids = self.table[places]
        wrong = (ids == WRONG) | (places != stored)
        return ids.astype(np.uint8), np.unique(stored[wrong])

    @property
    def plain(self) -> "MaskClasses":
        """Return the same classes for masks of class ids, such as a teacher's."""
        return MaskClasses(self.labels)

    @property
    def old_names(self) -> dict[str, int]:
        """Return the class id, or 255, of each name that a label map replaces."""
        if self.table is None:
            return {}
        ids = {name: int(self.table[index]) for index, name in self.stored.items()}
        return {name: index for name, index in ids.items() if index != WRONG}

    @property
    def known(self) -> str:
        """Return the ids that masks may contain, in words."""
        if self.table is None:
            return f"0 to {len(self.labels) - 1}, and {IGNORE} for pixels without annotation"
        known = np.flatnonzero(self.table != WRONG).tolist()
        runs = "".join(f",{a}" if a != b + 1 else f"-{a}" for a, b in zip(known, [-2, *known], strict=False))
        parts = [part.split("-") for part in runs.strip(",").split(",")]
        return ", ".join(part[0] if len(part) == 1 else f"{part[0]} to {part[-1]}" for part in parts)

    @property
    def key(self) -> bytes:
        """Return bytes that differ between classes that decode a mask differently."""
        table = b"" if self.table is None else self.table.tobytes()
        return b"%d %s" % (len(self.labels), table)


ATR_MASKS = MaskClasses(ATR)
"""Masks of ATR's class ids, the default."""


def read_label_set(name: str) -> LabelSet:
    """Return a label set by the title of a built-in one, in any case, or by the path of a JSON file: a labels.json,
    an id2label.json, or a list of names.

    Raises:
        ConfigError: there is no such label set or file, or the file is not a label set.
    """
    known = {title.casefold(): labels for title, labels in KNOWN.items()}
    if name.casefold() in known:
        return known[name.casefold()]
    if not Path(name).is_file():
        raise ConfigError(f"--labels {name}: no such file; built-in label sets are {', '.join(KNOWN)}.")
    return read_labels(Path(name))


def mask_classes(
    stated: Mapping[Any, str] | LabelSet | None, labels: str | None = None, label_map: str | None = None
) -> MaskClasses:
    """Return the classes of a data set.

    Args:
        stated: what the data set says of the ids in its masks: `id2label`, a label set, or None for nothing.
        labels: title or file of a label set, for `read_label_set`: without a label map the classes of the stored ids,
            with one those of the new ids.
        label_map: JSON file, an object from stored ids, or names of the data set's classes, to new ids, new names, or
            "ignore". If the data set states nothing, names are ATR's. New names without `labels` become classes in the
            order of the file, the background first; new ids without `labels` are ATR's if the data set states nothing.

    Raises:
        ConfigError: a file cannot be read, or does not fit the classes.
    """
    given = read_label_set(labels) if labels else None
    if label_map is None:
        if given or stated is None:
            return MaskClasses(given or ATR)
        return MaskClasses(stated) if isinstance(stated, LabelSet) else _in_order(stated)
    content = _read_map(label_map)
    old = stated.id2label if isinstance(stated, LabelSet) else stated
    if old is None and not all(key.isdigit() for key in content):
        old = ATR.id2label
    new = given or (ATR if old is None and _has_ids(content) else _named_in(content, label_map))
    table = np.full(LARGEST_ID + 1, WRONG, np.int16)
    table[IGNORE] = IGNORE
    for key, value in content.items():
        table[_old_id(key, old, label_map)] = _new_id(value, new, label_map)
    if not (set(np.unique(table).tolist()) - {WRONG, IGNORE}):
        raise ConfigError(f"--label_map {label_map} maps no id to a class.")
    return MaskClasses(new, table, {int(index): str(name) for index, name in (old or {}).items()})


def _in_order(id2label: Mapping[Any, str]) -> MaskClasses:
    """Return the classes of an `id2label`, with the background first."""
    names, labels = names_of(id2label), label_set_of(id2label)
    order = channel_order(names)
    if order == tuple(range(len(names))):
        return MaskClasses(labels)
    table = np.full(LARGEST_ID + 1, WRONG, np.int16)
    table[IGNORE] = IGNORE
    for class_id, stored in enumerate(order):
        if stored is not None:
            table[stored] = class_id
    return MaskClasses(labels, table)


def _read_map(file: str) -> dict[str, Any]:
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--label_map {file} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ConfigError(f"--label_map {file} is not JSON: {error}.") from error
    if not isinstance(content, dict) or not content:
        raise ConfigError(
            f'--label_map {file} must be an object from old ids to new ids, names or "ignore", such as '
            '{"0": "Background", "4": "top", "7": "ignore"}.'
        )
    return content


def _has_ids(content: Mapping[str, Any]) -> bool:
    return any(isinstance(value, int) for value in content.values())


def _named_in(content: Mapping[str, Any], file: str) -> LabelSet:
    """Return the label set of the names in a label map."""
    values = [value for value in content.values() if value not in IGNORE_WORDS]
    if not all(isinstance(value, str) for value in values):
        raise ConfigError(
            f"--label_map {file} has new ids, whose names are not known: give names in place of ids, or the new label "
            "set with --labels."
        )
    if not values:
        raise ConfigError(f"--label_map {file} maps no id to a class.")
    try:
        return label_set_of(dict(enumerate(dict.fromkeys(values))))
    except ConfigError as error:
        raise ConfigError(f"--label_map {file}: {error}") from error


def _old_id(key: str, old: Mapping[Any, str] | None, file: str) -> int:
    by_name = {name: int(index) for index, name in (old or {}).items()}
    if key in by_name:
        return by_name[key]
    if key.isascii() and key.isdigit() and int(key) <= LARGEST_ID:
        return int(key)
    classes = (
        f"a class of the data set ({', '.join(by_name)})" if by_name else "a class, since the data set names none"
    )
    raise ConfigError(f"--label_map {file}: {key!r} is neither an id from 0 to {LARGEST_ID} nor {classes}.")


def _new_id(value: Any, new: LabelSet, file: str) -> int:
    if value in IGNORE_WORDS:
        return IGNORE
    if isinstance(value, str) and value in new.label2id:
        return new.label2id[value]
    if type(value) is int and (0 <= value < len(new) or value == IGNORE):
        return value
    raise ConfigError(
        f'--label_map {file}: {value!r} is neither "ignore" nor a class; the new classes are: '
        f"{', '.join(f'{index} {name}' for index, name in enumerate(new.names))}."
    )


def check_teacher(labels: LabelSet, theirs: LabelSet, name: str) -> None:
    """Reject a teacher with other classes than those to learn, or in another order.

    Raises:
        ConfigError: says which differ first.
    """
    ours, taught = ([words_of(each) for each in one.names] for one in (labels, theirs))
    if ours[1:] != taught[1:]:
        place = next((i for i, pair in enumerate(zip(ours, taught, strict=False)) if i and pair[0] != pair[1]), None)
        differ = (
            f"it has {len(theirs)} classes, the training {len(labels)}"
            if place is None
            else f"class {place} is {theirs.names[place]!r} there and {labels.names[place]!r} here"
        )
        raise ConfigError(f"The teacher {name} has other classes: {differ}. Use a teacher with the same classes.")
