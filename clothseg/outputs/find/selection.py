"""Pick the items that a search means."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from clothseg.outputs.find.colors import SOME, has_color
from clothseg.outputs.find.query import Nth, Query, Term, quoted
from clothseg.outputs.items import Item


T = TypeVar("T")

NOTHING = "Nothing in the photo matches."
NO_PEOPLE = 'People were not separated, so the words about the person were ignored: use the option people="all".'


@dataclass(frozen=True, eq=False)
class Found:
    """The result of a search in a photo.

    Attributes:
        items: by class and then from left to right, numbered from 1.
        query: the search.
        notes: sentences about words that were ignored, and about what was not found.
        photo_shape: (height, width) of the photo.
        missing: parts of the search that nothing in the photo matches, as they were entered.
    """

    items: tuple[Item, ...]
    query: Query
    notes: tuple[str, ...]
    photo_shape: tuple[int, int]
    missing: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Words that were not understood."""
        return self.query.ignored

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """(H, W) bool: the pixels of all items found."""
        mask = np.zeros(self.photo_shape, np.bool_)
        for item in self.items:
            x, y, width, height = item.box
            mask[y : y + height, x : x + width] |= item.mask
        return mask


def select(items: Sequence[Item], query: Query, photo_shape: tuple[int, int]) -> Found:
    """Pick the items that a search means.

    Args:
        items: all items of a photo, body parts included.
        query: the search.
        photo_shape: (height, width) of the photo.
    """
    people = sorted({item.wearer for item in items if item.wearer is not None})
    separated = bool(people)
    picked: list[Item] = []
    missing: list[str] = []
    for term in query.terms:
        matching = _matching(items, term, people)
        picked += matching
        if not matching and term.text not in missing:
            missing.append(term.text)
    for term in query.minus:
        gone = {item.index for item in _matching(items, term, people)}
        picked = [item for item in picked if item.index not in gone]
    found = {item.index: item for item in picked}
    numbered = [replace(found[index], index=at) for at, index in enumerate(sorted(found), start=1)]
    notes = list(query.notes)
    if query.names_person and not separated:
        notes.append(NO_PEOPLE)
    if not numbered:
        notes.append(NOTHING)
    elif missing:
        notes.append(f"Not found: {quoted(missing)}.")
    return Found(tuple(numbered), query, tuple(notes), photo_shape, tuple(missing))


def _matching(items: Sequence[Item], term: Term, people: Sequence[int]) -> list[Item]:
    frame = _frame(items)
    found = [item for item in items if item.class_id in term.class_ids]
    if people and term.names_person:
        found = [item for item in found if item.wearer in _wearers(items, term, people)]
    if term.colors:
        found = _of_colors(found, term)
    if term.place:
        found = [item for item in found if _lies(item, term.place, frame)]
    if term.nth is not None:
        found = _nth(found, term.nth, _centre)
    if term.largest:
        order = sorted(found, key=lambda item: item.area, reverse=term.largest > 0)
        found = order[: abs(term.largest)]
    return found


def _of_colors(items: list[Item], term: Term) -> list[Item]:
    """Return the items of any of the colours; if all are asked for and some items have all, these."""
    if term.together:
        every = [item for item in items if all(has_color(item.colors, color, SOME) for color in term.colors)]
        if every:
            return every
    return [item for item in items if any(has_color(item.colors, color) for color in term.colors)]


def _wearers(items: Sequence[Item], term: Term, people: Sequence[int]) -> set[int]:
    """Return the numbers of the people that a term means; they are numbered from left to right."""
    chosen = list(people)
    if isinstance(term.person, Nth):
        chosen = _nth(chosen, term.person, lambda number: (float(number), 0.0))
    elif term.person == "middle":
        chosen = chosen[(len(chosen) - 1) // 2 : len(chosen) // 2 + 1]
    elif term.person == "right":
        chosen = chosen[-1:]
    elif term.person == "left":
        chosen = chosen[:1]
    if term.wearing is not None:
        with_it = {item.wearer for item in _matching(items, term.wearing, people)}
        chosen = [number for number in chosen if number in with_it]
    return set(chosen)


def _nth(things: Sequence[T], nth: Nth, centre: Callable[[T], tuple[float, float]]) -> list[T]:
    axis = 1 if nth.side in ("top", "bottom") else 0
    order = sorted(things, key=lambda thing: centre(thing)[axis], reverse=nth.side in ("right", "bottom"))
    at = nth.number - 1 if nth.number > 0 else len(order) + nth.number
    return order[at : at + 1] if at >= 0 else []


def _centre(item: Item) -> tuple[float, float]:
    x, y, width, height = item.box
    return x + width / 2, y + height / 2


def _frame(items: Sequence[Item]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of all items, so that places do not depend on the photo's margins."""
    boxes = [item.box for item in items] or [(0, 0, 1, 1)]
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[0] + box[2] for box in boxes),
        max(box[1] + box[3] for box in boxes),
    )


def _lies(item: Item, place: str, frame: tuple[int, int, int, int]) -> bool:
    """Return whether an item's centre lies in a half of what was found, or in its middle third."""
    left, top, right, bottom = frame
    across = (_centre(item)[0] - left) / max(1, right - left)
    down = (_centre(item)[1] - top) / max(1, bottom - top)
    return {
        "left": across < 0.5,
        "right": across > 0.5,
        "top": down < 0.5,
        "bottom": down > 0.5,
        "middle": 1 / 3 <= across <= 2 / 3,
    }[place]
