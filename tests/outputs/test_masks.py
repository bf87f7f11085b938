"""Black-and-white masks: one for each class and one of all kept classes, equal to the cut-outs' alpha."""

import doctest
import zipfile
from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, CutoutOptions, Segmentation, UnknownClassError
from clothseg.labels import GROUPS
from clothseg.outputs import masks


@pytest.fixture(scope="module")
def result() -> Segmentation:
    doll = draw(5)
    return Segmentation(doll.image, doll.mask, name="doll.jpg")


def test_docstring_examples_run() -> None:
    assert doctest.testmod(masks) == (0, 2)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"grow": 4},
        {"grow": -2, "invert": True},
        {"feather": 3.0},
        {"soft_edges": True, "fill_holes": True, "drop_specks": True},
    ],
)
def test_mask_picture_equals_the_cutouts_alpha(result: Segmentation, options: dict[str, object]) -> None:
    chosen = CutoutOptions.of(options)
    mask = result.mask_picture("Pants", "Dress", "Skirt", options=chosen)
    cutout = result.cutout("Pants", "Dress", "Skirt", options=chosen)
    assert mask.mode == "L" and mask.size == result.photo.size
    np.testing.assert_array_equal(np.asarray(mask), np.asarray(cutout)[..., 3])
    assert len(np.unique(np.asarray(mask))) == 2 or {"feather", "soft_edges"} & set(options)


def test_crop_margin_and_background_do_not_change_masks(result: Segmentation) -> None:
    plain = result.mask_picture("Hair")
    other = result.mask_picture("Hair", options=CutoutOptions("#ff8800", crop=True, margin=9))
    np.testing.assert_array_equal(np.asarray(plain), np.asarray(other))


def test_inverted_hard_masks_add_up_to_white(result: Segmentation) -> None:
    one, other = (result.mask_picture("Upper", options=CutoutOptions(grow=3, invert=on)) for on in (False, True))
    assert (np.asarray(one) ^ np.asarray(other) == 255).all() and np.asarray(one).any()


def test_masks_are_no_more_opaque_than_the_photo(result: Segmentation) -> None:
    alpha = np.full(result.label_map.shape, 255, np.uint8)
    alpha[:, :100] = 0
    photo = np.dstack([np.asarray(result.photo), alpha])
    half = Segmentation(photo, result.label_map)
    for invert in (False, True):
        levels = np.asarray(half.mask_picture("All garments", options=CutoutOptions(grow=9, invert=invert)))
        assert not levels[:, :100].any() and levels[:, 100:].any()


def test_mask_pictures_has_each_present_class_and_their_union(result: Segmentation, tmp_path: Path) -> None:
    found = [name for name in GROUPS["All garments"] if name in result.areas]
    pictures = result.mask_pictures()
    assert list(pictures) == ["kept", *found] and len(found) > 3
    together = np.maximum.reduce([np.asarray(pictures[name]) for name in found])
    np.testing.assert_array_equal(np.asarray(pictures["kept"]), together)
    assert set(result.mask_pictures("Hair", "Lower")) <= {"kept", "Hair", *GROUPS["Lower"]}
    absent = next(name for name in GROUPS["All garments"] if name not in result.areas)
    assert not np.asarray(result.mask_pictures(absent)["kept"]).any()
    with pytest.raises(UnknownClassError, match="Cape"):
        result.mask_pictures("Cape")
    result.save_masks(tmp_path / "masks.zip", "Hair", "Dress", "Pants", options=CutoutOptions(invert=True))
    with zipfile.ZipFile(tmp_path / "masks.zip") as archive:
        assert archive.namelist() == [f"{name}.png" for name in result.mask_pictures("Hair", "Dress", "Pants")]
        assert {"kept.png", "Hair.png"} < set(archive.namelist())
        with Image.open(archive.open("Hair.png")) as picture:
            assert picture.mode == "L"
            np.testing.assert_array_equal(np.asarray(picture) > 0, ~result.mask("Hair"))
    with pytest.raises(ConfigError, match="There is no folder"):
        result.save_masks(tmp_path / "no" / "masks.zip")


def test_class_names_become_valid_file_names() -> None:
    assert masks.file_name("Upper-clothes") == "Upper-clothes"
    assert masks.file_name('T-shirt / top: "a"?') == "T-shirt - top- -a--" and masks.file_name("..") == "-"
