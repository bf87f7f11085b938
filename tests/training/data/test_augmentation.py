"""Augmentation: mirroring swaps sides, ids are never mixed, seeds repeat, and statistics match albumentations."""

import subprocess
import sys
from itertools import pairwise

import cv2
import numpy as np
import pytest
from paper_dolls import Doll, draw

from clothseg.labels import LABEL2ID, NAMES, mirror
from clothseg.training.data import augmentation
from clothseg.training.data.augmentation import (
    BLUR_SHARES,
    MEAN_COLOR,
    MOVE_SHARES,
    add_noise,
    affine_matrix,
    augment,
    blur,
    change_contrast,
    change_gamma,
    class_window,
    coarsen,
    crop,
    grey,
    mirror_sides,
    portrait_window,
    shift_hsv,
    warp,
)


@pytest.fixture(scope="module")
def doll() -> Doll:
    return draw(3, 192, 128)


def test_mirroring_swaps_sides_and_is_its_own_inverse(doll: Doll) -> None:
    photo, mask = mirror_sides(doll.image, doll.mask)
    assert (mask == mirror(doll.mask)).all() and (photo == doll.image[:, ::-1]).all()
    left, right = NAMES.index("Left-arm"), NAMES.index("Right-arm")
    assert (mask == left).sum() == (doll.mask == right).sum() != (doll.mask == left).sum()
    again = mirror_sides(photo, mask)
    assert (again[0] == doll.image).all() and (again[1] == doll.mask).all()


@pytest.mark.parametrize("kind", ["standard", "strong", "portraits"])
@pytest.mark.parametrize("class_crop", [0.0, 0.5])
def test_augmentation_is_repeatable_varied_and_keeps_ids(kind: str, class_crop: float, doll: Doll) -> None:
    mask = doll.mask.copy()
    mask[:20, :20] = 255
    before = doll.image.copy(), mask.copy()
    seen = [
        augment(doll.image, mask, np.random.default_rng(seed), kind, class_crop) for seed in [*range(40), *range(40)]
    ]
    assert (doll.image == before[0]).all() and (mask == before[1]).all(), "what came in stays"
    for one, again in zip(seen[:40], seen[40:], strict=True):
        assert (one[0] == again[0]).all() and (one[1] == again[1]).all()
    assert sum(np.array_equal(one[0], other[0]) for one, other in pairwise(seen[:40])) < 3
    allowed = {*np.unique(mask), *np.unique(mirror(mask)), 0}
    for photo, changed in seen:
        assert photo.shape == (*changed.shape, 3) and photo.dtype == changed.dtype == np.uint8
        assert photo.flags["C_CONTIGUOUS"] and changed.flags["C_CONTIGUOUS"]
        assert {*np.unique(changed)} <= allowed
    assert any((changed == 255).any() for _, changed in seen)


def test_portraits_crops_and_greys_more_photos_than_strong(doll: Doll) -> None:
    cropped, grey_ones = {}, {}
    for kind in ("strong", "portraits"):
        found = [augment(doll.image, doll.mask, np.random.default_rng(seed), kind)[0] for seed in range(600)]
        cropped[kind] = np.mean([photo.shape != doll.image.shape for photo in found])
        grey_ones[kind] = np.mean([np.ptp(photo.astype(int), axis=2).max() == 0 for photo in found])
    assert cropped["strong"] == pytest.approx(0.14, abs=0.05) and cropped["portraits"] == pytest.approx(0.33, abs=0.06)
    assert grey_ones["strong"] < grey_ones["portraits"]


def test_augmentation_uses_only_its_own_random_generator(doll: Doll) -> None:
    """OpenCV's and numpy's global generators are not used, and the import changes no environment variable."""
    cv2.setRNGSeed(5)
    np.random.seed(5)
    expected = cv2.randu(np.zeros((1, 4), np.uint8), 0, 255).copy(), np.random.random()
    cv2.setRNGSeed(5)
    np.random.seed(5)
    for seed in range(30):
        augment(doll.image, doll.mask, np.random.default_rng(seed))
    assert (cv2.randu(np.zeros((1, 4), np.uint8), 0, 255) == expected[0]).all() and np.random.random() == expected[1]
    code = "import os, cv2; was = {**os.environ}; import clothseg.training.data.augmentation; print(os.environ == was)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_unknown_kind_raises_and_none_changes_nothing(doll: Doll) -> None:
    with pytest.raises(ValueError, match="'mild' is none of none, standard, strong"):
        augment(doll.image, doll.mask, np.random.default_rng(0), "mild")
    photo, mask = augment(doll.image, doll.mask, np.random.default_rng(0), "none", 1.0)
    assert photo is doll.image and mask is doll.mask
    for shares in (*MOVE_SHARES.values(), BLUR_SHARES):
        assert sum(shares) == pytest.approx(1)


