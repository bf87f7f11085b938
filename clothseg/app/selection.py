"""The state of a visitor's session: a photo's result with its corrections, and which parts of it are picked."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Any

from PIL import Image

from clothseg.app.components.parts import Part, class_of, find_parts, key_of, mask_of_parts
from clothseg.app.components.stage import save_photo
from clothseg.app.downloads import LastFile, save_preview
from clothseg.app.previews import reduced, reduction
from clothseg.app.settings import scaled
from clothseg.labels import LabelSet
from clothseg.options import CutoutOptions, SegmentOptions
from clothseg.outputs.find.reader import read_query
from clothseg.outputs.find.selection import NO_PEOPLE, select
from clothseg.outputs.items import Item
from clothseg.segmentation import Segmentation


# Not from 1: a browser that shows a result of the process before this one must not take ours for the same.
_numbers = count(time.time_ns() // 1_000_000)


@dataclass(frozen=True, eq=False)
class PhotoResult:
    """A result, the stored photo that it belongs to, and how it was made.

    Attributes:
        path: path of the photo, or its bytes.
        options: options with which it was segmented.
        base: the result before corrections.
        result: the result with corrections.
        edits: the corrections, in the stage's format.
        started: number of the result at which the corrections began.
        preview: path of the photo's preview.
        parts: parts of the result; found if not given.
        picked: keys of the parts that were picked first.
        note: a message about the photo, shown with the notes of the result.
        number: number of this result, unique in the process. It is also the hash, by which Gradio recognises whether
            an event changed a state.
        cutout_file: the file of the cut-out that was written last.
    """

    path: str | bytes
    options: SegmentOptions
    base: Segmentation
    result: Segmentation
    edits: tuple[dict[str, Any], ...] = ()
    started: int = 0
    preview: str = ""
    parts: tuple[Part, ...] = ()
    picked: tuple[str, ...] = ()
    note: str = ""
    number: int = field(default_factory=_numbers.__next__, init=False)
    cutout_file: LastFile = field(default_factory=LastFile, init=False)

    def __post_init__(self) -> None:
        if not self.started:
            object.__setattr__(self, "started", self.number)
        if not self.preview:
            object.__setattr__(self, "preview", save_photo(self.result))
        if not self.parts:
            object.__setattr__(self, "parts", find_parts(self.result))

    def __hash__(self) -> int:
        return self.number

    @cached_property
    def small(self) -> Segmentation:
        """The result at the size of the page's previews."""
        return reduced(self.result)

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """All items of `small`, body parts included."""
        return self.small.items(*self.small.labels.foreground)

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages about photo and result."""
        return (*self.result.notes, self.note) if self.note else self.result.notes


@dataclass(frozen=True)
class Choice:
    """The stage's state in the browser when it sends an event, which is newer than the server's.

    Attributes:
        number: number of the result that the browser shows; 0 for none.
        picked: keys of parts.
        edits: current corrections.
        classes: names of the classes that the visitor picked last, in this photo or an earlier one; empty if nothing
            was picked yet.
        opacity: opacity of the regions, 0..1.
        restoring: whether the browser sends a photo again that it had before, with these picks and corrections.
    """

    number: int = 0
    picked: tuple[str, ...] = ()
    edits: tuple[dict[str, Any], ...] = ()
    classes: tuple[str, ...] = ()
    opacity: float | None = None
    restoring: bool = False

    @classmethod
    def of(cls, sent: Any) -> "Choice":
        """Read the browser's JSON; invalid values are ignored."""
        if not isinstance(sent, Mapping):
            return cls()
        number, opacity = sent.get("number"), sent.get("opacity")
        return cls(
            number if isinstance(number, int) else 0,
            tuple(key for key in _list(sent.get("picked")) if isinstance(key, str)),
            tuple(dict(edit) for edit in _list(sent.get("edits")) if isinstance(edit, Mapping)),
            tuple(class_of(key) for key in _list(sent.get("classes")) if isinstance(key, str)),
            opacity if isinstance(opacity, int | float) and 0 <= opacity <= 1 else None,
            sent.get("restoring") is True,
        )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def first_picks(parts: Sequence[Part], names: Sequence[str], labels: LabelSet) -> list[str]:
    """Return the keys of the parts to pick in a new photo: those of the classes `names`, else all garments, else all
    parts."""
    chosen = [part.key for part in parts if part.name in names]
    return chosen or [part.key for part in parts if part.name in labels.garments] or [part.key for part in parts]


def carried(parts: Sequence[Part], picked: Sequence[str]) -> list[str]:
    """Return the keys of the parts that stay picked in another result of the same photo.

    A key that the other result lacks, for example one with a person if people are not separated there, counts for its
    class.
    """
    known = {part.key for part in parts}
    classes = {class_of(key) for key in picked if key not in known}
    return [part.key for part in parts if part.key in picked or part.name in classes]


def of_group(group: str, parts: Sequence[Part], labels: LabelSet) -> list[str]:
    """Return the keys of the parts that belong to the preset `group` of the label set."""
    return [part.key for part in parts if part.name in labels.groups.get(group, ())]


TURN_ON_PEOPLE = "Turn on “Separate people” in the detection settings to find the items of one person."


def find_parts_by_words(seen: PhotoResult, text: str) -> tuple[list[str], tuple[str, ...]]:
    """Return the keys of the parts that have items which a search means, and notes about it.

    Raises:
        ConfigError: nothing of it was understood.
    """
    labels = seen.small.labels
    found = select(seen.items, read_query(text, labels), seen.small.label_map.shape)
    separated = seen.small.person_map is not None
    wanted = {key_of(item.name, (item.wearer or 0) if separated else None) for item in found}
    notes = tuple(TURN_ON_PEOPLE if note == NO_PEOPLE else note for note in found.notes)
    return [part.key for part in seen.parts if part.key in wanted], notes


def cutout_of(result: Segmentation, picked: Sequence[str], options: CutoutOptions) -> Image.Image:
    """Return the cut-out of the parts with the keys `picked`."""
    return result.cutout_mask(mask_of_parts(result, picked), options)


def preview_of(seen: PhotoResult, picked: Sequence[str], options: CutoutOptions) -> str:
    """Return the path of the cut-out at the page's size, not cropped, and without a background colour (the stage draws
    it)."""
    shown = replace(scaled(options, reduction(seen.result)), crop=False, margin=0)
    if isinstance(shown.background, str):  # the stage draws colours
        shown = replace(shown, background="none")
    return save_preview(seen.result, cutout_of(seen.small, picked, shown))


def items_of(result: Segmentation, picked: Sequence[str] | None = None) -> tuple[Item, ...]:
    """Return the items of a result, or those of the parts with the keys `picked`, numbered from 1."""
    items = result.items(*result.labels.foreground)
    if picked is None:
        return items
    told_apart = result.person_map is not None
    chosen = [item for item in items if key_of(item.name, (item.wearer or 0) if told_apart else None) in picked]
    return tuple(replace(item, index=number) for number, item in enumerate(chosen, start=1))
