"""clothseg.outputs.cutout: properties of each step on random masks, and complete cut-outs."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, CutoutOptions, ImageError, Segmentation
from clothseg.outputs import render
from clothseg.outputs.cutout import cover, crop, drop_specks, feather, fill_holes, grow, lay_on, refine


def blobs(seed: int, height: int = 60, width: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """A noisy photo and a mask of several pieces, some of which touch the border."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), 5)
    photo = rng.integers(1, 256, (height, width, 3), dtype=np.uint8)
    return photo, noise > np.quantile(noise, rng.uniform(0.2, 0.95))


SEEDS = st.integers(0, 10_000)
OPTIONS = st.builds(
    CutoutOptions,
    background=st.sampled_from(["none", "#FF8800", Image.new("RGB", (7, 3), "red")]),
    crop=st.booleans(),
    margin=st.integers(0, 9),
    grow=st.integers(-12, 12),
    feather=st.floats(0, 8),
    soft_edges=st.booleans(),
    fill_holes=st.booleans(),
    drop_specks=st.booleans(),
    invert=st.booleans(),
)


@pytest.mark.parametrize("seed", range(3))
def test_default_options_give_the_plain_cutout(seed: int) -> None:
    doll = draw(seed)
    result = Segmentation(Image.fromarray(doll.image), doll.mask)
    plain = render.cutout(doll.image, result.mask("Pants", "Dress"))
    for options in (None, CutoutOptions(), CutoutOptions.of({}), CutoutOptions(margin=5)):
        np.testing.assert_array_equal(np.asarray(result.cutout("Pants", "Dress", options=options)), plain)


@settings(deadline=None, max_examples=60)
@given(SEEDS, OPTIONS)
def test_cutout_alpha_never_exceeds_the_photos(seed: int, options: CutoutOptions) -> None:
    photo, mask = blobs(seed)
    alpha = np.random.default_rng(seed).integers(0, 256, mask.shape).astype(np.uint8)
    alpha[:20] = 0
    options = replace(options, background="none", crop=False)
    made, opaque = refine(photo, mask, options, alpha), refine(photo, mask, options)
    np.testing.assert_array_equal(made[..., 3], np.minimum(opaque[..., 3], alpha))
    visible = made[..., 3] > 0
    np.testing.assert_array_equal(made[visible, :3], opaque[visible, :3])
    assert not made[~visible].any()
    np.testing.assert_array_equal(refine(photo, mask, options, np.full_like(alpha, 255)), opaque)
    cropped = refine(photo, mask, replace(options, crop=True), alpha)
    np.testing.assert_array_equal(cropped, crop(made, options.margin))


@settings(deadline=None, max_examples=60)
@given(SEEDS, OPTIONS)
def test_any_options_give_a_valid_cutout(seed: int, options: CutoutOptions) -> None:
    photo, mask = blobs(seed)
    before = photo.copy(), mask.copy()
    made = refine(photo, mask, options)
    assert made.dtype == np.uint8 and made.shape[2] == (4 if options.background == "none" else 3)
    if not options.crop:
        assert made.shape[:2] == mask.shape
    if made.shape[2] == 4:
        assert not made[made[..., 3] == 0].any()
    np.testing.assert_array_equal(photo, before[0])
    np.testing.assert_array_equal(mask, before[1])


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.integers(0, 20), st.integers(0, 20))
def test_grow_and_shrink_are_monotonic(seed: int, less: int, more: int) -> None:
    _, mask = blobs(seed)
    less, more = sorted((less, more))
    grown, shrunk = grow(mask, less), grow(mask, -less)
    assert (grown | ~mask).all() and (mask | ~shrunk).all()
    assert (grow(mask, more) | ~grown).all() and (shrunk | ~grow(mask, -more)).all()
    np.testing.assert_array_equal(grow(mask, 0), mask)
    if grown.any() and not grown.all():  # never further than requested
        assert cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[grown].max() <= less


