"""What a visitor has before them: a photo's result with its corrections, and what is picked of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Any

from PIL import Image

from clothseg.app.components.parts import Part, find_parts, key_of, mask_of_parts
from clothseg.app.components.stage import save_photo
from clothseg.app.downloads import save_preview
from clothseg.app.previews import reduced, reduction
from clothseg.app.settings import cutout_values, read_link, scaled
from clothseg.labels import BACKGROUND, GROUPS, NAMES
from clothseg.options import CutoutOptions, SegmentOptions
from clothseg.outputs.items import Item
from clothseg.segmentation import Segmentation


_numbers = count(1)


@dataclass(frozen=True, eq=False)
class PhotoResult:
    """A result, the stored photo that it is of, and how it came about.

    Attributes:
        path: of the photo, or its bytes.
        options: with which it was segmented.
        base: the result before corrections.
        result: with them.
        edits: the corrections, as the stage has them.
        started: number of the result that the corrections began with.
        preview: path of the photo's preview.
        parts: of the result; found if there are none.
        picked: keys of the parts that were picked at first.
        note: what to know of the photo, to be shown beside the notes of the result.
        number: of this result; no other has it, past ones included. It is the hash as well: gradio tells by that
            whether an event has changed a state.
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

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of photo and result."""
        return (*self.result.notes, self.note) if self.note else self.result.notes


@dataclass(frozen=True)
class Choice:
    """What the browser says is chosen on the stage when an event is sent: it knows better than the server.

    Attributes:
        number: of the result that the browser shows; 0 for none.
        picked: keys of parts.
        edits: corrections that hold.
        classes: names of the classes that the visitor picked last, in this photo or an earlier one; none if they
            have picked nothing yet.
        opacity: of the regions, 0..1.
        restoring: whether the photo is one that the browser had before, with these picks and corrections.
    """

    number: int = 0
    picked: tuple[str, ...] = ()
    edits: tuple[dict[str, Any], ...] = ()
    classes: tuple[str, ...] = ()
    opacity: float | None = None
    restoring: bool = False

    @classmethod
    def of(cls, said: Any) -> "Choice":
        """From the browser's JSON; what is not as it should be is left out."""
        if not isinstance(said, Mapping):
            return cls()
        number, opacity = said.get("number"), said.get("opacity")
        return cls(
            number if isinstance(number, int) else 0,
            tuple(key for key in _list(said.get("picked")) if isinstance(key, str)),
            tuple(dict(edit) for edit in _list(said.get("edits")) if isinstance(edit, Mapping)),
            tuple(name for name in _list(said.get("classes")) if name in NAMES),
            opacity if isinstance(opacity, int | float) and 0 <= opacity <= 1 else None,
            said.get("restoring") is True,
        )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def from_link(query: Mapping[str, str]) -> list[Any]:
    """Values of the components that a link sets, in the order of `segment_tab`."""
    settings = read_link(query)
    return [*settings.look, *cutout_values(settings.cutout), list(settings.keep)]


def first_picks(parts: Sequence[Part], names: Sequence[str]) -> list[str]:
    """Keys of the parts to pick in a new photo: those of the classes `names`, else all garments, else all there is."""
    chosen = [part.key for part in parts if part.name in names]
    return chosen or of_group("All garments", parts) or [part.key for part in parts]


def carried(parts: Sequence[Part], picked: Sequence[str]) -> list[str]:
    """Keys of the parts that stay picked in another result of the same photo.

    A key that it does not have, such as one without a person where people are told apart now, stands for its class.
    """
    known = {part.key for part in parts}
    classes = {key.partition("/")[0] for key in picked if key not in known}
    return [part.key for part in parts if part.key in picked or part.name in classes]


def of_group(group: str, parts: Sequence[Part]) -> list[str]:
    """Keys of the parts that belong to the preset `group`."""
    return [part.key for part in parts if part.name in GROUPS[group]]


def cutout_of(result: Segmentation, picked: Sequence[str], options: CutoutOptions) -> Image.Image:
    """Return the cut-out of the parts with the keys `picked`."""
    return result.cutout_mask(mask_of_parts(result, picked), options)


def preview_of(seen: PhotoResult, picked: Sequence[str], options: CutoutOptions) -> str:
    """Path of the cut-out at the page's size, not cropped; before a background only if that is a picture."""
    shown = replace(scaled(options, reduction(seen.result)), crop=False, margin=0)
    if isinstance(shown.background, str):  # a colour is drawn by the stage
        shown = replace(shown, background="none")
    return save_preview(seen.result, cutout_of(seen.small, picked, shown))


def items_of(result: Segmentation, picked: Sequence[str] | None = None) -> tuple[Item, ...]:
    """The items of a result, or those of the parts with the keys `picked`, numbered from 1."""
    items = result.items(*NAMES[BACKGROUND + 1 :])
    if picked is None:
        return items
    told_apart = result.person_map is not None
    chosen = [item for item in items if key_of(item.name, (item.wearer or 0) if told_apart else None) in picked]
    return tuple(replace(item, index=number) for number, item in enumerate(chosen, start=1))
