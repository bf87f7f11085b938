"""Answers of the tab for one photo, without a browser."""

import gc
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import Segmenter
from clothseg.app.answers import Answers
from clothseg.app.cards import cards
from clothseg.app.components.parts import find_parts
from clothseg.app.i18n import tr, use_language
from clothseg.app.selection import PhotoResult, cutout_of, first_picks
from clothseg.app.settings import DEFAULT_CUTOUT, DEFAULT_OPTIONS, DEFAULT_TICKS, cutout_values
from clothseg.labels import ATR, GROUPS
from clothseg.options import SegmentOptions


pytestmark = pytest.mark.usefixtures("temp_folder")

PLAIN = cutout_values(DEFAULT_CUTOUT)


@pytest.fixture(scope="module")
def answers(tiny_model: Path) -> Answers:
    return Answers(Segmenter.from_pretrained(tiny_model))


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "holiday.jpg"
    Image.fromarray(draw(1, 300, 200).image).save(path)
    return str(path)


def analyse(answers: Answers, path: Any, before: Any = None, **said: Any) -> Any:
    return answers.analyse(said, path, before, [], DEFAULT_TICKS, PLAIN)


def edit(answers: Answers, seen: PhotoResult, *edits: dict[str, Any], picked: Any = (), base: Any = None) -> Any:
    said = {"base": seen.started if base is None else base, "turn": 5, "edits": list(edits)}
    return answers.correct(gr.EventData(None, said), {"number": seen.number, "picked": [*picked]}, seen, *PLAIN)


def test_analysis_equals_the_segmenter(answers: Answers, photo: str) -> None:
    seen, value = analyse(answers, photo)
    expected = answers.segmenter(photo, DEFAULT_OPTIONS)
    assert np.array_equal(seen.result.label_map, expected.label_map) and seen.result.name == "holiday.jpg"
    assert value["number"] == seen.number and value["base"] == seen.started
    assert value["picked"] == first_picks(find_parts(expected), (), ATR)


def test_picks_are_kept_for_the_same_and_the_next_photo(answers: Answers, photo: str, tmp_path: Path) -> None:
    seen, _ = analyse(answers, photo)
    keys = [part.key for part in find_parts(seen.result)][:1]
    assert analyse(answers, photo, seen) == answers.unchanged
    said = {"number": seen.number, "picked": keys, "classes": ["Bag"]}
    plain = [False, *DEFAULT_TICKS[1:]]
    assert answers.analyse(said, photo, seen, [], plain, PLAIN)[1]["picked"] == keys  # type: ignore[index, misc]
    other = tmp_path / "other.png"
    Image.fromarray(draw(1, 300, 200).image).save(other)
    assert analyse(answers, str(other), seen, picked=["Bag"], classes=keys)[1]["picked"] == keys
    assert analyse(answers, str(other), None, picked=keys, restoring=True)[1]["picked"] == keys


