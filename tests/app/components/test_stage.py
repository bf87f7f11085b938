import json
from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import Segmentation
from clothseg.app.components.parts import find_parts, part_map, unpack
from clothseg.app.components.stage import (
    SIDE,
    cutout_value,
    preview_size,
    save_photo,
    stage,
    stage_value,
)
from clothseg.app.i18n import use_language
from clothseg.labels import NAMES, hex_color


@pytest.fixture(scope="module")
def result() -> Segmentation:
    drawn = draw(1, 450, 300)
    return Segmentation(drawn.image, drawn.mask, name="doll.jpg")


def test_stage_value_has_everything_that_the_browser_draws(result: Segmentation) -> None:
    value = stage_value(result, "photo.jpg", 7, picked=["Dress"], cutout=cutout_value("cutout.png", ["Dress"]))
    parts = find_parts(result)
    assert json.loads(json.dumps(value)) == value
    assert (value["number"], value["base"], value["width"], value["height"]) == (7, 7, 300, 450)
    assert [part["key"] for part in value["parts"]] == [part.key for part in parts]
    for part in value["parts"]:
        assert part["color"] == hex_color(part["name"]) and NAMES[part["number"]] == part["name"]
    assert [entry["name"] for entry in value["classes"]] == list(NAMES)
    shape = value["map"]["height"], value["map"]["width"]
    assert np.array_equal(unpack(value["map"]["data"], shape), part_map(result, parts, shape[::-1]))
    assert value["cutout"]["picture"]["path"] == "cutout.png" and value["cutout"]["picked"] == ["Dress"]
    assert stage_value(result, "photo.jpg", 8, base=7)["base"] == 7


def test_part_labels_include_the_person_if_there_are_several(result: Segmentation) -> None:
    one = Segmentation(result.photo, result.label_map, person_map=(result.label_map > 0).astype(np.uint8))
    assert {part["label"] for part in stage_value(one, "p.jpg", 1)["parts"]} >= {"Dress", "Hair"}
    people = (result.label_map > 0).astype(np.uint8)
    people[225:] *= 2
    two = Segmentation(result.photo, result.label_map, person_map=people)
    with use_language("de"):
        labels = {part["key"]: part["label"] for part in stage_value(two, "p.jpg", 1)["parts"]}
    assert labels["Dress/1"] == "Kleid, Person 1" and labels["Dress/2"] == "Kleid, Person 2"


def test_stage_photo_is_reduced_and_keeps_alpha(result: Segmentation) -> None:
    with Image.open(save_photo(result)) as photo:
        assert (photo.format, photo.mode, photo.size) == ("JPEG", "RGB", (300, 450))
    assert Path(save_photo(result)).name == "doll-photo.jpg"
    alpha = np.zeros((900, 3000), np.uint8)
    alpha[300:] = 128
    wide = Segmentation(np.full((900, 3000, 3), 90, np.uint8), np.zeros((900, 3000), np.uint8), alpha=alpha)
    assert preview_size(wide) == (SIDE, 480)
    with Image.open(save_photo(wide)) as photo:
        assert (photo.format, photo.mode, photo.size) == ("PNG", "RGBA", (SIDE, 480))
        assert photo.getpixel((10, 10))[3] == 0 and photo.getpixel((10, 470))[3] == 128


def test_templates_have_no_placeholder_syntax() -> None:
    """Gradio evaluates HTML and CSS as Handlebars and then as JavaScript templates."""
    made = stage()
    for template in (made.html_template, made.css_template):
        assert not any(mark in template for mark in ("${", "{{", "`", "\\"))
    assert "http" not in made.html_template + made.css_template + made.js_on_load
