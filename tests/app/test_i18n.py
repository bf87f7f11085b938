"""Languages of the page: every text is translated, and each visitor gets their language."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from clothseg import labels
from clothseg.app import about, i18n, messages, result_files, settings
from clothseg.app.i18n import LANGUAGES, catalogue, deferred, percent, preferred, resolve, tr, use_language
from clothseg.app.tabs import batch
from clothseg.models.license import NVIDIA_NOTE, UNSTATED
from clothseg.outputs import color_names, notes
from clothseg.postprocess import requirements


OTHERS = [language for language in LANGUAGES if language != "en"]
HELD = (  # texts passed to `tr` as variables
    *labels.NAMES,
    *labels.GROUPS,
    *color_names.NAMES,
    *(text for switch in settings.SWITCHES for text in (switch.label, switch.info)),
    *settings.BACKGROUNDS,
    *(name for name, _ in (*batch.KINDS, *batch.PARTS, *batch.SHAPES)),
    *(name for name, _ in result_files.EXPORTS),
    *about.MEANINGS.values(),
    *about.LIMITS,
    *messages.MESSAGES,
    *messages.WORDS,
    *notes.NOTES,
    *requirements.SENTENCES,
    NVIDIA_NOTE,
    UNSTATED,
    i18n.NAME,
)


def written() -> Iterator[str]:
    """Literal texts in calls of `tr`."""
    for path in Path(i18n.__file__).parents[1].rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr":
                (text,) = node.args
                if isinstance(text, ast.Constant):
                    yield text.value


def parts(text: str) -> list[str]:
    """Names in braces and tags."""
    return sorted([name for _, name, _, _ in string.Formatter().parse(text) if name] + re.findall("<[^>]*>", text))


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_exists_in_each_language(language: str) -> None:
    texts = {*HELD, *written()}
    assert len(texts) > 250
    said = catalogue(language)
    assert not texts - {*said}, "not translated"
    assert not {*said} - texts, "unused translations"
    for text, other in said.items():
        assert other.strip() and parts(text) == parts(other), text


@pytest.mark.parametrize("language", OTHERS)
def test_translated_names_are_unique(language: str) -> None:
    said = catalogue(language)
    for names in (labels.NAMES, (*labels.GROUPS, *labels.NAMES), color_names.NAMES, settings.BACKGROUNDS):
        assert len({said[name] for name in names}) == len(names)


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ({}, "", "en"),
        ({}, "de-AT,de;q=0.9,en;q=0.8", "de"),
        ({}, "fr-FR, de;q=0.5, en;q=0.7", "en"),
        ({}, "en;q=0.1, DE;q=0.2", "de"),
        ({}, "de;q=0, tlh", "en"),
        ({}, "../../de,;;q=x," * 50, "en"),
        ({"lang": "de"}, "en", "de"),
        ({"lang": "en"}, "de", "en"),
        ({"lang": "tlh"}, "de", "de"),
    ],
)
def test_preferred_language_follows_query_and_header(query: dict[str, str], header: str, language: str) -> None:
    assert preferred(query, {"accept-language": header} if header else {}) == language


def test_deferred_texts_are_resolved_in_each_language() -> None:
    with deferred():
        made = {"label": tr("Photo"), "rows": [(tr("Bag"), "Bag"), 3], "html": f"<b>{tr('Bag')}</b>, {percent(0.05)}"}
        made["nested"] = tr("{done} of {total} photos", done=tr("1 item"), total=2)
    assert resolve(made) == {
        "label": "Photo",
        "rows": [["Bag", "Bag"], 3],
        "html": "<b>Bag</b>, 5%",
        "nested": "1 item of 2 photos",
    }
    with use_language("de"):
        assert resolve(made) == {
            "label": "Foto",
            "rows": [["Tasche", "Bag"], 3],
            "html": "<b>Tasche</b>, 5 %",
            "nested": "1 Teil von 2 Fotos",
        }
        assert percent(0.1234, 1) == "12,3 %"
    assert tr("Photo") == "Photo" and tr("no such text") == "no such text"
