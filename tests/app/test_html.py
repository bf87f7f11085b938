"""HTML of the page."""

import numpy as np
import pytest

from clothseg.app import html
from clothseg.app.i18n import LANGUAGES, deferred, resolve, use_language
from clothseg.labels import ATR, FASHN, hex_color
from clothseg.outputs.comparison import compare
from clothseg.outputs.notes import NOBODY, TURNED


def test_swatches_show_class_number_and_colour() -> None:
    assert (
        html.swatch("Dress", ATR) == f'<i class="swatch" style="background:{hex_color("Dress")};color:#ffffff">7</i>'
    )


def test_comparison_table_uses_the_swatches_of_each_label_set() -> None:
    hat, other = np.full((4, 4), 1, np.uint8), np.full((4, 4), FASHN.label2id["hat"], np.uint8)
    other[0] = FASHN.label2id["arms"]
    same = html.agreement(compare(hat, hat, (ATR, ATR)), "A", "B")
    assert same.count('class="swatch"') == 1 and f'scope="row">{html.swatch("Hat", ATR)}Hat' in same
    table = html.agreement(compare(hat, other, (ATR, FASHN)), "A", "B")
    assert f"<td>{html.swatch('Hat', ATR)}" in table and f"<td>{html.swatch('hat', FASHN)}" in table
    assert html.swatch("Left-arm", ATR) + html.swatch("Right-arm", ATR) in table


def test_messages_are_escaped() -> None:
    assert "<script>" not in html.problem("<script>") + html.footer("<script>", "<script>", "<script>")


def test_notes_are_translated() -> None:
    assert html.notes(()) == ""
    said = html.notes((NOBODY, TURNED[90]))
    assert NOBODY in said and TURNED[90] in said and 'role="status"' in said
    with use_language("de"):
        assert "Weder Gesicht noch Haare" in html.notes((NOBODY,))


@pytest.mark.parametrize("language", LANGUAGES)
def test_deferred_footer_equals_the_translated_footer(language: str) -> None:
    missing = 'There is no folder "a<b>", and it cannot be a Hub model: those are named owner/name.'
    notices = (
        "",
        "An unknown notice & more",
        missing,
        f"{missing} Meanwhile the weights that come with the app are used.",
    )
    for notice in notices:
        arguments = ("alice/clothes", "abc", "Licence <unknown>", notice)
        with deferred():
            later = html.footer(*arguments)
        with use_language(language):
            assert resolve(later) == html.footer(*arguments) and "<b>" not in html.footer(*arguments)
