"""The paper dolls that other tests train and measure on have exact masks."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from paper_dolls import Doll, draw, draw_many, write_parquet
from PIL import Image

from clothseg.labels import LABEL2ID, NUM_CLASSES, SIDE_PAIRS, mirror


@pytest.fixture(scope="module")
def dolls() -> list[Doll]:
    return draw_many(40)


def middle(mask: npt.NDArray[np.uint8], class_id: int) -> float:
    """Mean column of a class, NaN where it is hidden."""
    columns = np.nonzero(mask == class_id)[1]
    return float(columns.mean()) if columns.size else np.nan


def side_gaps(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Distance of each left limb or shoe to the image's right of its right counterpart, where both are visible."""
    gaps = np.array([middle(mask, left) - middle(mask, right) for left, right in SIDE_PAIRS])
    return gaps[~np.isnan(gaps)]


def test_same_seed_draws_the_same_doll(dolls: list[Doll]) -> None:
    for seed in (0, 7):
        again = draw(seed)
        assert np.array_equal(again.image, dolls[seed].image)
        assert np.array_equal(again.mask, dolls[seed].mask)
        assert again.facing == dolls[seed].facing


def test_different_seeds_draw_different_dolls(dolls: list[Doll]) -> None:
    assert len({doll.mask.tobytes() for doll in dolls}) == len(dolls)
    assert len({doll.image.tobytes() for doll in dolls}) == len(dolls)


def test_draw_many_uses_consecutive_seeds(dolls: list[Doll]) -> None:
    (doll,) = draw_many(1, seed=5)
    assert np.array_equal(doll.mask, dolls[5].mask)


@pytest.mark.parametrize(("height", "width"), [(384, 256), (97, 61), (480, 640), (640, 480), (33, 200)])
def test_shapes_dtypes_and_ids_at_any_size(height: int, width: int) -> None:
    for seed in range(4):
        doll = draw(seed, height, width)
        assert doll.image.shape == (height, width, 3) and doll.image.dtype == np.uint8
        assert doll.mask.shape == (height, width) and doll.mask.dtype == np.uint8
        assert doll.mask.max() < NUM_CLASSES
        assert 0.02 < (doll.mask > 0).mean() < 0.6


def test_class_frequencies_are_within_bounds(dolls: list[Doll]) -> None:
    share = {name: np.mean([(doll.mask == index).any() for doll in dolls]) for name, index in LABEL2ID.items()}
    assert min(share.values()) >= 0.05, share
    for optional in ("Hat", "Sunglasses", "Skirt", "Pants", "Dress", "Belt", "Bag", "Scarf"):
        assert share[optional] <= 0.8, share
    assert share["Background"] == share["Hair"] == 1


def test_figure_does_not_touch_the_border(dolls: list[Doll]) -> None:
    for doll in dolls:
        border = np.concatenate([doll.mask[0], doll.mask[-1], doll.mask[:, 0], doll.mask[:, -1]])
        assert not border.any()


def test_left_and_right_are_the_wearers(dolls: list[Doll]) -> None:
    assert {doll.facing for doll in dolls} == {"front", "back"}
    for doll in dolls:
        gaps = side_gaps(doll.mask)
        assert gaps.size
        assert (gaps > 0).all() if doll.facing == "front" else (gaps < 0).all()


def test_face_is_visible_only_from_the_front(dolls: list[Doll]) -> None:
    for doll in dolls:
        assert (doll.mask == LABEL2ID["Face"]).any() == (doll.facing == "front")


def test_mirroring_swaps_left_and_right_classes(dolls: list[Doll]) -> None:
    for doll in dolls[:10]:
        assert np.allclose(np.sort(side_gaps(mirror(doll.mask))), np.sort(side_gaps(doll.mask)))


def test_colours_change_at_mask_borders(dolls: list[Doll]) -> None:
    """The mean colour step across the figure's outline is far larger than elsewhere: picture and mask agree."""
    across, within = [], []
    for doll in dolls:
        step = np.abs(np.diff(doll.image.astype(int), axis=1)).mean(2)
        figure = doll.mask > 0
        outline = figure[:, 1:] != figure[:, :-1]
        across.append(step[outline].mean())
        within.append(step[~outline].mean())
        for shift in (-2, 2):  # the picture is not displaced against its mask
            assert step[outline].mean() > step[np.roll(outline, shift, axis=1)].mean()
    assert np.mean(across) > 4 * np.mean(within)


@pytest.mark.parametrize("mask_mode", ["L", "P"])
def test_parquet_round_trip_keeps_images_and_masks(tmp_path: Path, mask_mode: str) -> None:
    from datasets import Dataset

    drawn = draw_many(3, seed=20, height=193, width=129)
    write_parquet(tmp_path / "dolls.parquet", drawn, mask_mode=mask_mode)
    table = Dataset.from_parquet(str(tmp_path / "dolls.parquet"), cache_dir=str(tmp_path / "cache"))
    assert table.column_names == ["id", "image", "mask"]
    assert len(set(table["id"])) == len(table) == 3
    for row, doll in zip(table, drawn, strict=True):
        assert row["image"].mode == "RGB" and row["mask"].mode == mask_mode
        assert np.array_equal(np.asarray(row["mask"]), doll.mask)
        error = np.abs(np.asarray(row["image"]).astype(int) - doll.image)
        assert error.mean() < 6


def test_parquet_of_a_count_contains_jpegs_and_pngs_of_consecutive_seeds(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    write_parquet(tmp_path / "dolls.parquet", 2, seed=30, height=97, width=61)
    rows = pq.read_table(tmp_path / "dolls.parquet").to_pylist()
    assert [row["image"]["bytes"][:3] for row in rows] == [b"\xff\xd8\xff"] * 2
    for row, doll in zip(rows, draw_many(2, seed=30, height=97, width=61), strict=True):
        with Image.open(io.BytesIO(row["mask"]["bytes"])) as mask:
            assert mask.format == "PNG"
            assert np.array_equal(np.asarray(mask), doll.mask)