def test_grow_is_round_and_ignores_the_image_border() -> None:
    away = np.hypot(*np.mgrid[-50:51, -50:51])
    assert np.count_nonzero(grow(away <= 20, 10) != (away <= 30)) < 60
    assert np.count_nonzero(grow(away <= 30, -10) != (away <= 20)) < 60
    left = np.zeros((20, 30), np.bool_)
    left[:, :12] = True
    assert [np.count_nonzero(grow(left, n)[3]) for n in (5, -5, -12)] == [17, 7, 0]
    assert grow(np.ones((4, 5), np.bool_), -64).all() and not grow(np.zeros((4, 5), np.bool_), 64).any()


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.integers(0, 20), st.floats(0, 6))
def test_crop_keeps_every_visible_pixel(seed: int, margin: int, width: float) -> None:
    photo, mask = blobs(seed)
    whole = refine(photo, grow(mask, -9), CutoutOptions(feather=width))
    made = crop(whole, margin)
    rows, columns = np.nonzero(whole[..., 3])
    if not len(rows):
        np.testing.assert_array_equal(made, whole)
        return
    assert made.shape == (np.ptp(rows) + 1 + 2 * margin, np.ptp(columns) + 1 + 2 * margin, 4)
    part = made[margin : made.shape[0] - margin, margin : made.shape[1] - margin]
    np.testing.assert_array_equal(part, whole[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
    assert made[..., 3].astype(int).sum() == whole[..., 3].astype(int).sum()


def test_only_small_specks_and_holes_are_removed() -> None:
    mask = np.zeros((200, 200), np.bool_)
    mask[50:150, 50:150] = True
    mask[60:65, 60:65] = False  # 25 of 10,000 pixels
    mask[100:130, 100:130] = False  # 900
    mask[10:13, 10:13] = True  # 9 of 40,000
    mask[10:14, 30:34] = True  # 16
    assert np.count_nonzero(drop_specks(mask)) == np.count_nonzero(mask) - 9
    filled = fill_holes(mask)
    assert filled[60:65, 60:65].all() and not filled[100:130, 100:130].any()
    assert np.count_nonzero(filled) == np.count_nonzero(mask) + 25
    only = np.zeros((200, 200), np.bool_)
    only[3, 3] = True
    np.testing.assert_array_equal(drop_specks(only), only)
    notch = mask & (np.arange(200) > 60)[:, None]
    notch[50:, 60:62] = False  # open to the background, so not a hole
    assert not fill_holes(notch)[61:150, 60:62].any()


@settings(deadline=None, max_examples=30)
@given(SEEDS)
def test_drop_specks_only_removes_and_fill_holes_only_adds(seed: int) -> None:
    _, mask = blobs(seed)
    fewer, more = drop_specks(mask, 0.01), fill_holes(mask, 0.1)
    assert (mask | ~fewer).all() and (more | ~mask).all()
    assert fewer.any() == mask.any()
    np.testing.assert_array_equal(drop_specks(fewer, 0.01), fewer)


@pytest.mark.parametrize("width", [0.4, 3, 10.0])
def test_feather_fades_around_the_outline_without_background_colour(width: float) -> None:
    photo = np.full((60, 100, 3), (0, 0, 255), np.uint8)
    photo[:, :50] = 255, 0, 0
    mask = np.zeros((60, 100), np.bool_)
    mask[:, :50] = True
    made = feather(render.cutout(photo, mask), width)
    alpha = made[30, :, 3].astype(int)
    reach = int(np.ceil(width))
    assert (np.diff(alpha) <= 0).all()
    assert (alpha[: 50 - reach] == 255).all() and (alpha[50 + reach :] == 0).all()
    assert abs(alpha[49] + alpha[50] - 255) <= 1
    visible = made[..., 3] > 0
    assert (made[visible][:, :3] == (255, 0, 0)).all()


def test_tiled_feather_equals_untiled(monkeypatch: pytest.MonkeyPatch) -> None:
    photo, mask = blobs(5, 150, 200)
    whole = feather(render.cutout(photo, mask), 6.5)
    monkeypatch.setattr("clothseg.outputs.matting.TILE", 40)
    tiled = feather(render.cutout(photo, mask), 6.5)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_soft_edges_leave_no_halo() -> None:
    """A cut-out red disc with a soft edge, taken from a blue wall and laid on yellow, resembles the disc on yellow."""
    away = np.hypot(*np.mgrid[-60:60, -80:80])
    share = (np.clip(40 - away, -2, 2) / 4 + 0.5)[..., None]
    wall = np.random.default_rng(0).normal((40, 60, 200), 6, (120, 160, 3))
    photo = (share * (200, 40, 50) + (1 - share) * wall).clip(0, 255).astype(np.uint8)
    truth = share * (200, 40, 50) + (1 - share) * (255, 255, 0)
    hard, soft = (
        np.abs(refine(photo, away < 40, CutoutOptions(background="#ffff00", soft_edges=on)) - truth)
        for on in (False, True)
    )
    edge = (share[..., 0] > 0) & (share[..., 0] < 1)
    assert soft[edge].mean() < 0.4 * hard[edge].mean()
    assert soft[~edge].mean() < 2


def test_colour_and_picture_backgrounds_fill_the_outside() -> None:
    photo, mask = blobs(3)
    plain = refine(photo, mask)
    for background, ground in (("#FF8800", (255, 136, 0)), (Image.new("RGB", (9, 5), (1, 2, 3)), (1, 2, 3))):
        made = refine(photo, mask, CutoutOptions(background=background))
        np.testing.assert_array_equal(made[mask], photo[mask])
        assert (made[~mask] == ground).all()
    half = plain.copy()
    half[..., 3] //= 2
    mixed = half[..., :3] * (half[..., 3:] / 255) + 100 * (1 - half[..., 3:] / 255)
    assert np.abs(lay_on(half, "#646464") - mixed).max() < 1.5


@pytest.mark.parametrize("size", [(40, 10), (10, 40), (30, 30), (200, 300), (1, 1)])
def test_background_picture_covers_without_distortion(size: tuple[int, int]) -> None:
    away = np.hypot(*np.mgrid[-30:30, -40:40])
    picture = Image.fromarray(np.where(away[..., None] < 8, np.uint8([250, 0, 0]), np.uint8([0, 0, 250])))
    made = np.asarray(cover(picture, size))
    assert made.shape == (size[1], size[0], 3)
    if size == (200, 300):  # five times as large
        rows, columns = np.nonzero(made[..., 0] > 125)
        assert abs(np.ptp(rows) - 75) <= 3 and abs(np.ptp(columns) - 75) <= 3
        assert abs(rows.mean() - 149.5) < 3 and abs(columns.mean() - 99.5) < 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"grow": 65}, "grow can be a whole number from -64 to 64, not 65"),
        ({"grow": 1.5}, "whole number"),
        ({"grow": True}, "whole number"),
        ({"grow": "3"}, "whole number"),
        ({"margin": -1}, "margin can be a whole number from 0 to 1000"),
        ({"feather": 64.1}, "feather can be a number from 0 to 64"),
        ({"feather": float("nan")}, "feather"),
        ({"crop": 1}, "crop can be true or false, not 1"),
        ({"soft_edges": "yes"}, "true or false"),
        ({"background": "red"}, 'colour such as "#ff8800"'),
        ({"background": "#fff"}, "colour such as"),
        ({"background": "/etc/passwd"}, "or a picture, not '/etc/passwd'"),
        ({"shrink": 3}, "no option 'shrink'; the options are: background, crop"),
    ],
)
def test_invalid_cutout_options_list_valid_values(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        CutoutOptions.of(values)


def test_options_parse_json_and_background_accepts_any_photo(tmp_path: Path) -> None:
    values = {"grow": -3.0, "feather": 2, "crop": True, "background": "#ABCDEF", "margin": None}
    assert CutoutOptions.of(values) == CutoutOptions("#abcdef", crop=True, grow=-3, feather=2.0)
    assert hash(CutoutOptions.of(values)) == hash(CutoutOptions("#abcdef", crop=True, grow=-3, feather=2.0))
    picture = Image.new("RGB", (4, 3), "green")
    picture.save(tmp_path / "wall.png")
    data = io.BytesIO()
    picture.save(data, "PNG")
    for source in (picture, tmp_path / "wall.png", data.getvalue(), np.asarray(picture)):
        background = CutoutOptions(background=source).background
        assert isinstance(background, Image.Image) and background.getpixel((0, 0)) == (0, 128, 0)
    with pytest.raises(ImageError):
        CutoutOptions(background=b"not a picture")


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (3, 70), (64, 64)])
def test_uniform_masks_give_plain_cutouts(value: bool, size: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(1, 256, (*size, 3), dtype=np.uint8)
    options = CutoutOptions(crop=True, grow=-5, feather=3, soft_edges=True, fill_holes=True, drop_specks=True)
    made = refine(photo, np.full(size, value), options)
    np.testing.assert_array_equal(made, render.cutout(photo, np.full(size, value)))