def test_unreadable_file_gives_a_message(answers: Answers, tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("no photo")
    assert "notes.jpg is not a readable image" in analyse(answers, str(path))
    assert analyse(answers, None) is None


def test_oversized_jpeg_is_reduced(answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOTHSEG_MAX_PIXELS", "50000")
    paths = [tmp_path / name for name in ("large.jpg", "large.png")]
    for path in paths:
        Image.fromarray(draw(1, 600, 400).image).save(path)
    seen, _ = analyse(answers, str(paths[0]))
    width, height = seen.result.photo.size
    assert width * height <= 50000 and seen.result.name == "large.jpg" and f"{width} × {height}" in seen.note
    assert "too large" in analyse(answers, str(paths[1]))


def test_corrections_are_applied_and_undone(answers: Answers, photo: str) -> None:
    seen, value = analyse(answers, photo)
    part = value["parts"][0]
    (x, y), name = part["point"], part["name"]
    other = next(each for each in ("Skirt", "Hat") if each != name)
    relabel = {"kind": "relabel", "part": part["key"], "x": x, "y": y, "label": other}
    found, answer, _ = edit(answers, seen, relabel, picked=[part["key"]])
    assert not found.result.mask(name).any() and np.array_equal(found.base.label_map, seen.base.label_map)
    assert (answer["turn"], answer["base"], answer["edits"]) == (5, seen.started, [relabel])
    stroke = {"kind": "stroke", "points": [[x, y], [x + 4, y]], "radius": 3, "label": "Bag"}
    painted, *_ = edit(answers, found, relabel, stroke)
    assert painted.result.label_map[y, x] == 16
    clicked, *_ = edit(answers, found, {"kind": "click", "x": x, "y": y, "label": "Scarf"})
    assert clicked.result.label_map[y, x] == 17
    undone, answer, _ = edit(answers, painted)
    assert np.array_equal(undone.result.label_map, seen.result.label_map) and answer["edits"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "melt"},
        {"kind": "click", "x": "a", "y": 1, "label": "Hat"},
        {"kind": "stroke", "points": [], "radius": 2, "label": "Hat"},
        {"kind": "stroke", "points": [[1, 1]], "radius": float("inf"), "label": "Hat"},
        {"kind": "relabel", "part": "Hat", "label": "Cape"},
        {},
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Gradio's, for a message outside a request
def test_invalid_corrections_are_skipped(answers: Answers, doll: PhotoResult, wrong: Any) -> None:
    found, answer, _ = edit(answers, doll, wrong)
    assert answer["edits"] == [] and answer["turn"] == 5 and found.number != doll.number
    assert np.array_equal(found.result.label_map, doll.result.label_map)


def test_corrections_of_another_photo_are_ignored(answers: Answers, doll: PhotoResult) -> None:
    assert edit(answers, doll, {"kind": "melt"}, base=doll.started + 1) == (gr.skip(), gr.skip(), gr.skip())


def test_search_picks_parts_by_words(answers: Answers, doll: PhotoResult) -> None:
    said = {"number": doll.number, "picked": ["Left-shoe"], "edits": []}
    keys = [part.key for part in doll.parts]
    picked, told = answers.search(said, doll, "everything but the velvet hair")
    assert picked == [key for key in keys if key != "Hair"] and "Ignored: “velvet”." in told
    picked, told = answers.search(said, doll, "hair")
    assert picked == ["Hair"] and "Found: Hair." in told and 'class="unseen"' in told
    assert "Not found: “third bag”." in answers.search(said, doll, "hair, third bag")[1]
    for text, message in (
        ("velvet", "Nothing of “velvet” was understood"),
        ("<b>", "Nothing of “&lt;b&gt;” was understood"),
        ("the second bag", "Nothing in the photo matches."),
        ("gloves", "no class for “gloves”"),
    ):
        picked, told = answers.search(said, doll, text)
        assert picked is None and message in told, "the picks are kept"
    assert answers.search(said, doll, " ") == (None, "") and answers.search(said, None, "hair") == (None, "")
    picked, told = answers.search(said, doll, "hair of the person on the left")
    assert picked == ["Hair"] and "Turn on “Separate people”" in told
    with use_language("de"):
        assert "Gefunden: Haare." in answers.search(said, doll, "Haare")[1]
        assert "Nicht gefunden: „dritte Tasche“." in answers.search(said, doll, "Haare, dritte Tasche")[1]
        assert "„Jacke“ hat keine eigene Klasse; genommen wurde: Oberteil" in answers.search(said, doll, "Jacke")[1]
    edits = [{"kind": "relabel", "part": "Hair", "label": "Dress"}]
    assert answers.search(said | {"edits": edits}, doll, "dress")[0] == ["Dress"], "what the browser shows is searched"
    apart = replace(doll.result, person_map=(doll.result.label_map > 0).astype(np.uint8))
    two = PhotoResult("doll.webp", SegmentOptions(people="all"), apart, apart)
    assert answers.search({"number": two.number}, two, "hair of person 1")[0] == ["Hair/1"]


def test_preview_is_for_the_shown_result(answers: Answers, doll: PhotoResult) -> None:
    doll = replace(doll, picked=("Hat",))
    said = {"number": doll.number, "picked": ["Skirt"]}
    assert answers.preview(said, doll, *PLAIN)["news"]["cutout"]["picked"] == ["Skirt"]
    assert answers.preview(said | {"number": 0}, doll, *PLAIN)["news"]["cutout"]["picked"] == ["Hat"]
    assert answers.preview(said | {"picked": []}, doll, *PLAIN)["news"]["cutout"] is None
    assert answers.preview({}, None, *PLAIN) == gr.skip()
    assert answers.preview(said, None, *PLAIN)["news"] == {"number": doll.number, "lost": True}


def test_dragged_file_is_created_lazily_and_keeps_no_photo_alive(
    answers: Answers, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr("clothseg.app.answers.lazy_file", lambda make: told.append(make) or "later/1")
    seen, value = analyse(answers, photo)
    said = {"number": seen.number, "picked": value["picked"]}
    download = answers.preview(said, seen, *PLAIN)["news"]["download"]
    assert (download["url"], download["name"], download["picked"]) == (
        "later/1",
        "holiday-cutout.png",
        value["picked"],
    )
    with Image.open(told[0]()) as made:
        assert np.array_equal(np.asarray(made), np.asarray(cutout_of(seen.result, value["picked"], DEFAULT_CUTOUT)))
    del seen
    gc.collect()
    assert told[0]() is None


def test_each_part_has_a_card(doll: PhotoResult) -> None:
    parts = find_parts(doll.result)
    made = cards(doll.small, parts)
    assert re.findall(r'data-key="([^"]+)"', made) == [part.key for part in parts]
    assert all(f"<b>{tr(part.name)}</b>" in made for part in parts) and made.count("data:image/webp") == len(parts)
    picks = dict(re.findall(r'data-pick="([^"]*)">([^<]+)<', made))
    garments = " ".join(part.key for part in parts if part.name in GROUPS["All garments"])
    assert picks[garments] == "All garments" and picks[""] == "None"
    assert cards(doll.small, ()) == ""


def test_cards_are_grouped_by_person(doll: PhotoResult) -> None:
    label_map = doll.result.label_map
    right = np.arange(label_map.shape[1]) > label_map.shape[1] // 2
    both = replace(doll.result, person_map=(label_map > 0) * (1 + right).astype(np.uint8))
    made = cards(both, find_parts(both))
    assert 'src=""' not in made
    places = [made.index(text) for text in (">Person 1<", '/1" data-class', ">Person 2<", '/2" data-class')]
    assert places == sorted(places)
