"""The page's languages: texts are in English in the code, and `translations/` has their translations.

To add a language, copy `translations/de.json` under the language's code and translate the right-hand side; keep the
English on the left and the names in braces. Nothing else is needed. Missing texts are shown in English, and a test
lists them.

gr.I18n is not used: in gradio 6.31 it shows the labels of most components as "[object Object]", translates at most one
text per string, and neither the page's title nor the names of regions.
"""

import html
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any


FOLDER = Path(__file__).with_name("translations")

ENGLISH = "en"

LANGUAGES = (ENGLISH, *sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != ENGLISH))

NAME = "English"
"""Text whose translation is the language's own name."""

_LATER = ""
"""Language of a page that is being built; it is replaced by each visitor's own."""

_OPEN, _CLOSE = "\ue000", "\ue001"  # marks a text to be translated; from the private use area

_language: ContextVar[str] = ContextVar("language", default=ENGLISH)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return English text -> the same text in `language`; for English, only the page's names that differ from the
    API's."""
    return dict(json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8")))


def tr(text: str, **values: Any) -> str:
    """Return `text` in the current language, with `values` in place of the names in braces.

    Args:
        text: English text, in the format of `str.format` if there are values.
        values: values to fill in. They are not escaped; callers that build HTML must escape them.
    """
    language = _language.get()
    if language == _LATER:
        return _OPEN + json.dumps([text, {name: str(value) for name, value in values.items()}]) + _CLOSE
    said = catalogue(language).get(text, text)
    return said.format(**values) if values else said


@contextmanager
def use_language(language: str) -> Iterator[None]:
    """Make `tr` use one of `LANGUAGES`, in this thread or task and those that it starts."""
    before = _language.set(language)
    try:
        yield
    finally:
        _language.reset(before)


def deferred() -> Any:
    """Make `tr` leave the language open, for texts that are built once for many visitors; `resolve` translates them
    later."""
    return use_language(_LATER)


def resolve(made: Any) -> Any:
    """Return a copy of lists, mappings and texts built while `deferred`, translated into the current language."""
    if isinstance(made, str):
        return re.sub(f"{_OPEN}(.*?){_CLOSE}", _say, made, flags=re.DOTALL) if _OPEN in made else made
    if isinstance(made, Mapping):
        return {resolve(key): resolve(value) for key, value in made.items()}
    if isinstance(made, list | tuple):
        return [resolve(part) for part in made]
    return made


def _say(marked: re.Match[str]) -> str:
    if not marked[1].startswith('["'):  # `html.escape` was applied to the marked text
        text, values = json.loads(html.unescape(marked[1]))
        return html.escape(tr(text, **resolve(values)))
    text, values = json.loads(marked[1])
    return tr(text, **resolve(values))


def current() -> str:
    """Return the current one of `LANGUAGES`."""
    return _language.get() or ENGLISH


def preferred(query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Return the one of `LANGUAGES` in which to answer a request.

    Args:
        query: of the address; its `lang` takes precedence over the browser's setting.
        headers: of the request; Accept-Language is used.
    """
    wishes = [(1.0, query.get("lang", ""))]
    for part in headers.get("accept-language", "").split(",")[:20]:
        tag, _, quality = part.partition(";")
        found = re.fullmatch(r"q=(0(?:\.\d+)?|1(?:\.0+)?)", quality.strip())
        wishes.append((float(found[1]) if found else 1.0, tag))
    for weight, wish in sorted(wishes, key=lambda wish: -wish[0]):
        language = wish.strip().lower().partition("-")[0]
        if weight > 0 and language in LANGUAGES:
            return language
    return ENGLISH


def percent(share: float, decimals: int = 0) -> str:
    """Return a share 0..1 in percent, formatted for the language."""
    whole, _, tenths = f"{100 * share:.{decimals}f}".partition(".")
    return tr("{whole}.{tenths}%", whole=whole, tenths=tenths) if tenths else tr("{whole}%", whole=whole)


def decimal(number: float) -> str:
    """Return a number with one decimal, formatted for the language."""
    whole, _, tenths = f"{number:.1f}".partition(".")
    return tr("{whole}.{tenths}", whole=whole, tenths=tenths)
