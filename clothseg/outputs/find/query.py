"""A search that was read: which items it means."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from clothseg.options import SegmentOptions


class Nth(NamedTuple):
    """The `number`-th from a side ("left", "right", "top", "bottom"), from 1; -1 is the last."""

    number: int
    side: str = "left"


@dataclass(frozen=True)
class Term:
    """One of the things that a search names; an item must meet all conditions.

    Attributes:
        class_ids: of the items.
        colors: words of `clothseg.outputs.find.colors`; empty for any colour.
        together: whether an item must have all of the colours.
        place: "left", "right", "top", "bottom" or "middle" of what was found; empty for anywhere.
        nth: which one of those that meet the other conditions; None for all.
        largest: how many of the largest to take; negative: of the smallest; 0 for all.
        person: their wearer: a place, or a number from a side; None for anybody.
        wearing: something that their wearer must wear, too.
        text: the words of the search that name it.
    """

    class_ids: frozenset[int]
    colors: tuple[str, ...] = ()
    together: bool = False
    place: str = ""
    nth: Nth | None = None
    largest: int = 0
    person: "str | Nth | None" = None
    wearing: "Term | None" = None
    text: str = field(default="", compare=False)

    @property
    def names_person(self) -> bool:
        """Whether the term depends on who wears an item."""
        return self.person is not None or self.wearing is not None


@dataclass(frozen=True)
class Query:
    """A search that was read.

    Attributes:
        text: as it was given.
        terms: items that meet any of them are found,
        minus: except those that meet any of these.
        ignored: words that were not understood, as they were given.
        notes: sentences about ignored words and classes that the model lacks.
    """

    text: str
    terms: tuple[Term, ...]
    minus: tuple[Term, ...] = ()
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def names_person(self) -> bool:
        """Whether people must be separated to answer it: `SegmentOptions(people="all")`."""
        return any(term.names_person for term in (*self.terms, *self.minus))

    def options(self, given: SegmentOptions) -> SegmentOptions:
        """Return the options with which a photo must be segmented to answer it: people are separated if it names
        one."""
        return replace(given, people="all") if self.names_person else given


def quoted(words: Sequence[str]) -> str:
    """Return words in quotation marks, with commas between."""
    return ", ".join(f"“{word}”" for word in words)