def test_photo_and_mask_get_the_same_geometry(doll: Doll, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of its own mask still equals the mask after the transform, without interpolation."""
    monkeypatch.setattr(cv2, "INTER_LINEAR", cv2.INTER_NEAREST)
    monkeypatch.setattr(augmentation, "MEAN_COLOR", (0, 0, 0))
    monkeypatch.setattr(augmentation, "WHITE", (0, 0, 0))
    picture = np.repeat((doll.mask * 10)[..., None], 3, axis=2)
    unchanged = 0
    for seed in range(60):
        photo, mask = augmentation.change_view(picture, doll.mask, np.random.default_rng(seed))
        assert (photo[..., 0] == mask * 10).mean() > 0.999
        unchanged += np.array_equal(mask, doll.mask)
    assert unchanged < 10


def test_affine_matrices_stay_within_their_ranges() -> None:
    rng = np.random.default_rng(0)
    matrices = np.stack([affine_matrix((200, 100), rng, (0.5, 2), 0.1, 12, 4) for _ in range(2000)])
    middle = np.array([49.5, 99.5, 1])
    moved = matrices @ middle - middle[:2]
    assert (np.abs(moved) <= (10, 20)).all() and (np.abs(moved).max(axis=0) >= (9, 18)).all()
    assert np.allclose(moved, moved.round())
    area = np.linalg.det(matrices[:, :, :2])
    assert 0.24 < area.min() < 0.4 and 3 < area.max() < 4.05
    angle = np.rad2deg(np.arctan2(matrices[:, 0, 1], matrices[:, 0, 0]))
    assert 10 < np.abs(angle).max() < 50
    still = affine_matrix((200, 100), rng, (1, 1), 0)
    assert np.allclose(still, [[1, 0, 0], [0, 1, 0]])


def test_uncovered_pixels_are_background_in_a_plain_colour(doll: Doll) -> None:
    photo, mask = warp(doll.image, np.full_like(doll.mask, 4), np.array([[0.5, 0, 0], [0, 0.5, 0.0]]), (9, 8, 7))
    assert (mask[:90, :60] == 4).all() and not mask[100:].any() and (photo[100:] == (9, 8, 7)).all()


def test_class_windows_show_small_classes_as_often_as_large_ones(doll: Doll) -> None:
    rng = np.random.default_rng(0)
    shown = np.zeros(18, int)
    for _ in range(200):
        photo, mask = crop(doll.image, doll.mask, class_window(doll.mask, rng, (0.3, 0.3), (0.3, 0.3)))
        assert mask.shape == (58, 38) and photo.shape == (58, 38, 3)
        shown[np.unique(mask)] += 1
    present = np.unique(doll.mask)
    assert shown[present].min() >= 200 / len(present)
    nobody = class_window(np.zeros_like(doll.mask), rng, (0.3, 0.3), (0.3, 0.3))  # about its middle
    assert nobody[0] < 96 < nobody[1] and nobody[2] < 64 < nobody[3]
    assert class_window(np.full((1, 1), 4, np.uint8), rng) == (0, 1, 0, 1)


def test_portraits_show_the_head_and_not_the_feet(doll: Doll) -> None:
    rows = np.flatnonzero(doll.mask.any(axis=1))
    heights, rng = set(), np.random.default_rng(0)
    for _ in range(20):
        _, mask = crop(doll.image, doll.mask, portrait_window(doll.mask, rng, share=(0.3, 0.5)))
        height, width = mask.shape
        assert rows[0] + 0.3 * len(rows) - 2 <= height <= rows[0] + 0.5 * len(rows) + 2
        assert (mask == NAMES.index("Face")).sum() == (doll.mask == NAMES.index("Face")).sum()
        assert width == 128 or 0.69 <= width / height <= 1.41
        heights.add(height)
    assert len(heights) > 5
    assert portrait_window(np.zeros_like(doll.mask), rng) == (0, 192, 0, 128)


def test_colour_changes_follow_their_parameters(doll: Doll) -> None:
    photo = doll.image
    assert (change_contrast(photo, 1, 0) == photo).all() and (change_gamma(photo, 1) == photo).all()
    assert (change_contrast(photo, 0, 77.6) == 78).all()
    assert change_gamma(photo, 0.6).mean() > photo.mean() > change_gamma(photo, 1.5).mean()
    flat = np.array([[[200, 50, 50], [90, 90, 90]]], np.uint8)
    assert (shift_hsv(flat, 60, 0, 0)[0, 0] == (50, 200, 50)).all(), "a third of the circle: red becomes green"
    assert (shift_hsv(flat, 30, 25, 10)[0, 1] == 100).all(), "grey stays grey"
    assert (shift_hsv(flat, 0, -255, 0)[0, 0] == 200).all()
    assert (grey(photo) == grey(photo)[..., :1]).all() and grey(photo).shape == photo.shape
    assert cv2.Laplacian(blur(photo, 5, 2), cv2.CV_32F).var() < cv2.Laplacian(photo, cv2.CV_32F).var() / 2
    coarse = coarsen(photo, 0.5)
    assert coarse.shape == photo.shape and (coarse[::2] == coarse[1::2]).all() and (coarse != photo).any()


def test_noise_has_the_expected_spread_and_grain() -> None:
    """The spread in each channel, a grain of two pixels, no shift of the mean, clipped to 0 and 255."""
    noisy = add_noise(np.full((200, 200, 3), 128, np.uint8), 255 * 0.05, np.random.default_rng(0))
    # enlarging to twice the size by a linear filter leaves (0.75**2 + 0.25**2) of the variance along each axis
    assert noisy.std(axis=(0, 1)) == pytest.approx([255 * 0.05 * 0.625] * 3, abs=0.5)
    assert noisy.mean() == pytest.approx(128, abs=0.3)
    assert np.corrcoef(noisy[:, :-1, 0].ravel(), noisy[:, 1:, 0].ravel())[0, 1] > 0.3
    assert abs(np.corrcoef(noisy.reshape(-1, 3).T)[0, 1]) < 0.05
    bright = add_noise(np.full((51, 50, 3), 254, np.uint8), 255 * 0.05, np.random.default_rng(0))
    assert bright.min() > 180 and bright.max() == 255
    assert add_noise(np.zeros((1, 1, 3), np.uint8), 5, np.random.default_rng(0)).shape == (1, 1, 3)


def statistics(photo: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Figures of one changed photo and its mask."""
    hsv = cv2.cvtColor(photo, cv2.COLOR_RGB2HSV)
    plain = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    figure = (mask > 0) & (mask < 255)
    rows, columns = np.nonzero(figure)
    found = {
        "height": mask.shape[0],
        "width": mask.shape[1],
        "red": photo[..., 0].mean(),
        "blue": photo[..., 2].mean(),
        "contrast": plain.std(),
        "saturation": hsv[..., 1].mean(),
        "sharpness": np.log1p(cv2.Laplacian(plain, cv2.CV_32F).var()),
        "plain ground": (photo == np.uint8(MEAN_COLOR)).all(axis=2).mean(),
        "black": (photo == 0).all(axis=2).mean(),
        "white": (photo == 255).all(axis=2).mean(),
        "figure": figure.mean(),
        "figure's row": rows.mean() / mask.shape[0] if len(rows) else np.nan,
        "figure's column": columns.mean() / mask.shape[1] if len(rows) else np.nan,
    }
    sides = [np.nonzero(mask == LABEL2ID[f"{side}-arm"])[1] for side in ("Left", "Right")]
    found["left less right arm"] = (
        (sides[0].mean() - sides[1].mean()) / mask.shape[1] if all(map(len, sides)) else np.nan
    )
    return found | {
        f"{name}'s share": (mask == LABEL2ID[name]).mean() for name in ("Face", "Upper-clothes", "Left-shoe")
    }


ALBUMENTATIONS: dict[str, dict[str, tuple[float, float]]] = {
    "standard": {
        "height": (96, 0),
        "width": (64, 0),
        "red": (113.75, 36.1),
        "contrast": (39.777, 8.868),
        "saturation": (88.432, 26.63),
        "sharpness": (8.032, 0.4993),
        "plain ground": (2.1701e-07, 5.939e-06),
        "black": (0.0014243, 0.01363),
        "white": (0.0025942, 0.02349),
        "figure": (0.20511, 0.02498),
        "figure's row": (0.46927, 0.02212),
        "figure's column": (0.49322, 0.1051),
        "left less right arm": (0.19374, 0.4152),
        "Face's share": (0.007114, 0.0056),
        "Upper-clothes's share": (0.051236, 0.03208),
    },
    "strong": {
        "height": (79.02, 24.13),
        "width": (57.254, 11.29),
        "red": (115, 43.46),
        "contrast": (36.932, 11.89),
        "saturation": (75.147, 37.46),
        "sharpness": (7.1139, 1.32),
        "plain ground": (0.024948, 0.107),
        "black": (0.026677, 0.1351),
        "white": (0.020913, 0.121),
        "figure": (0.24937, 0.1205),
        "figure's row": (0.48262, 0.09654),
        "figure's column": (0.48982, 0.1448),
        "left less right arm": (0.16394, 0.4451),
        "Face's share": (0.00898, 0.01462),
        "Upper-clothes's share": (0.06892, 0.0669),
    },
}
"""Mean and standard deviation of `statistics` over 6,000 dolls augmented with albumentations 2.0.8: `standard`
without class crops, `strong` with class crops in a quarter of the photos."""


@pytest.mark.parametrize(("kind", "class_crop"), [("standard", 0.0), ("strong", 0.25)])
def test_statistics_match_albumentations(kind: str, class_crop: float) -> None:
    """Means within four standard errors of both samples, spreads within 12 %."""
    dolls = [draw(seed, 96, 64) for seed in range(24)]
    count = 1200
    found = [
        statistics(*augment(*dolls[number % 24][:2], np.random.default_rng([2, number]), kind, class_crop))
        for number in range(count)
    ]
    for name, (mean, deviation) in ALBUMENTATIONS[kind].items():
        values = np.array([one[name] for one in found])
        values = values[~np.isnan(values)]
        allowed = 4 * deviation * np.sqrt(1 / len(values) + 1 / 6000)
        assert abs(values.mean() - mean) <= allowed + 1e-4 * abs(mean), name
        if name not in ("plain ground", "black", "white"):  # which hardly any photo has
            assert values.std() == pytest.approx(deviation, rel=0.12, abs=1e-4), name
