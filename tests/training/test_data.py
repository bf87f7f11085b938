"""Data sets: every row that cannot be trained on is found, named and explained."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, Features, Image, Value
from paper_dolls import draw, write_parquet
from PIL import Image as PILImage

from clothseg.errors import DataError
from clothseg.training.data import count_pixels, decode_mask, decode_row, load_splits, repeated
from clothseg.training.dataset import ParsingDataset
from clothseg.training.model import build_processor


def png(picture: PILImage.Image) -> dict[str, Any]:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def row(photo: PILImage.Image, mask: PILImage.Image) -> dict[str, Any]:
    return {"id": "row-7", "image": png(photo), "mask": png(mask)}


IDS = np.array([[0, 4, 17], [255, 9, 10]], np.uint8)


def palette(ids: np.ndarray) -> PILImage.Image:
    picture = PILImage.fromarray(ids)
    picture.putpalette(list(range(256)) * 3)
    return picture


@pytest.mark.parametrize(
    "mask",
    [
        PILImage.fromarray(IDS),
        palette(IDS),
        PILImage.fromarray(np.repeat(IDS[..., None], 3, axis=2)),
        PILImage.fromarray(IDS.astype(np.uint16)),
    ],
    ids=["L", "P", "grey RGB", "16-bit"],
)
def test_masks_of_every_mode_give_the_ids(mask: PILImage.Image) -> None:
    ids = decode_mask(png(mask), "row-7")
    assert (ids == IDS).all() and ids.dtype == np.uint8


PHOTO = PILImage.new("RGB", (3, 2))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row(PHOTO, PILImage.fromarray(IDS * 0 + 42)), r"row-7: the mask holds 42; class ids are 0 to 17"),
        (row(PHOTO, PILImage.fromarray(IDS.T.copy())), r"row-7: the mask is 2x3 pixels, the photo 3x2"),
        (row(PHOTO, PILImage.new("RGB", (3, 2), (1, 2, 3))), r"row-7: the mask is a colour picture"),
        (row(PHOTO, PHOTO) | {"mask": {"bytes": b"no picture", "path": None}}, r"row-7: the mask is no readable"),
        (row(PHOTO, PHOTO) | {"mask": {"bytes": None, "path": None}}, r"row-7: the mask is no readable"),
        (row(PHOTO, PHOTO) | {"image": {"bytes": b"text", "path": None}}, r"row-7: "),
    ],
    ids=["label 42", "other size", "colour", "no picture", "nothing", "no photo"],
)
def test_bad_rows_are_named_and_explained(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        decode_row(bad)


def test_all_rows_are_checked(doll_data: Path, tmp_path: Path) -> None:
    good = load_splits(str(doll_data), None, 0.1, 0)
    counts = count_pixels(good.train, "rows")
    assert (counts.sum(axis=1) == 128 * 96).all() and counts[3, 0] == (draw(3, 128, 96).mask == 0).sum()
    rows = [*(row(PHOTO, PILImage.fromarray(IDS)) for _ in range(3)), row(PHOTO, PILImage.fromarray(IDS * 0 + 42))]
    features = Features({"id": Value("string"), "image": Image(decode=False), "mask": Image(decode=False)})
    with pytest.raises(DataError, match="42"):
        count_pixels(Dataset.from_list(rows, features=features), "rows")


def test_folder_with_both_splits_keeps_them(doll_data: Path) -> None:
    splits = load_splits(str(doll_data), None, 0.5, 0)
    assert (len(splits.train), len(splits.validation), splits.commit) == (12, 5, None)


def test_rows_are_held_out_by_seed(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", 10, height=48, width=32)
    splits = [load_splits(str(tmp_path), None, 0.3, seed) for seed in (1, 1, 2)]
    held_out = [list(split.validation["id"]) for split in splits]
    assert held_out[0] == held_out[1] != held_out[2]
    assert len(held_out[0]) == 3 and not set(held_out[0]) & set(splits[0].train["id"])


def test_wrong_folders_and_columns_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no train\.parquet"):
        load_splits(str(tmp_path), None, 0.1, 0)
    with pytest.raises(DataError, match="no folder"):
        load_splits(str(tmp_path / "nowhere"), None, 0.1, 0)
    Dataset.from_dict({"picture": [1, 2], "mask": [3, 4]}).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"no column image; it has picture, mask"):
        load_splits(str(tmp_path), None, 0.1, 0)
    (tmp_path / "train.parquet").write_text("not parquet")
    with pytest.raises(DataError, match="cannot be read"):
        load_splits(str(tmp_path), None, 0.1, 0)


def test_augmentation_depends_on_seed_epoch_and_row_only(doll_data: Path) -> None:
    rows, processor = load_splits(str(doll_data), None, 0.1, 0).train, build_processor((64, 64))
    first, again = (ParsingDataset(rows, processor, "strong", seed=5) for _ in range(2))
    other = ParsingDataset(rows, processor, "strong", seed=6)
    expected = [first[index]["pixel_values"] for index in range(3)]
    found = [again[index]["pixel_values"] for index in (2, 1, 0)][::-1]  # in another order
    assert all((a == b).all() for a, b in zip(expected, found, strict=True))
    assert not all((a == other[i]["pixel_values"]).all() for i, a in enumerate(expected))
    again.set_epoch(1)
    assert not all((a == again[i]["pixel_values"]).all() for i, a in enumerate(expected))


def test_photos_with_rare_classes_are_repeated() -> None:
    counts = np.zeros((100, 18), np.int64)
    counts[:, 0] = 1
    counts[:9, 1] = 5  # 9 % of the photos: sqrt(0.36 / 0.09) = 2 times
    counts[8:40, 2] = 5  # 32 %: sqrt(0.36 / 0.32) = 1.06 times; photo 8 follows the rarer class
    times = np.bincount(repeated(counts, 0.36, seed=0), minlength=100)
    assert (times[:9] == 2).all() and (times[40:] == 1).all() and set(times[9:40]) == {1, 2}
    assert times[9:40].mean() == pytest.approx(1.06, abs=0.1)
    assert (repeated(counts, 0, seed=0) == np.arange(100)).all()
    assert (repeated(counts, 0.36, seed=1) != repeated(counts, 0.36, seed=1)).sum() == 0


def test_real_samples_are_sound(shared_data: Path) -> None:
    from datasets import load_dataset

    files = {"train": str(shared_data / "sample_train.parquet")}
    rows = load_dataset("parquet", data_files=files, split="train")
    count_pixels(rows.cast_column("image", Image(decode=False)).cast_column("mask", Image(decode=False)), "samples")
    assert len(rows) == 16


def test_doll_rows_hold_the_dolls(doll_data: Path) -> None:
    photo, mask = decode_row(load_splits(str(doll_data), None, 0.1, 0).train[3])
    assert (mask == draw(3, 128, 96).mask).all()
    assert photo.shape == (128, 96, 3)
