"""Masks and pictures for virtual try-on: replaced garments, protected classes, and hands."""

import doctest
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, Segmentation, TryonOptions
from clothseg.labels import ATR, LIP
from clothseg.outputs import tryon
from clothseg.outputs.tryon import agnostic, find_hands, tryon_levels, tryon_mask


PROTECTED = {
    "upper": ("hat", "hair", "face", "glasses", "shoe", "bag", "scarf", "pants", "skirt", "leg"),
    "lower": ("hat", "hair", "face", "glasses", "shoe", "bag", "scarf", "upper", "arm"),
    "overall": ("hat", "hair", "face", "glasses", "shoe", "bag", "scarf"),
}
REPLACED = {
    "upper": ("upper", "dress", "belt"),
    "lower": ("pants", "skirt", "dress", "belt"),
    "overall": ("upper", "dress", "belt", "pants", "skirt"),
}


def among(label_map: np.ndarray, roles: tuple[str, ...]) -> np.ndarray:
    return np.isin(label_map, ATR.with_roles(*roles))


def test_docstring_examples_run() -> None:
    assert doctest.testmod(tryon) == (0, 3)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("part", ["upper", "lower", "overall"])
@pytest.mark.parametrize("shape", ["hull", "outline"])
def test_tryon_mask_covers_the_garment_and_protects_the_rest(seed: int, part: str, shape: str) -> None:
    label_map = draw(seed).mask
    mask = tryon_mask(label_map, TryonOptions(part=part, shape=shape))  # type: ignore[arg-type]
    assert mask.shape == label_map.shape and mask.dtype == np.bool_
    assert mask[among(label_map, REPLACED[part])].all()
    assert not mask[among(label_map, PROTECTED[part])].any()
    assert not mask[find_hands(label_map)].any()
    wider = tryon_mask(label_map, TryonOptions(part=part, shape=shape, reach=40))  # type: ignore[arg-type]
    assert (wider | ~mask).all() and np.count_nonzero(wider) > np.count_nonzero(mask)


def test_hull_hides_the_outline() -> None:
    label_map = np.zeros((200, 200), np.uint8)
    label_map[50:150, 50:70] = label_map[50:70, 50:150] = ATR.label2id["Upper-clothes"]  # an L
    outline, hull = (tryon_mask(label_map, TryonOptions(shape=shape, reach=0)) for shape in ("outline", "hull"))  # type: ignore[arg-type]
    np.testing.assert_array_equal(outline, label_map > 0)
    assert hull[85, 85] and not hull[145, 145] and (hull | ~outline).all()


def arm(sleeve: int, raised: bool = False) -> np.ndarray:
    """A trunk with an arm of 12 x 100 pixels whose first `sleeve` pixels are covered."""
    label_map = np.zeros((220, 160), np.uint8)
    label_map[60:160, 30:80] = ATR.label2id["Upper-clothes"]
    rows = slice(60, 160) if not raised else slice(0, 100)
    label_map[rows, 95:107] = ATR.label2id["Left-arm"]
    covered = slice(60, 60 + sleeve) if not raised else slice(100 - sleeve, 100)
    label_map[covered, 95:107] = ATR.label2id["Upper-clothes"]
    shoulder = slice(60, 72) if not raised else slice(88, 100)
    label_map[shoulder, 80:95] = ATR.label2id["Upper-clothes"]
    return label_map


@pytest.mark.parametrize("raised", [False, True])
@pytest.mark.parametrize("sleeve", [20, 40])
def test_hand_is_the_arms_end_opposite_the_sleeve(sleeve: int, raised: bool) -> None:
    label_map = arm(sleeve, raised)
    hand = np.flatnonzero(find_hands(label_map).any(1))
    end = 159 if not raised else 0
    assert end in hand and abs(len(hand) - tryon.HAND * 12) <= 5
    assert (label_map[find_hands(label_map)] == ATR.label2id["Left-arm"]).all()


def test_arm_below_a_long_sleeve_is_all_hand() -> None:
    label_map = arm(76)
    np.testing.assert_array_equal(find_hands(label_map), label_map == ATR.label2id["Left-arm"])


def test_hands_are_scale_invariant() -> None:
    small = arm(30)
    large = cv2.resize(small, None, fx=5, fy=5, interpolation=cv2.INTER_NEAREST)
    up = cv2.resize(find_hands(small).view(np.uint8), None, fx=5, fy=5, interpolation=cv2.INTER_NEAREST) > 0
    both = find_hands(large)
    assert np.count_nonzero(both & up) / np.count_nonzero(both | up) > 0.8


def test_gloves_are_protected() -> None:
    """LIP has gloves but no hands: gloves are not replaced, and hands are estimated as for ATR."""
    label_map = np.where(arm(20) == ATR.label2id["Left-arm"], LIP.label2id["Left-arm"], LIP.label2id["Upper-clothes"])
    label_map = np.where(arm(20) == 0, 0, label_map).astype(np.uint8)
    label_map[150:160, 95:107] = LIP.label2id["Glove"]
    mask = tryon_mask(label_map, TryonOptions(), LIP)
    assert not mask[150:160, 95:107].any() and mask[label_map == LIP.label2id["Upper-clothes"]].all()


@pytest.mark.parametrize("value", [0, 4])
def test_uniform_label_maps_give_uniform_tryon_masks(value: int) -> None:
    label_map = np.full((40, 30), value, np.uint8)
    for part in ("upper", "lower", "overall"):
        mask = tryon_mask(label_map, TryonOptions(part=part))  # type: ignore[arg-type]
        assert mask.all() == (value == 4 and part != "lower") == mask.any()


def test_agnostic_picture_is_grey_under_the_mask() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    mask = np.zeros((40, 60), np.bool_)
    mask[:, 30:] = True
    hard, soft = tryon_levels(mask, 0), tryon_levels(mask, 5)
    made = agnostic(photo, hard)
    assert (made[:, 30:] == tryon.GREY).all() and (made[:, :30] == photo[:, :30]).all()
    assert set(np.unique(hard)) == {0, 255} and (np.diff(soft[20].astype(int)) >= 0).all()
    assert not soft[:, :25].any() and (soft[:, 35:] == 255).all() and len(np.unique(soft)) > 5


def test_tryon_of_a_result_and_its_zip_equal_the_mask_function(tmp_path: Path) -> None:
    doll = draw(5)
    result = Segmentation(doll.image, doll.mask)
    mask, picture = result.tryon("lower")
    assert (mask.mode, picture.mode) == ("L", "RGB") and mask.size == picture.size == result.photo.size
    np.testing.assert_array_equal(np.asarray(mask) > 0, tryon_mask(doll.mask, TryonOptions(part="lower")))
    soft = result.tryon(options=TryonOptions(part="lower", blur=4)).mask
    assert len(np.unique(np.asarray(soft))) > 5
    tryon.write_zip(tmp_path / "made.zip", result.tryon())
    with zipfile.ZipFile(tmp_path / "made.zip") as archive:
        assert archive.namelist() == ["agnostic-mask.png", "agnostic.png"]
        with Image.open(archive.open("agnostic.png")) as read:
            np.testing.assert_array_equal(np.asarray(read), np.asarray(result.tryon().picture))
    with pytest.raises(ConfigError, match="part can be upper, lower or overall, not 'dress'"):
        result.tryon("dress")
    with pytest.raises(ConfigError, match="A try-on mask has no option 'width'; the options are: part, shape"):
        TryonOptions.of({"width": 3})
