"""The page's own HTML."""

import re

import numpy as np
import pytest

from clothseg.app import html
from clothseg.app.i18n import use_language
from clothseg.batch.to_zip import Progress
from clothseg.labels import NAMES, PALETTE
from clothseg.outputs.notes import NOBODY, TURNED


def test_numbers_can_be_read_on_every_colour() -> None:
    for class_id, name in enumerate(NAMES):
        ink = re.search(r";color:(#\w+)", html.swatch(name))[1]
        channels = (PALETTE[class_id] / 255).tolist()
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminance = np.dot([0.2126, 0.7152, 0.0722], linear)
        contrast = (luminance + 0.05) / 0.05 if ink == "#000" else 1.05 / (luminance + 0.05)
        assert contrast >= 4.5, name


def test_messages_cannot_carry_markup() -> None:
    assert "<script>" not in html.problem("<script>") + html.footer("<script>", "<script>", "<script>")


@pytest.mark.parametrize(
    ("done", "total", "seconds", "words"),
    [
        (0, 200, 0, ""),
        (200, 200, 99, ""),
        (1, 3, 1.0, "a few seconds left"),
        (1, 2, 41.0, "about 40 s left"),
        (50, 150, 60.0, "about 2 min left"),
        (1, 100, 60.0, "about 1 h 39 min left"),
    ],
)
def test_time_left_is_told_in_words(done: int, total: int, seconds: float, words: str) -> None:
    assert html.time_left(Progress(done, total), seconds) == words


def test_notes_stand_above_a_result_in_the_readers_language() -> None:
    assert html.notes(()) == ""
    said = html.notes((NOBODY, TURNED[90]))
    assert NOBODY in said and TURNED[90] in said and 'role="status"' in said
    with use_language("de"):
        assert "Kein Gesicht" in html.notes((NOBODY,))
