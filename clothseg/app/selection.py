"""What a visitor has before them: a photo's result with its corrections, what is picked of it, and files made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from clothseg.app.components.parts import Part, find_parts, key_of, mask_of_parts
from clothseg.app.components.stage import save_photo, stage_value
from clothseg.app.downloads import (
    save_coco,
    save_cutout,
    save_items,
    save_items_zip,
    save_labels,
    save_preview,
    save_summary,
)
from clothseg.app.i18n import tr
from clothseg.app.previews import reduced, reduction
from clothseg.app.settings import Settings, cutout_values, read_link, scaled
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
    number: int = field(default_factory=_numbers.__next__)

    def __post_init__(self) -> None:
        if not self.started:
            object.__setattr__(self, "started", self.number)
        if not self.preview:
            object.__setattr__(self, "preview", save_photo(self.result))

    def __hash__(self) -> int:
        return self.number


@dataclass(frozen=True)
class Choice:
    """What the browser says is chosen on the stage when an event is sent: it knows better than the server.

    Attributes:
        number: of the result that the browser shows; 0 for none.
        picked: keys of parts.
        edits: corrections that hold.
        classes: names of the classes that the visitor picked last, in this photo or an earlier one; empty if they
            have picked none.
    """

    number: int = 0
    picked: tuple[str, ...] = ()
    edits: tuple[dict[str, Any], ...] = ()
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, said: Any) -> "Choice":
        """From the browser's JSON; what is not as it should be is left out."""
        if not isinstance(said, Mapping):
            return cls()
        number = said.get("number")
        return cls(
            number if isinstance(number, int) else 0,
            tuple(key for key in _list(said.get("picked")) if isinstance(key, str)),
            tuple(dict(edit) for edit in _list(said.get("edits")) if isinstance(edit, Mapping)),
            tuple(name for name in _list(said.get("classes")) if name in NAMES),
        )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def from_link(query: Mapping[str, str]) -> list[Any]:
    """Values of the components that a link sets, in the order of `segment_tab`."""
    settings: Settings = read_link(query)
    return [*settings.look, *cutout_values(settings.cutout), settings.opacity, list(settings.keep)]


def first_picks(parts: Sequence[Part], names: Sequence[str]) -> list[str]:
    """Keys of the parts to pick in a new photo: those of the classes `names`, else all garments, else all there is."""
    chosen = [part.key for part in parts if part.name in names]
    return chosen or of_group("All garments", parts) or [part.key for part in parts]


def of_group(group: str, parts: Sequence[Part]) -> list[str]:
    """Keys of the parts that belong to the preset `group`."""
    return [part.key for part in parts if part.name in GROUPS[group]]


def staged(seen: PhotoResult, picked: Sequence[str], background: str | None, parts: Sequence[Part]) -> dict[str, Any]:
    """The stage's value for a result."""
    return stage_value(
        seen.result,
        seen.preview,
        seen.number,
        base=seen.started,
        parts=parts,
        picked=picked,
        background=background,
        edits=seen.edits,
    )


def cutout_of(result: Segmentation, picked: Sequence[str], options: CutoutOptions) -> Image.Image:
    """The cut-out of the parts with the keys `picked`, as `Segmentation.cutout` makes it of classes."""
    return result.cutout(mask_of_parts(result, picked), options=options)


def preview_of(seen: PhotoResult, picked: Sequence[str], options: CutoutOptions) -> str:
    """Path of the cut-out at the page's size: transparent and not cropped, whatever the options say.

    The stage lays it over the photo, and draws a colour behind it by itself.
    """
    small = reduced(seen.result)
    mask = mask_of_parts(small, picked)
    plain = scaled(options, reduction(seen.result)).__class__
    made = small.cutout(mask, options=plain_ground(scaled(options, reduction(seen.result))))
    return save_preview(seen.result, made)


def find_things(seen: PhotoResult) -> tuple[Part, ...]:
    """The parts of a result."""
    return find_parts(seen.result)


def items_of(result: Segmentation, picked: Sequence[str] | None = None) -> tuple[Item, ...]:
    """The items of a result, or those of the parts with the keys `picked`, numbered from 1."""
    items = result.items(*NAMES[BACKGROUND + 1 :])
    if picked is None:
        return items
    several = result.person_map is not None
    return tuple(item for item in items if key_of(item.name, (item.wearer or 0) if several else None) in picked)
