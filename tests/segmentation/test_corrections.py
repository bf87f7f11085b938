"""Manual corrections return new results with updated items, people, probabilities and JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clothseg import ConfigError, ImageError, Segmentation, UnknownClassError
from clothseg.labels import LABEL2ID
from clothseg.postprocess.corrections import assign_people


DRESS, SKIRT, BAG = LABEL2ID["Dress"], LABEL2ID["Skirt"], LABEL2ID["Bag"]


@pytest.fixture
def result() -> Segmentation:
    """Two people side by side, each with a dress, at a probability of one half."""
    label_map = np.zeros((40, 60), np.uint8)
    label_map[10:30, 5:20] = label_map[10:30, 40:55] = DRESS
    person_map = np.zeros((40, 60), np.uint8)
    person_map[10:30, 5:20], person_map[10:30, 40:55] = 1, 2
    return Segmentation(
        np.full((40, 60, 3), 90, np.uint8),  # type: ignore[arg-type]
        label_map,
        {"Background": 0.5, "Dress": 0.5},
        probability=np.full((20, 30), 128, np.uint8),
        person_map=person_map,
        name="two.png",
    )


def box(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros((40, 60), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def test_relabelled_item_updates_the_whole_result(result: Segmentation) -> None:
    left, right = result.items("Dress")
    changed = result.relabel(left, "Skirt")
    assert (changed.label_map[10:30, 5:20] == SKIRT).all() and (changed.label_map[10:30, 40:55] == DRESS).all()
    assert [(item.name, item.wearer) for item in changed.items()] == [("Skirt", 1), ("Dress", 2)]
    assert changed.confidence == {"Background": 0.5, "Skirt": 1.0, "Dress": pytest.approx(128 / 255)}
    assert changed.to_dict()["corrections"] == [
        {"kind": "relabel", "label": "Skirt", "pixels": 300, "x": None, "y": None}
    ]
    assert json.loads(changed.to_json()) == changed.to_dict()
    # the original is unchanged
    assert (result.label_map[10:30, 5:20] == DRESS).all() and result.corrections == ()
    assert right.mask.all()


def test_relabel_accepts_classes_and_masks(result: Segmentation) -> None:
    assert set(result.relabel("Dress", "Skirt").areas) == {"Background", "Skirt"}
    np.testing.assert_array_equal(
        result.relabel(box(0, 0, 20, 40), "Bag").label_map, result.paint(box(0, 0, 20, 40), "Bag").label_map
    )


def test_painted_pixels_belong_to_the_nearest_person(result: Segmentation) -> None:
    person_map = result.paint(box(20, 10, 40, 30), "Bag").person_map
    assert person_map is not None
    assert (person_map[15, 5:29] == 1).all() and (person_map[15, 31:55] == 2).all()
    removed = result.relabel(result.items("Dress")[0], "Background")
    assert removed.person_map is not None and not removed.person_map[:, :30].any()
    assert [person.number for person in removed.people] == [2] and [item.wearer for item in removed.items()] == [2]
    again = removed.relabel("Dress", "Background").paint(box(0, 0, 5, 5), "Hat")
    assert [person.number for person in again.people] == [1]


def test_painted_pixels_have_full_confidence(result: Segmentation) -> None:
    changed = result.paint(box(0, 0, 10, 10), "Hat")
    assert changed.probability is not None and (changed.probability[:5, :5] == 255).all()
    assert (changed.probability[6:, 6:] == 128).all()
    assert changed.confidence["Hat"] == 1.0 and changed.confidence["Dress"] == result.confidence["Dress"]


def test_corrections_are_listed_in_order(result: Segmentation) -> None:
    changed = result.paint(box(0, 0, 2, 2), "Hat").relabel("Dress", "Skirt").with_label_map(result.label_map)
    assert [(each.kind, each.label, each.pixels) for each in changed.corrections] == [
        ("paint", "Hat", 4),
        ("relabel", "Skirt", 600),
        ("label_map", None, 604),
    ]
    np.testing.assert_array_equal(changed.label_map, result.label_map)


def test_painting_keeps_transparent_pixels_background() -> None:
    photo = np.full((40, 60, 4), 255, np.uint8)
    photo[:20, :, 3] = 0
    changed = Segmentation(photo, np.zeros((40, 60), np.uint8)).paint(box(0, 0, 60, 40), "Dress")  # type: ignore[arg-type]
    assert not changed.label_map[:20].any() and (changed.label_map[20:] == DRESS).all()
    assert changed.corrections[0].pixels == 1200


def test_unsuitable_label_maps_are_rejected(result: Segmentation, tmp_path: Path) -> None:
    Image.fromarray(result.label_map).save(tmp_path / "map.jpg")
    wrong = [
        (result.label_map[:30], ConfigError, "60 x 40 pixels, not 60 x 30"),
        (np.full((40, 60), 18, np.uint8), ConfigError, "the id 18"),
        (np.full((40, 60), 1.5), ImageError, "whole numbers"),
        (np.full((40, 60), 300), ImageError, "0 to 255"),
        (np.zeros((40, 60, 2), np.uint8), ImageError, "one class id per pixel"),
        (np.asarray(result.overlay()), ImageError, "one class id per pixel"),
        (tmp_path / "map.jpg", ImageError, "save the label map as PNG"),
        (tmp_path / "none.png", ImageError, "No such file"),
        (b"nothing", ImageError, "not a readable image"),
    ]
    for label_map, error, said in wrong:
        for take in (result.with_label_map, lambda each: Segmentation.from_label_map(result.photo, each)):
            with pytest.raises(error, match=said):
                take(label_map)


def test_invalid_corrections_are_rejected(result: Segmentation) -> None:
    item = result.items("Dress")[0]
    other = Segmentation(np.zeros((5, 5, 3), np.uint8), np.full((5, 5), BAG, np.uint8)).items()[0]  # type: ignore[arg-type]
    with pytest.raises(UnknownClassError, match=r"'Sock'.*Background, Hat"):
        result.relabel(item, "Sock")
    with pytest.raises(UnknownClassError, match="'Upper'"):
        result.relabel(item, "Upper")
    with pytest.raises(UnknownClassError, match="'Sock'"):
        result.relabel("Sock", "Hat")
    with pytest.raises(ConfigError, match=r"\(40, 60\), not \(5, 5\)"):
        result.relabel(other, "Hat")
    with pytest.raises(ConfigError, match="bool"):
        result.paint(np.full((40, 60), 0.5), "Hat")  # type: ignore[arg-type]


def test_clothes_without_people_become_the_first_person() -> None:
    nobody = np.zeros((4, 4), np.uint8)
    label_map = np.full((4, 4), BAG, np.uint8)
    np.testing.assert_array_equal(assign_people(nobody, label_map, label_map > 0), label_map > 0)
