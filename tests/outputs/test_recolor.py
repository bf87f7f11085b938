"""Recolouring gives a garment the new colour, keeps its shading, and changes nothing else."""

import doctest

import cv2
import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, Segmentation, UnknownClassError
from clothseg.outputs import recolor as module
from clothseg.outputs.recolor import recolor


@pytest.fixture(scope="module")
def cloth() -> tuple[np.ndarray, np.ndarray]:
    """A green disc with folds before a grey wall, and its mask."""
    away = np.hypot(*np.mgrid[-100:100, -120:120])
    folds = 1 + 0.25 * np.sin(np.arange(240) / 8)
    photo = np.full((200, 240, 3), 128.0)
    photo[away < 70] = (np.array([60, 120, 70]) * folds[:, None])[np.nonzero(away < 70)[1]]
    return photo.clip(0, 255).astype(np.uint8), away < 70


def lab(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.cvtColor(pixels.astype(np.float32)[None] / 255, cv2.COLOR_RGB2LAB)[0])


def test_docstring_examples_run() -> None:
    assert doctest.testmod(module) == (0, 1)


@pytest.mark.parametrize("color", ["#a03050", "#f2e6c8", "#101014", "#2f6fd0"])
def test_median_takes_the_colour_and_folds_are_kept(cloth: tuple[np.ndarray, np.ndarray], color: str) -> None:
    photo, mask = cloth
    made = recolor(photo, mask, color)
    inner = cv2.erode(mask.view(np.uint8), np.ones((21, 21), np.uint8)) > 0
    wanted = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    assert np.abs(np.median(lab(made[inner]), 0) - lab(wanted[None])[0]).max() < 4
    before, after = lab(photo[inner])[:, 0], lab(made[inner])[:, 0]
    ranks = [lightness.argsort().argsort() for lightness in (before, after)]
    assert np.corrcoef(*ranks)[0, 1] > 0.98 and after.std() > 0.2 * before.std()
    outside = cv2.dilate(mask.view(np.uint8), np.ones((21, 21), np.uint8)) == 0
    np.testing.assert_array_equal(made[outside], photo[outside])


def test_black_and_white_details_stay_neutral(cloth: tuple[np.ndarray, np.ndarray]) -> None:
    photo, mask = cloth[0].copy(), cloth[1]
    photo[98:102, 80:160], photo[60:66, 118:124] = 0, 255
    made = recolor(photo, mask, "#a03050")
    assert made[98:102, 90:150].max() < 25 and np.ptp(made[61:65, 119:123].astype(int), -1).max() < 12


def test_recolouring_with_the_same_colour_changes_little(cloth: tuple[np.ndarray, np.ndarray]) -> None:
    photo, mask = cloth
    red, green, blue = np.median(photo[mask], 0).astype(int)
    made = recolor(photo, mask, f"#{red:02x}{green:02x}{blue:02x}")
    assert np.abs(made.astype(int) - photo).mean() < 1.5


def test_recolor_accepts_names_and_masks() -> None:
    doll = draw(5)
    result = Segmentation(doll.image, doll.mask)
    by_name = result.recolor(["Pants", "Skirt", "Dress"], "#A03050")
    by_mask = result.recolor([result.mask(name) for name in ("Skirt", "Pants", "Dress")], "#a03050")
    np.testing.assert_array_equal(
        np.asarray(result.recolor("Pants", "#a03050")), np.asarray(result.recolor(result.mask("Pants"), "#a03050"))
    )
    assert by_name.mode == "RGB" and by_name.size == result.photo.size
    np.testing.assert_array_equal(np.asarray(by_name), np.asarray(by_mask))
    assert (np.asarray(by_name) != doll.image).any()
    absent = np.zeros(doll.mask.shape, np.bool_)
    np.testing.assert_array_equal(np.asarray(result.recolor(absent, "#000000")), doll.image)
    alpha = np.where(np.arange(doll.mask.shape[1]) < 90, 0, 255).astype(np.uint8) * np.ones(
        (len(doll.mask), 1), np.uint8
    )
    clear = Segmentation(np.dstack([doll.image, alpha]), doll.mask).recolor("All garments", "#a03050")
    assert clear.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(clear.getchannel("A")), alpha)
    with pytest.raises(ConfigError, match="colour such as"):
        result.recolor("Hair", "red")
    with pytest.raises(UnknownClassError, match="Cape"):
        result.recolor("Cape", "#a03050")
    assert isinstance(by_name, Image.Image)
