"""Pictures of a result: cut-outs, overlays and label maps, with the photo's transparency and resolution."""

import dataclasses
import pickle
import zipfile
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from gown import BELT, LABEL_MAP, PHOTO
from PIL import Image

from clothseg import ConfigError, Segmentation
from clothseg.batch.photo_files import OutputSpec, encoded
from clothseg.labels import PALETTE


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
