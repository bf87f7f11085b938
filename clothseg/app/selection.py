"""What a visitor has before them: a photo's result, what is picked of it, and the answers to what they do."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import gradio as gr

from clothseg.app import html
from clothseg.app.downloads import save_coco, save_cutout, save_each_item, save_items, save_preview
from clothseg.app.i18n import tr
from clothseg.app.photo_input import plain_errors
from clothseg.app.previews import annotate, before_and_after, named, names_found, reduced, reduction
from clothseg.app.settings import LOOK, Settings, cutout_options, cutout_values, read_link, scaled, write_link
from clothseg.labels import BACKGROUND, GROUPS, NAMES
from clothseg.options import CutoutOptions
from clothseg.outputs.cutout import PLAIN
from clothseg.segmentation import Segmentation


VIEWS = ("Regions", "Before and after")
"""How a result is shown."""


_numbers = count()


@dataclass(frozen=True, eq=False)
class _Numbered:
    """What no other equals, past ones included.

    gradio tells by the hash whether an event has changed a state, and asks for that before and after; by its place in
    memory, a new object is at times the same as one that another event has replaced meanwhile.
    """

    number: int = field(default_factory=_numbers.__next__, init=False)

    def __hash__(self) -> int:
        return self.number


@dataclass(frozen=True, eq=False)
class PhotoResult(_Numbered):
    """A result, and the stored photo that it is of."""

    path: str | bytes
    result: Segmentation


@dataclass(frozen=True, eq=False)
class CutoutRequest(_Numbered):
    """What the cut-out shows, or soon will."""

    seen: PhotoResult | None = None
    names: tuple[str, ...] = ()
    options: CutoutOptions = PLAIN

    def same_as(self, other: "CutoutRequest | None") -> bool:
        """Whether the other asks for the very same picture."""
        if other is None or self.seen is not other.seen:
            return False
        return (self.names, self.options) == (other.names, other.options)


def from_link(query: Mapping[str, str]) -> list[Any]:
    """Values of the components that a link sets, in the order of `segment_tab`."""
    settings = read_link(query)
    return [*settings.look, *cutout_values(settings.cutout), settings.opacity, list(settings.keep)]


def show(seen: PhotoResult | None, view: str, opacity: float) -> tuple[Any, Any]:
    """Updates of the regions and of the slider, of which one is to be seen."""
    if seen is None:
        return gr.skip(), gr.skip()
    if view == VIEWS[0]:
        return gr.update(value=annotate(seen.result), visible=True), gr.update(visible=False)
    return gr.update(visible=False), gr.update(value=before_and_after(seen.result, opacity), visible=True)


@plain_errors
def describe(seen: PhotoResult | None, polygons: bool) -> tuple[str, Any, Any]:
    """The list of items, and the files that say the same; COCO's with polygons, or with run lengths."""
    if seen is None:
        return "", gr.update(value=None), gr.update(value=None)
    items = seen.result.items(*NAMES[BACKGROUND + 1 :])
    files = save_items(seen.result, items), save_coco(seen.result, items, polygons)
    return html.items_table(items, seen.result.people), *files


@plain_errors
def coco_file(seen: PhotoResult | None, polygons: bool) -> Any:
    """COCO's file anew, with polygons or with run lengths."""
    if seen is None:
        return gr.update(value=None)
    return save_coco(seen.result, seen.result.items(*NAMES[BACKGROUND + 1 :]), polygons)


@plain_errors
def each_item(seen: PhotoResult | None, wish: CutoutRequest | None) -> str | None:
    """Path of a ZIP with a cut-out of each item of the classes picked."""
    if seen is None or wish is None:
        return None
    if not wish.names:
        message = tr("Pick something first: the ZIP holds the items of the classes picked.")
        raise gr.Error(message, print_exception=False)
    return save_each_item(seen.result, wish.names, wish.options)


@plain_errors
def link_to(seen: PhotoResult | None, names: list[str], opacity: float, *values: Any) -> Any:
    """Query of a link to the settings; it names classes only if they are others than are picked at first."""
    at_first = [] if seen is None else picks(names_found(seen.result), [], None)
    keep = () if set(names) == set(at_first) else tuple(names)
    settings = Settings(values[: len(LOOK)], keep, opacity, cutout_options(*values[len(LOOK) :]))
    return gr.update(value=write_link(settings), visible=True)


def picks(present: list[str], kept: list[str], before: list[str] | None) -> list[str]:
    """Classes to pick: those `before`, if it is the same photo; else `kept`, all garments, or all there is."""
    if before is not None:
        return [name for name in present if name in before]
    return [name for name in present if name in kept] or of_group("All garments", present) or present


def of_group(group: str, present: list[str]) -> list[str]:
    """Those of the classes `present` that belong to the preset `group`."""
    return [name for name in present if name in GROUPS[group]]


@plain_errors
def request_cutout(
    seen: PhotoResult | None, names: list[str], wish: CutoutRequest | None, *settings: Any
) -> tuple[Any, Any]:
    """What `cut` is to show next; until it does, the file on offer is the one before and must not be taken."""
    wanted = CutoutRequest(seen, tuple(names), cutout_options(*settings))
    if wanted.same_as(wish):
        return gr.skip(), gr.skip()
    return wanted, gr.update(interactive=False)


def cut(wish: CutoutRequest | None) -> Iterator[tuple[Any, Any]]:
    """Yield the cut-out's preview at once, and the download when its file, of the photo's own size, is written."""
    if wish is None or wish.seen is None or not wish.names:
        yield None, gr.update(value=None, label=tr("Pick something to cut out"), interactive=False)
        return
    result = wish.seen.result
    # A file of our own: gradio would write it anew for each answer, into the very file that the page is reading.
    preview = save_preview(
        result, reduced(result).cutout(*wish.names, options=scaled(wish.options, reduction(result)))
    )
    yield preview, gr.update(value=None, label=tr("Preparing the file…"), interactive=False)
    path = save_cutout(result, list(wish.names), wish.options)
    # The preview once more: of two answers in quick succession the page at times shows only the last.
    yield preview, gr.update(value=path, label=tr("Download {file}", file=Path(path).name), interactive=True)


def pick_at(seen: PhotoResult | None, names: list[str], event: gr.SelectData) -> Any:
    """Add or take away the class at the pixel of the photo that was clicked."""
    x, y = event.index
    height, width = (0, 0) if seen is None else seen.result.label_map.shape
    if seen is None or not (0 <= x < width and 0 <= y < height) or seen.result.label_map[y, x] == BACKGROUND:
        return gr.skip()
    return _toggled(names, NAMES[seen.result.label_map[y, x]])


def pick_named(names: list[str], event: gr.SelectData) -> list[str]:
    """Add or take away the class whose name was clicked under the regions."""
    return _toggled(names, named(event.value))


def _toggled(names: list[str], name: str) -> list[str]:
    return [other for other in names if other != name] if name in names else [*names, name]


def preset(group: str) -> Callable[[PhotoResult | None], list[str]]:
    return lambda seen: [] if seen is None else of_group(group, names_found(seen.result))
