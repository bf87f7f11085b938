"""Clicks: validation, and how `Segmenter.refine` applies them."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from clothseg import Click, ConfigError, Segmentation, Segmenter, UnknownClassError
from clothseg.labels import BACKGROUND, LABEL2ID
from clothseg.postprocess.evidence import as_evidence
from clothseg.postprocess.geometry import Box


SHIRT, SKIRT, PANTS = LABEL2ID["Upper-clothes"], LABEL2ID["Skirt"], LABEL2ID["Pants"]


@pytest.fixture(scope="module")
def segmenter(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(tiny_model)  # type: ignore[arg-type]


def figure() -> Segmentation:
    """A red shirt above a blue skirt on a noisy wall; the skirt is labelled half as shirt and half as trousers."""
    photo = np.full((120, 90, 3), 200, np.uint8)
    photo[10:60, 25:65], photo[60:110, 25:65] = (180, 30, 30), (30, 40, 160)
    noise = np.random.default_rng(0).normal(0, 6, photo.shape)
    photo = (photo + noise).clip(0, 255).astype(np.uint8)
    label_map = np.zeros((120, 90), np.uint8)
    label_map[10:85, 25:65], label_map[85:110, 25:65] = SHIRT, PANTS
    logits = 4.0 * (np.arange(18)[:, None, None] == label_map[::4, ::3])
    return Segmentation(photo, label_map, _evidence=as_evidence(logits, Box(0, 0, 90, 120)))  # type: ignore[arg-type]


def test_clicks_split_a_wrong_region_at_the_photos_edge(segmenter: Segmenter) -> None:
    before = figure()
    after = segmenter.refine(before, [Click(45, 72, "Skirt"), Click(34, 104, "Skirt")])
    skirt = np.zeros((120, 90), np.bool_)
    skirt[60:110, 25:65] = True
    found = after.mask("Skirt")
    assert (found & skirt).sum() / (found | skirt).sum() > 0.95
    np.testing.assert_array_equal(after.label_map[:50], before.label_map[:50])
    np.testing.assert_array_equal(after.label_map[:, :15], before.label_map[:, :15])
    assert [(each.kind, each.label, each.x, each.y) for each in after.corrections] == [
        ("click", "Skirt", 45, 72),
        ("click", "Skirt", 34, 104),
    ]
    assert after.corrections[0].pixels > 1000 and before.corrections == ()


def test_repeated_refine_equals_one_call_and_last_click_wins(segmenter: Segmenter) -> None:
    first, second = Click(45, 72, "Skirt"), Click(45, 72, "Bag")
    at_once = segmenter.refine(figure(), [first, second])
    one_by_one = segmenter.refine(segmenter.refine(figure(), [first]), [second])
    np.testing.assert_array_equal(at_once.label_map, one_by_one.label_map)
    assert at_once.label_map[72, 45] == LABEL2ID["Bag"] and at_once.corrections == one_by_one.corrections


def test_clicked_pixel_always_gets_its_class(segmenter: Segmenter) -> None:
    for x, y, label in ((0, 0, "Hat"), (89, 119, "Scarf"), (45, 20, "Background"), (45, 20, "Upper-clothes")):
        after = segmenter.refine(figure(), [Click(x, y, label)])
        assert after.label_map[y, x] == LABEL2ID[label]
    removed = segmenter.refine(figure(), [Click(45, 35, "Background")])
    assert (removed.label_map[15:55, 30:60] == BACKGROUND).mean() > 0.8


def test_click_on_the_right_class_changes_nothing(segmenter: Segmenter) -> None:
    after = segmenter.refine(figure(), [Click(45, 20, "Upper-clothes")])
    np.testing.assert_array_equal(after.label_map, figure().label_map)


def test_refine_runs_inference_for_results_without_evidence(segmenter: Segmenter) -> None:
    fresh = segmenter(figure().photo, zoom="off", orientation="upright", edges="plain")
    stored = pickle.loads(pickle.dumps(fresh))
    assert fresh._evidence and not stored._evidence
    click = Click(45, 72, "Skirt")
    expected = segmenter.refine(fresh, [click])
    np.testing.assert_array_equal(segmenter.refine(stored, [click]).label_map, expected.label_map)
    made = Segmentation.from_label_map(fresh.photo, fresh.label_map)
    np.testing.assert_array_equal(segmenter.refine(made, [click]).label_map, expected.label_map)


def test_clicks_outside_the_photo_are_rejected(segmenter: Segmenter) -> None:
    for x, y in ((-1, 5), (90, 5), (5, 120), (5, -0.5)):
        with pytest.raises(ConfigError, match="outside the photo of 90 x 120 pixels"):
            segmenter.refine(figure(), [Click(x, y, "Hat")])  # type: ignore[arg-type]
    assert segmenter.refine(before := figure(), []) is before


@pytest.mark.parametrize("label", ["Sock", "Shoes and accessories"])
def test_clicks_with_unknown_classes_are_rejected(segmenter: Segmenter, label: str) -> None:
    with pytest.raises(UnknownClassError, match=f"'{label}'"):
        segmenter.refine(figure(), [Click(1, 2, label)])


@pytest.mark.parametrize(
    ("x", "y", "label", "error", "said"),
    [
        (1, 2, None, UnknownClassError, "None"),
        ("1", 2, "Hat", ConfigError, "x of a click"),
        (1, float("nan"), "Hat", ConfigError, "y of a click"),
    ],
)
def test_invalid_clicks_are_rejected(x: object, y: object, label: object, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Click(x, y, label)  # type: ignore[arg-type]


def test_click_coordinates_are_truncated_to_pixels() -> None:
    assert Click(3.9, np.float32(2), "Background") == Click(3, 2, "Background")  # type: ignore[arg-type]
    assert LABEL2ID[Click(0, 0, "Background").label] == BACKGROUND
