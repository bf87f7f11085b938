"""`Segmentation` on a label map small enough to count by hand."""

import dataclasses
import json
import pickle
import stat
import zipfile
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from clothseg import ConfigError, Segmentation, UnknownClassError
from clothseg.batch.photo_files import OutputSpec, encoded
from clothseg.labels import LABEL2ID, PALETTE
from clothseg.outputs.notes import NOBODY


DRESS, BELT = LABEL2ID["Dress"], LABEL2ID["Belt"]
LABEL_MAP = np.array(
    [
        [0, 0, 0, 0, 0],
        [0, DRESS, DRESS, 0, 0],
        [0, BELT, BELT, BELT, 0],
        [0, DRESS, DRESS, 0, 0],
    ],
    dtype=np.uint8,
)
PHOTO = np.random.default_rng(0).integers(1, 256, (4, 5, 3), np.uint8)


@pytest.fixture
def result() -> Segmentation:
    confidence = {"Belt": 0.55555, "Dress": 0.9, "Hat": 0.1, "Background": 1.0}
    return Segmentation(Image.fromarray(PHOTO), LABEL_MAP, confidence, name="gown.jpg", model="tiny")


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


def test_cutout_keeps_only_the_class(result: Segmentation) -> None:
    image = result.cutout("Belt")
    assert (image.mode, image.size) == ("RGBA", (5, 4))
    pixels, belt = np.asarray(image), LABEL_MAP == BELT
    np.testing.assert_array_equal(pixels[belt, :3], PHOTO[belt])
    np.testing.assert_array_equal(pixels[..., 3], np.where(belt, 255, 0))
    assert not pixels[~belt].any()


def test_overlay_keeps_the_background(result: Segmentation) -> None:
    solid, faint = np.asarray(result.overlay(1)), np.asarray(result.overlay())
    np.testing.assert_array_equal(solid[LABEL_MAP == BELT], np.tile(PALETTE[BELT], (3, 1)))
    for pixels in (solid, faint):
        np.testing.assert_array_equal(pixels[LABEL_MAP == 0], PHOTO[LABEL_MAP == 0])
    with pytest.raises(ConfigError):
        result.overlay(2)


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


@pytest.fixture
def clear() -> Segmentation:
    """A result of a partly transparent photo: fully in the first two rows, half in the third."""
    alpha = np.full((4, 5), 255, np.uint8)
    alpha[:2], alpha[2] = 0, 100
    person_map = np.ones((4, 5), np.uint8)
    return Segmentation(np.dstack([PHOTO, alpha]), LABEL_MAP, {"Dress": 0.9}, person_map=person_map)  # type: ignore[arg-type]


def test_fully_transparent_pixels_are_background_everywhere(clear: Segmentation) -> None:
    np.testing.assert_array_equal(clear.label_map, [[0] * 5, [0] * 5, LABEL_MAP[2], LABEL_MAP[3]])
    assert clear.person_map is not None and not clear.person_map[:2].any() and clear.person_map[2:].all()
    assert clear.areas["Dress"] == 2 / 20
    assert [item.area for item in clear.items("Dress", min_share=0)] == [2]
    again = dataclasses.replace(clear, label_map=LABEL_MAP)
    np.testing.assert_array_equal(again.label_map, clear.label_map)
    assert np.shares_memory(dataclasses.replace(clear, name="other").label_map, clear.label_map)


def test_cutouts_keep_the_photos_alpha_and_colours(clear: Segmentation, tmp_path: Path) -> None:
    assert clear.photo.mode == "RGB" and clear.alpha is not None
    for copied in (clear, pickle.loads(pickle.dumps(clear)), dataclasses.replace(clear, model="another")):
        np.testing.assert_array_equal(copied.alpha, clear.alpha)
        with pytest.raises(ValueError, match="read-only"):
            copied.alpha[0, 0] = 9  # type: ignore[index]
        made = np.asarray(copied.cutout("Belt", "Dress"))
        shown = copied.label_map > 0
        np.testing.assert_array_equal(made[..., 3], np.where(shown, clear.alpha, 0))
        np.testing.assert_array_equal(made[shown, :3], PHOTO[shown])
    clear.save_items(tmp_path / "items.zip", "Belt")
    with zipfile.ZipFile(tmp_path / "items.zip") as archive:
        made = np.asarray(Image.open(BytesIO(archive.read("01-Belt.png"))))
    np.testing.assert_array_equal(made, np.asarray(clear.cutout("Belt")))


def test_overlays_of_transparent_photos_are_on_white(clear: Segmentation) -> None:
    expected = np.rint(PHOTO * (100 / 255) + 155)
    assert np.abs(np.asarray(clear.on_white)[2] - expected[2]).max() <= 1
    assert (np.asarray(clear.on_white)[:2] == 255).all()
    np.testing.assert_array_equal(
        np.asarray(clear.overlay())[clear.label_map == 0], np.asarray(clear.on_white)[clear.label_map == 0]
    )


def test_opaque_photo_is_unchanged_on_white(result: Segmentation) -> None:
    assert result.alpha is None and result.on_white is result.photo
    with pytest.raises(ValueError, match=r"alpha must be \(4, 5\) uint8"):
        dataclasses.replace(result, alpha=np.zeros((5, 4), np.uint8))


def test_outputs_keep_the_photos_dpi(result: Segmentation, tmp_path: Path) -> None:
    assert result.dpi is None and "dpi" not in result.cutout("Dress").info
    photo = Image.fromarray(PHOTO)
    photo.info["dpi"] = (300.0, 200.0)
    fine = dataclasses.replace(result, photo=photo)
    assert fine.dpi == fine.cutout("Dress").info["dpi"] == fine.overlay().info["dpi"] == (300.0, 200.0)
    fine.save_label_map(tmp_path / "map.png")
    fine.save_items(tmp_path / "items.zip", "Belt")
    with zipfile.ZipFile(tmp_path / "items.zip") as archive:
        files = [tmp_path / "map.png", BytesIO(archive.read("01-Belt.png"))]
    wanted = OutputSpec(("labels", "cutouts", "overlays"), ("Dress",))
    files += [BytesIO(encoded(fine, kind, wanted)) for kind in wanted.kinds]
    for file in files:
        assert Image.open(file).info["dpi"] == pytest.approx((300, 200), abs=0.01)


def test_grey_label_map_reads_the_same_in_pillow_and_opencv(result: Segmentation, tmp_path: Path) -> None:
    result.save_label_map(tmp_path / "grey.png", grey=True)
    image = Image.open(tmp_path / "grey.png")
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), LABEL_MAP)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "grey.png"), cv2.IMREAD_UNCHANGED), LABEL_MAP)


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
