"""Read a search such as "black shoes of the person on the left" with tables of words; there is no language model."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from clothseg.errors import ConfigError
from clothseg.labels import ATR, BACKGROUND, LabelSet
from clothseg.labels.roles import (
    BODY_ROLES,
    GARMENT_ROLES,
    SEPARATE,
    WHOLES,
    known_role,
    part_of,
    role_of,
    side_of,
    words_of,
)
from clothseg.outputs.find.query import Nth, Query, Term, quoted
from clothseg.outputs.find.words import Word, compound, find_words, folded, meaning, phrase


LONGEST = 500
"""Largest number of characters of a search."""

EMPTY = "The search is empty; enter something such as: red dress."

_SIDED = ("shoe", "sock", "glove", "arm", "hand", "leg", "foot")
"""Roles of which the left and the right one are the wearer's own."""

_ACCESSORIES = ("hat", "glasses", "belt", "glove", "bag", "scarf", "accessory")
_SEVERAL = {
    "*garments": GARMENT_ROLES,
    "*accessories": _ACCESSORIES,
    "*skin": tuple(role for role in BODY_ROLES if role != "hair"),
    "*body": BODY_ROLES,
    "*upper": ("upper", "dress", "scarf"),
    "*lower": ("skirt", "pants", "lower", "dress", "belt"),
}
_PHRASE = 5
"""Most words of a phrase."""


class _Token(NamedTuple):
    """A phrase with a meaning; it begins and ends at these characters of the search."""

    text: str
    word: Word
    class_ids: frozenset[int] = frozenset()
    start: int = 0
    end: int = 0


def read_query(text: str, labels: LabelSet = ATR) -> Query:
    """Read a search.

    Args:
        text: in English or German, such as "red dress", "black shoes of the person on the left", "everything but the
            hair", "größte Tasche".
        labels: the model's classes; their names are understood, too.

    Raises:
        ConfigError: it is empty or too long, or nothing of it was understood.
    """
    if isinstance(text, str) and not text.strip():
        raise ConfigError(EMPTY)
    if not isinstance(text, str) or len(text) > LONGEST:
        raise ConfigError(f"A search must be text of at most {LONGEST} characters.")
    return _read(text, labels)


@lru_cache(maxsize=256)
def _read(text: str, labels: LabelSet) -> Query:
    reader = _Reader(labels)
    tokens = list(reader.tokens(text))
    start = next((at for at, token in enumerate(tokens) if token.word.kind == "except"), len(tokens))
    terms = reader.terms(tokens[:start])
    minus = reader.terms([token for token in tokens[start:] if token.word.kind != "except"], reader.everything)
    if minus and not terms:
        terms = [Term(reader.everything, text=text.strip())]
    if not terms:
        if reader.lacking:
            raise ConfigError(" ".join(reader.lacking))
        raise ConfigError(
            f"Nothing of {quoted([text.strip()])} was understood. Name garments, colours, people, places or sizes, "
            "such as: red dress; largest bag; everything but the hair."
        )
    ignored = tuple(dict.fromkeys(reader.ignored))
    notes = (*reader.lacking, *reader.taken, *([f"Ignored: {quoted(ignored)}."] if ignored else ()))
    return Query(text, tuple(terms), tuple(minus), ignored, tuple(dict.fromkeys(notes)))


