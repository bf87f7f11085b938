"""clothseg.outputs.notes: notes on photos without a person and on rotated photos."""

import json

import numpy as np
import pytest
from PIL import Image

from clothseg import Segmentation
from clothseg.labels import GROUPS, LABEL2ID
from clothseg.outputs.notes import BODY_LEAST, FIGURE_LEAST, HARDLY_ANYTHING, NOBODY, NOTES, SURE, TURNED, find_notes


def figure(body: int, clothes: int, name: str = "Face") -> np.ndarray:
    """(100, 100) uint8 label map with the given numbers of body and clothes pixels."""
    labels = np.zeros(10_000, np.uint8)
    labels[:clothes] = LABEL2ID["Upper-clothes"]
    labels[clothes : clothes + body] = LABEL2ID[name]
    return labels.reshape(100, 100)


@pytest.mark.parametrize("name", GROUPS["Body"])
def test_photo_of_a_person_has_no_note(name: str) -> None:
    label_map = figure(100, 900, name)
    assert find_notes(label_map, None) == ()
    assert find_notes(label_map, np.full((100, 50), 255, np.uint8)) == ()


def test_clothes_without_a_person_are_noted() -> None:
    assert find_notes(figure(0, 2000), None) == (NOBODY,)
    total = 1000
    for body in range(0, 60, 5):
        noted = find_notes(figure(body, total - body), None) == (NOBODY,)
        assert noted == (body < BODY_LEAST * total)


def test_low_confidence_body_does_not_count() -> None:
    label_map = figure(500, 500)
    for percent in (50, 79, 81, 100):
        probability = np.full((100, 100), round(2.55 * percent), np.uint8)
        assert (find_notes(label_map, probability) == (NOBODY,)) == (percent / 100 < SURE)


def test_nearly_empty_label_map_is_noted() -> None:
    assert find_notes(np.zeros((40, 30), np.uint8), None) == (HARDLY_ANYTHING,)
    for pixels in range(10):
        noted = find_notes(figure(pixels, 0), None) == (HARDLY_ANYTHING,)
        assert noted == (pixels < FIGURE_LEAST * 10_000)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_noted_besides_other_notes(rotation: int) -> None:
    assert find_notes(figure(500, 500), None, rotation) == (TURNED[rotation],)
    assert find_notes(figure(0, 500), None, rotation) == (NOBODY, TURNED[rotation])
    assert set(NOTES) >= set(TURNED.values())


def test_results_and_json_contain_the_notes() -> None:
    photo = Image.new("RGB", (100, 100))
    result = Segmentation(photo, figure(0, 500), rotation=90)
    assert result.notes == (NOBODY, TURNED[90])
    told = json.loads(result.to_json())
    assert told["rotation"] == 90 and told["notes"] == list(result.notes)
    assert Segmentation(photo, figure(500, 500)).to_dict()["notes"] == []
