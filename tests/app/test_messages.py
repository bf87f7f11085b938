"""Translation of the library's messages."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from types import SimpleNamespace

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg.app import messages
from clothseg.app.i18n import LANGUAGES, use_language
from clothseg.app.messages import MESSAGES, localized
from clothseg.batch.photo_files import OutputSpec
from clothseg.batch.to_zip import segment_to_zip
from clothseg.errors import ClothsegError
from clothseg.images.decode import load_photo
from clothseg.labels import ATR, ids_of
from clothseg.segmentation import Segmentation


VALUE = "\0"


def joined(parts: Iterator[str]) -> str:
    """A text with one mark for each value; adjacent values count as one."""
    text = "".join(parts)
    while VALUE * 2 in text:
        text = text.replace(VALUE * 2, VALUE)
    return text


def template(message: str) -> str:
    return joined(text + VALUE * bool(name) for text, name, _, _ in Formatter().parse(message))


def in_the_library() -> set[str]:
    """All texts of the package with a mark for each value, also with a value prefixed as the subject."""
    found = set()
    for path in Path(messages.__file__).parents[1].rglob("*.py"):
        if path == Path(messages.__file__):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                values = node.values
                found.add(joined(str(part.value) if isinstance(part, ast.Constant) else VALUE for part in values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found | {f"{VALUE} {text}" for text in found}


def test_every_message_occurs_in_the_library() -> None:
    known = in_the_library()
    assert [message for message in MESSAGES if template(message) not in known] == []


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_translated_messages_keep_their_values(language: str) -> None:
    for message in MESSAGES:
        names = [name for _, name, _, _ in Formatter().parse(message) if name]
        values = {name: f"value{number}" for number, name in enumerate(names)}
        with use_language(language):
            said = localized(message.format(**values))
        assert all(value in said for value in values.values()), message
        assert localized(message.format(**values)) == message.format(**values)


def test_library_messages_are_translated_to_german(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    large = np.zeros((20, 30, 3), np.uint8)
    wrong = {
        "notes.txt ist kein lesbares Bild; verwenden Sie JPEG, PNG, WebP, GIF, BMP, TIFF oder AVIF.": (
            lambda: load_photo(tmp_path / "notes.txt")
        ),
        "empty.jpg ist leer: Die Datei enthält keine Daten.": lambda: load_photo(tmp_path / "empty.jpg"),
        "Das Foto ist zu groß: 30 × 20 sind 600 Pixel, erlaubt sind 599; verkleinern Sie das Bild zuerst.": (
            lambda: load_photo(large, max_pixels=599)
        ),
        "Es sind keine Fotos da; fügen Sie Fotos oder ein ZIP mit Fotos hinzu.": (
            lambda: list(segment_to_zip(SimpleNamespace(labels=ATR), [], tmp_path / "out.zip"))  # type: ignore[arg-type]
        ),
        "Unbekannte Klasse 'Trousers'; die Klassen sind: Background, Hat": lambda: ids_of(["Trousers"]),
    }
    for german, act in wrong.items():
        with pytest.raises(ClothsegError) as caught, use_language("de"):
            act()
        with use_language("de"):
            assert localized(str(caught.value)).startswith(german)
        assert localized(str(caught.value)) == str(caught.value)


def test_known_batch_errors_are_translated(tmp_path: Path) -> None:
    class Exhausted:
        workers, name, labels = 1, "exhausted", ATR

        def __call__(self, *_: object, **__: object) -> Segmentation:
            raise MemoryError

        def with_streams(self) -> "Exhausted":
            return self

    Image.fromarray(draw(1, 40, 30).image).save(tmp_path / "a.png")
    steps = segment_to_zip(Exhausted(), [tmp_path / "a.png"], tmp_path / "out.zip", OutputSpec())  # type: ignore[arg-type]
    *_, last = steps
    with use_language("de"):
        assert localized(last.error) == (
            "a.png: Es braucht mehr Speicher, als vorhanden ist; verkleinern Sie das Bild zuerst."
        )
        assert localized("Something else: it failed.") == "Something else: it failed."