class _Reader:
    """Reads one search; collects what it does not understand."""

    def __init__(self, labels: LabelSet) -> None:
        self.labels = labels
        self.text = ""
        self.everything = frozenset(range(BACKGROUND + 1, len(labels)))
        self.garments = frozenset(labels.ids_of(labels.garments))
        self.ignored: list[str] = []
        self.lacking: list[str] = []
        self.taken: list[str] = []
        self.names = _names(labels)

    def tokens(self, text: str) -> Iterator[_Token]:
        """Yield what the phrases of a text mean, the longest first; words that mean nothing are remembered."""
        places = find_words(text)
        self.text = places[0].string if places else ""
        words = [place[0] for place in places]
        plain = [folded(word) for word in words]
        at = 0
        while at < len(words):
            for length in range(min(_PHRASE, len(words) - at), 0, -1):
                token = self._token(" ".join(words[at : at + length]), tuple(plain[at : at + length]))
                if token is not None:
                    yield token._replace(start=places[at].start(), end=places[at + length - 1].end())
                    at += length
                    break
            else:
                for token in self._compound(words[at], plain[at]):
                    yield token._replace(start=places[at].start(), end=places[at].end())
                at += 1

    def _token(self, text: str, words: tuple[str, ...]) -> _Token | None:
        if (ids := self.names.get(_singular(words))) is not None:
            return _Token(text, Word("noun", "=name"), ids)
        if (word := meaning(words)) is not None:
            return _Token(text, word, self._noun(text, word.value)) if word.kind == "noun" else _Token(text, word)
        if words[0].isdecimal() and len(words) == 1:
            return _Token(text, Word("number", words[0]))
        if known_role(" ".join(words)) is not None:
            return _Token(text, Word("noun", " ".join(words)), self._noun(text, " ".join(words)))
        return None

    def _compound(self, text: str, word: str) -> Iterator[_Token]:
        found = compound(word)
        if found is None:
            self.ignored.append(text)
            return
        before, noun = found
        first = meaning((before,))
        if first is not None and first.kind == "color":
            yield _Token(before, first)
        else:
            self.ignored.append(text[: len(before)])
        yield _Token(text, noun, self._noun(text, noun.value))

    def _noun(self, text: str, value: str) -> frozenset[int]:
        """Return the ids of the classes for a noun of the tables."""
        labels = self.labels
        if value in _SEVERAL:
            found = labels.with_roles(*_SEVERAL[value]) or (sorted(self.everything) if value == "*garments" else [])
        elif value.startswith("="):
            found = self._with_role(value[1:])
        else:
            named = self.names.get(_singular(phrase(value)))
            role = role_of(value)
            found = sorted(named) if named else [] if role in SEPARATE else self._with_role(role)
            if found and not named:
                names = ", ".join(dict.fromkeys(labels.names[each] for each in found))
                self.taken.append(f"{quoted([text])} has no class of its own; used instead: {names}.")
        if not found:
            self.lacking.append(f"The model has no class for {quoted([text])}.")
        return frozenset(found)

    def _with_role(self, role: str) -> list[int]:
        wholes = [whole for whole, parts in WHOLES.items() if role in parts]
        others = ["foot"] if role == "shoe" else [*WHOLES.get(role, ()), *wholes]
        return self.labels.with_roles(role) or self.labels.with_roles(*others)

    def terms(self, tokens: Sequence[_Token], default: frozenset[int] | None = None) -> list[Term]:
        """Return the terms of a list of things: "red dress and black shoes". A colour or a size alone means `default`,
        or garments."""
        parts: list[list[_Token]] = [[]]
        joined: list[str] = []
        for token in tokens:
            kind = token.word.kind
            if kind in ("and", "or") or (kind == "with" and not _has(parts[-1], "person", "gender")):
                joined.append(kind)
                parts.append([])
            else:
                parts[-1].append(token)
        found: list[Term] = []
        held: list[_Token] = []
        together = False
        for number, part in enumerate(parts):
            part = [token for token in part if token.word.kind != "filler"]
            if not _has(part, "person", "gender"):
                part = [token for token in part if token.word.kind != "in"]
            last = number == len(parts) - 1
            if not last and _only_colors(part):  # "black and white dress"
                held += part
                together = together or joined[number] == "and"
                continue
            own = [*held, *part]
            term = self._term(own, default or self.garments, together)
            held, together = [], False
            if term is not None:
                found.append(replace(term, text=self.text[own[0].start : own[-1].end] if own else ""))
        return found

    def _term(self, tokens: list[_Token], default: frozenset[int], together: bool = False) -> Term | None:
        own, person, wearing = self._split_at_person(tokens)
        nouns = [token for token in own if token.word.kind == "noun"]
        colors = _colors(own)
        about = {kind: [t for t in own if t.word.kind == kind] for kind in ("side", "place", "end", "from", "ordinal")}
        sizes = [token for token in own if token.word.kind == "size"]
        numbers = [token for token in own if token.word.kind == "number"]
        conditions = colors or sizes or person is not None or wearing or about["place"] or about["end"]
        if nouns and not any(token.class_ids for token in nouns):
            return None
        if not nouns and not conditions and not about["side"] and not _has(tokens, "everything", "person", "gender"):
            self.ignored += [token.text for token in own]
            return None
        ids = frozenset().union(*(token.class_ids for token in nouns)) if nouns else self.everything
        if not nouns and (colors or sizes) and not _has(own, "everything"):
            ids = default
        place = about["place"][0].word.value if about["place"] else ""
        nth = None
        for token in about["side"]:
            ids, place = self._sided(token, ids, nouns, place)
        if about["end"]:
            nth = Nth(1, about["end"][0].word.value)
        elif about["ordinal"]:
            side = about["from"][0].word.value if about["from"] else "left"
            nth = Nth(int(about["ordinal"][0].word.value), side)
        largest = 0
        if sizes:
            largest = int(numbers[0].word.value) if numbers else 1
            largest = max(1, largest) * (1 if sizes[0].word.value == "largest" else -1)
        else:
            self.ignored += [token.text for token in numbers]
        return Term(ids, colors, together and len(colors) > 1, place, nth, largest, person, wearing)

    def _sided(
        self, token: _Token, ids: frozenset[int], nouns: Sequence[_Token], place: str
    ) -> tuple[frozenset[int], str]:
        """Return classes and place for "left" or "right": the wearer's own of shoes and limbs, else in the photo."""
        side, labels = token.word.value, self.labels
        if not nouns or not any(labels.roles[each] in _SIDED for each in ids):
            return ids, side
        own = frozenset(each for each in ids if side_of(labels.names[each]) == side)
        if not own:
            self.ignored.append(token.text)
            return ids, place
        return own, place

    def _split_at_person(self, tokens: list[_Token]) -> tuple[list[_Token], "str | Nth | None", Term | None]:
        """Return the tokens about the item itself, its wearer, and what the wearer also wears."""
        at = next((at for at, token in enumerate(tokens) if token.word.kind in ("person", "gender")), None)
        if at is None:
            return tokens, None, None
        self.ignored += [token.text for token in tokens if token.word.kind == "gender"]
        before = at
        while before and tokens[before - 1].word.kind in ("side", "place", "end", "ordinal", "size"):
            before -= 1
        after = at + 1
        kinds = ("side", "place", "end", "ordinal", "from", "number", "size", "person", "gender")
        while after < len(tokens) and tokens[after].word.kind in kinds:
            after += 1
        about = [*tokens[before:at], *tokens[at + 1 : after]]
        self.ignored += [token.text for token in about if token.word.kind == "size"]
        person = _person(about)
        own, rest = tokens[:before], tokens[after:]
        wearing = None
        if rest and rest[0].word.kind in ("with", "in"):  # "the person with the hat"
            wearing, rest = self._term(rest, self.garments), []
        own = [token for token in (*own, *rest) if token.word.kind not in ("with", "in")]
        return own, person, wearing  # what follows is the person's: "the left person's shoes"


