"""`Segmentation` on a label map small enough to count by hand."""

import dataclasses
import json
import stat
from pathlib import Path

import numpy as np
import pytest
from gown import BELT, DRESS, LABEL_MAP, PHOTO
from PIL import Image

from clothseg import ConfigError, Segmentation, UnknownClassError
from clothseg.labels import PALETTE
from clothseg.outputs.notes import NOBODY


def test_areas_and_confidence_list_present_classes_by_id(result: Segmentation) -> None:
    assert list(result.areas.items()) == [("Background", 13 / 20), ("Dress", 4 / 20), ("Belt", 3 / 20)]
    assert list(result.confidence.items()) == [("Background", 1.0), ("Dress", 0.9), ("Belt", 0.55555)]
    assert sum(result.areas.values()) == pytest.approx(1)


def test_mask_is_the_union_of_classes(result: Segmentation) -> None:
    np.testing.assert_array_equal(result.mask("Dress"), LABEL_MAP == DRESS)
    np.testing.assert_array_equal(result.mask("Dress", "Belt"), LABEL_MAP > 0)
    assert result.mask("Dress").dtype == np.bool_
    assert not result.mask("Scarf").any()


@pytest.mark.parametrize(
    ("names", "said"), [((), "at least one class"), (("Dress", "Sock"), "'Sock'.*Background, Hat")]
)
def test_unknown_class_error_lists_valid_names(result: Segmentation, names: tuple[str, ...], said: str) -> None:
    for method in (result.mask, result.cutout):
        with pytest.raises(UnknownClassError, match=said):
            method(*names)


def test_saved_label_map_reads_back_exactly(result: Segmentation, tmp_path: Path) -> None:
    path = tmp_path / "map.PNG"
    path.write_bytes(b"older file")
    result.save_label_map(path)
    image = Image.open(path)
    assert (image.format, image.mode) == ("PNG", "P")
    np.testing.assert_array_equal(np.asarray(image), LABEL_MAP)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), PALETTE[LABEL_MAP])
    assert [entry.name for entry in tmp_path.iterdir()] == ["map.PNG"]
    reference = tmp_path / "reference"
    reference.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(reference.stat().st_mode)


def test_failed_save_keeps_the_previous_file(
    result: Segmentation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "map.png"
    path.write_bytes(b"older file")
    full = OSError("disk full")
    monkeypatch.setattr("clothseg.segmentation.result.os.replace", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(OSError, match="disk full"):
        result.save_label_map(path)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("map.png", b"older file")]


@pytest.mark.parametrize(("name", "said"), [("map.jpg", "map.png instead of map.jpg"), ("no/map.png", "no folder")])
def test_save_label_map_requires_png_and_an_existing_folder(
    result: Segmentation, tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        result.save_label_map(tmp_path / name)


def test_fully_transparent_pixels_are_background_everywhere(clear: Segmentation) -> None:
    np.testing.assert_array_equal(clear.label_map, [[0] * 5, [0] * 5, LABEL_MAP[2], LABEL_MAP[3]])
    assert clear.person_map is not None and not clear.person_map[:2].any() and clear.person_map[2:].all()
    assert clear.areas["Dress"] == 2 / 20
    assert [item.area for item in clear.items("Dress", min_share=0)] == [2]
    again = dataclasses.replace(clear, label_map=LABEL_MAP)
    np.testing.assert_array_equal(again.label_map, clear.label_map)
    assert np.shares_memory(dataclasses.replace(clear, name="other").label_map, clear.label_map)


def test_json_has_all_fields(result: Segmentation) -> None:
    assert json.loads(result.to_json(indent=2)) == result.to_dict()
    assert result.to_dict() == {
        "name": "gown.jpg",
        "model": "tiny",
        "width": 5,
        "height": 4,
        "rotation": 0,
        "notes": [NOBODY],
        "uncertainty": None,
        "corrections": [],
        "classes": [
            {"id": 0, "name": "Background", "share": 0.65, "confidence": 1.0, "box": [0, 0, 5, 4]},
            {"id": 7, "name": "Dress", "share": 0.2, "confidence": 0.9, "box": [1, 1, 2, 3]},
            {"id": 8, "name": "Belt", "share": 0.15, "confidence": 0.5555, "box": [1, 2, 3, 1]},
        ],
    }


def test_uncertainty_is_the_mean_shortfall_of_probability() -> None:
    sure, unsure = np.full(LABEL_MAP.shape, 255, np.uint8), np.full(LABEL_MAP.shape, 255, np.uint8)
    unsure[LABEL_MAP == BELT] = 0
    assert Segmentation(PHOTO, LABEL_MAP, probability=sure).uncertainty == 0  # type: ignore[arg-type]
    assert Segmentation(PHOTO, LABEL_MAP, probability=unsure).uncertainty == pytest.approx(3 / 7)  # type: ignore[arg-type]
    assert Segmentation(PHOTO, LABEL_MAP, probability=sure * 0).uncertainty == 1  # type: ignore[arg-type]
    corrected = Segmentation(PHOTO, LABEL_MAP, probability=unsure).relabel("Belt", "Dress")  # type: ignore[arg-type]
    assert corrected.uncertainty == 0


def test_changed_copy_drops_removed_classes(result: Segmentation) -> None:
    changed = dataclasses.replace(result, label_map=np.where(LABEL_MAP == BELT, DRESS, LABEL_MAP).astype(np.uint8))
    assert list(changed.areas) == list(changed.confidence) == ["Background", "Dress"]
    assert list(result.areas) == ["Background", "Dress", "Belt"]
    assert dataclasses.replace(changed, confidence={}).to_dict()["classes"][0]["confidence"] is None
