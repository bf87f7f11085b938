"""`labels.json`: a label set as a file, beside a model or a data set."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clothseg.errors import ConfigError
from clothseg.labels.known import label_set_of
from clothseg.labels.label_set import Color, LabelSet
from clothseg.labels.roles import role_of


LABELS_FILE = "labels.json"

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_KEYS = {"title", "classes", "pairs", "groups"}
_CLASS_KEYS = {"id", "name", "role", "color"}


def to_dict(labels: LabelSet) -> dict[str, Any]:
    """Return a label set as JSON-ready content of a labels.json."""
    return {
        "title": labels.title,
        "classes": [
            {"id": index, "name": name, "role": labels.roles[index], "color": labels.hex_color(name)}
            for index, name in enumerate(labels.names)
        ],
        "pairs": [[labels.names[left], labels.names[right]] for left, right in labels.pairs],
        "groups": {group: list(members) for group, members in labels.groups.items()},
    }


def from_dict(content: Any, title: str = "") -> LabelSet:
    """Return the label set of a labels.json's content.

    Args:
        content: a list of names in the order of the ids; an object from ids to names, as in `id2label`; or an object
            like that of `to_dict`, of which only `classes` and their names are required.
        title: its name, if the content has none.

    Raises:
        ConfigError: the content is something else, or is not a label set; the message names the entry.
    """
    if isinstance(content, list):
        return label_set_of(dict(enumerate(content)), title)
    if not isinstance(content, dict):
        raise ConfigError("It must contain a list of names, an object from ids to names, or an object with classes.")
    if "classes" not in content:
        return label_set_of(content, title)
    _check_keys(content, _KEYS, "a label set")
    classes = _classes(content["classes"])
    names = tuple(each["name"] for each in classes)
    return LabelSet.of(
        names,
        str(content.get("title") or title),
        roles=[each.get("role") or (role_of(names[i]) if i else "background") for i, each in enumerate(classes)],
        pairs=_pairs(content["pairs"], names) if "pairs" in content else None,
        colors=[_color(each.get("color")) for each in classes],
        groups=_groups(content["groups"]) if "groups" in content else None,
    )


def read_labels(path: Path) -> LabelSet:
    """Read a labels.json.

    Raises:
        ConfigError: it is missing or damaged, or is not a label set.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path.name} cannot be read as JSON: {error}.") from error
    try:
        return from_dict(content)
    except ConfigError as error:
        raise ConfigError(f"{path.name} is not a label set: {error}") from error


def write_labels(labels: LabelSet, path: Path) -> None:
    """Write a labels.json."""
    path.write_text(json.dumps(to_dict(labels), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _check_keys(given: Any, known: set[str], what: str) -> None:
    if not isinstance(given, dict):
        raise ConfigError(f"{what.capitalize()} must be an object, not {given!r:.60}.")
    unknown = next((key for key in given if key not in known), None)
    if unknown is not None:
        entries = ", ".join(sorted(known))
        raise ConfigError(f"{what.capitalize()} has no entry {unknown!r}; the entries are: {entries}.")


def _classes(given: Any) -> list[Mapping[str, Any]]:
    if not isinstance(given, list):
        raise ConfigError(f"classes must be a list, not {given!r:.60}.")
    for index, each in enumerate(given):
        _check_keys(each, _CLASS_KEYS, "a class")
        if not isinstance(each.get("name"), str):
            raise ConfigError(f"Class {index} has no name.")
        if each.get("id", index) != index:
            raise ConfigError(
                f"The classes must be in the order of their ids, from 0 without gaps: entry {index} has the id "
                f"{each['id']!r}."
            )
    return given


def _color(given: Any) -> Color | None:
    if given is None:
        return None
    if not isinstance(given, str) or not _COLOR.fullmatch(given):
        raise ConfigError(f'A colour must be text such as "#ff8800", not {given!r:.60}.')
    red, green, blue = bytes.fromhex(given[1:])
    return red, green, blue


def _pairs(given: Any, names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    pairs = []
    for pair in given if isinstance(given, list) else [given]:
        if not isinstance(pair, list) or len(pair) != 2 or any(name not in names for name in pair):
            raise ConfigError(f"A pair must be a list of the names of a left and a right class, not {pair!r:.100}.")
        pairs.append((names.index(pair[0]), names.index(pair[1])))
    return tuple(pairs)


def _groups(given: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict) or not all(isinstance(members, list) for members in given.values()):
        raise ConfigError("groups must be an object from names of groups to lists of classes.")
    return {group: tuple(members) for group, members in given.items()}