def _person(tokens: Sequence[_Token]) -> "str | Nth | None":
    """Return which person words such as "second ... from the right" mean."""
    by_kind = {token.word.kind: token.word.value for token in tokens}
    number = by_kind.get("ordinal") or by_kind.get("number")
    if number is not None:
        return Nth(int(number), by_kind.get("from", "left"))
    if "end" in by_kind:
        return Nth(1, by_kind["end"])
    return by_kind.get("side") or by_kind.get("place") or (Nth(1, by_kind["from"]) if "from" in by_kind else None)


def _has(tokens: Sequence[_Token], *kinds: str) -> bool:
    return any(token.word.kind in kinds for token in tokens)


def _only_colors(tokens: Sequence[_Token]) -> bool:
    return _has(tokens, "color") and all(token.word.kind in ("color", "shade") for token in tokens)


def _colors(tokens: Sequence[_Token]) -> tuple[str, ...]:
    """Return the colours, with the shade before them: "dark", "blue" is "dark blue"."""
    found: list[str] = []
    shade = ""
    for token in tokens:
        if token.word.kind == "shade":
            shade = token.word.value
        elif token.word.kind == "color":
            value = token.word.value
            found.append(f"{shade} {value}" if shade and " " not in value else value)
            shade = ""
    return tuple(dict.fromkeys(found))


def _names(labels: LabelSet) -> dict[tuple[str, ...], frozenset[int]]:
    """Return the classes for each name of a class, with and without its side, and of a group."""
    found: dict[tuple[str, ...], set[int]] = {}
    for index, name in enumerate(labels.names):
        if index == BACKGROUND:
            continue
        for part in name.split(","):
            for form in (" ".join(words_of(part)), part_of(part)):
                found.setdefault(_singular(phrase(form)), set()).add(index)
    for group in labels.groups:
        key = _singular(phrase(group))
        if key not in found and len(key) > 1:  # "upper" alone is a word of the tables
            found[key] = set(labels.ids_of([group]))
    return {key: frozenset(ids) for key, ids in found.items()}


def _singular(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return words with the last one's English plural removed; only to compare such forms with each other."""
    *before, last = words
    for ending, instead in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("sses", "ss"), ("ss", "ss"), ("s", "")):
        if last.endswith(ending) and len(last) > len(ending) + 1:
            last = last.removesuffix(ending) + instead
            break
    return (*before, last)
