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
from clothseg.training.data.dataset import ParsingDataset
from clothseg.training.data.loading import decode_mask, decode_row, inspect_rows, load_splits, repeat_factor_indices
from clothseg.training.model import build_processor


def png(picture: PILImage.Image) -> dict[str, Any]:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def tiff(values: np.ndarray) -> dict[str, Any]:
    buffer = io.BytesIO()
    PILImage.fromarray(values).save(buffer, "TIFF")
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
        (row(PHOTO, PILImage.fromarray(IDS * np.uint16(0) + 256 + 3)), r"row-7: the mask holds 259;"),
        (row(PHOTO, PHOTO) | {"mask": tiff(IDS.astype(np.int32) * 0 - 1)}, r"row-7: the mask holds -1;"),
        (row(PHOTO, PHOTO) | {"mask": tiff(IDS.astype(np.float32) * 0 + 0.5)}, r"row-7: the mask holds 0\.5;"),
        (row(PHOTO, PILImage.fromarray(IDS.T.copy())), r"row-7: the mask is 2x3 pixels, the photo 3x2"),
        (row(PHOTO, PILImage.new("RGB", (3, 2), (1, 2, 3))), r"row-7: the mask is a colour picture"),
        (row(PHOTO, PHOTO) | {"mask": {"bytes": b"no picture", "path": None}}, r"row-7: the mask is no readable"),
        (row(PHOTO, PHOTO) | {"mask": {"bytes": None, "path": None}}, r"row-7: it has no mask"),
        (row(PHOTO, PHOTO) | {"image": {"bytes": b"text", "path": None}}, r"row-7: "),
    ],
    ids=[
        "label 42",
        "label 259",
        "label -1",
        "label 0.5",
        "other size",
        "colour",
        "no picture",
        "nothing",
        "no photo",
    ],
)
def test_bad_rows_are_named_and_explained(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        decode_row(bad)


FEATURES = Features({"id": Value("string"), "image": Image(decode=False), "mask": Image(decode=False)})


def dolls(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of dolls as `load_splits` gives them."""
    drawn = {f"doll-{number}": draw(number, 48, 32) for number in range(seed, seed + count)}
    return [
        {"id": row_id, "image": png(PILImage.fromarray(doll.image)), "mask": png(PILImage.fromarray(doll.mask))}
        for row_id, doll in drawn.items()
    ]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "doll-1": ({"mask": png(PILImage.new("L", (31, 48)))}, "the mask is 31x48 pixels, the photo 32x48"),
    "doll-3": ({"mask": png(PILImage.new("L", (32, 48), 42))}, "the mask holds 42"),
    "doll-4": ({"mask": png(PILImage.new("RGB", (32, 48), (1, 2, 3)))}, "the mask is a colour picture"),
    "doll-6": ({"image": {"bytes": b"text", "path": None}}, "is not a readable image"),
    "doll-7": ({"mask": {"bytes": b"text", "path": None}}, "the mask is no readable picture"),
    "doll-9": ({"image": {"bytes": dolls(1)[0]["image"]["bytes"][:400], "path": None}}, "damaged"),
    "doll-10": ({"mask": None}, "it has no mask"),
    "doll-11": ({"image": None}, "the photo is empty"),
}


def write_dolls(folder: Path, count: int = 14, bad: bool = True, part: str = "train", seed: int = 0) -> Path:
    rows = [row | BAD[row["id"]][0] if bad and row["id"] in BAD else row for row in dolls(count, seed)]
    Dataset.from_list(rows, features=FEATURES).to_parquet(folder / f"{part}.parquet")
    return folder


def test_one_look_finds_pixels_hashes_and_all_bad_rows(tmp_path: Path) -> None:
    rows = load_splits(str(write_dolls(tmp_path)), on_bad_row="skip").train
    good = inspect_rows(rows, "rows")
    assert not good.problems and (good.pixels.sum(axis=1) == 48 * 32).all() and good.hashes.any(axis=(1, 2)).all()
    mixed = [row | BAD[row["id"]][0] if row["id"] in BAD else row for row in dolls(14)]
    mixed[0]["mask"] = png(PILImage.fromarray(np.repeat(np.uint8([[0], [255], [17]]), [16, 16, 16], 0).repeat(32, 1)))
    found = inspect_rows(Dataset.from_list(mixed, features=FEATURES), "rows")
    assert {f"doll-{number}" for number in found.problems} == set(BAD)
    for number, problem in found.problems.items():
        assert BAD[f"doll-{number}"][1].lower() in problem.lower()
        assert not found.pixels[number].any() and not found.hashes[number].any()
    assert found.pixels[0, [0, 17]].tolist() == [16 * 32, 16 * 32] and found.pixels[0].sum() == 32 * 32
    assert (found.pixels[2] == np.bincount(draw(2, 48, 32).mask.ravel(), minlength=18)).all()


def test_bad_rows_stop_a_training_or_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_dolls(tmp_path)
    with pytest.raises(DataError, match=r"8 of the 14 rows .* cannot be used:") as caught:
        load_splits(str(tmp_path))
    for row_id, (_, reason) in BAD.items():
        assert f"{row_id}: " in str(caught.value) and reason.lower() in str(caught.value).lower()
    assert "--on_bad_row skip" in str(caught.value)
    splits = load_splits(str(tmp_path), None, 0.2, on_bad_row="skip")
    assert set(splits.record.skipped) == set(BAD) and "Left out 8 of 14 rows" in caplog.text
    assert {*splits.record.train, *splits.record.validation} == {f"doll-{number}" for number in range(14)} - set(BAD)
    assert list(splits.train["id"]) == splits.record.train and len(splits.record.validation) == 3
    assert (splits.pixels == inspect_rows(splits.train, "rows").pixels).all()
    assert splits.record.duplicate_groups == 0


def test_long_lists_of_bad_rows_are_cut(tmp_path: Path) -> None:
    rows = [row | {"mask": {"bytes": b"", "path": None}} for row in dolls(13)] + dolls(3, seed=50)
    Dataset.from_list(rows, features=FEATURES).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"(?s)13 of the 16 rows.*doll-9: .*and 3 more"):
        load_splits(str(tmp_path))
    Dataset.from_list(rows[:13], features=FEATURES).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(DataError, match="None of the 13 rows"):
        load_splits(str(tmp_path), on_bad_row="skip")


def test_own_splits_are_checked_only_where_asked(tmp_path: Path) -> None:
    write_dolls(tmp_path)
    write_dolls(tmp_path, 3, part="validation", seed=100)
    assert len(load_splits(str(tmp_path)).train) == 14
    with pytest.raises(DataError, match="8 of the 17 rows"):
        load_splits(str(tmp_path), check=True)
    splits = load_splits(str(tmp_path), check=True, on_bad_row="skip")
    assert (len(splits.train), len(splits.validation)) == (6, 3) and len(splits.pixels) == 6
    rows = [row | {"mask": None} for row in dolls(2, seed=100)]
    Dataset.from_list(rows, features=FEATURES).to_parquet(tmp_path / "validation.parquet")
    with pytest.raises(DataError, match="no rows for validation"):
        load_splits(str(tmp_path), check=True, on_bad_row="skip")


def test_near_duplicates_never_straddle_a_drawn_split(tmp_path: Path) -> None:
    rows = dolls(12)
    copies = [row | {"id": f"copy-{row['id']}", "image": reencoded(row["image"])} for row in rows[:6]]
    Dataset.from_list(rows + copies, features=FEATURES).to_parquet(tmp_path / "train.parquet")
    for seed in range(6):
        splits = load_splits(str(tmp_path), None, 0.3, seed)
        for number in range(6):
            assert (f"doll-{number}" in splits.record.train) == (f"copy-doll-{number}" in splits.record.train)
        assert len(splits.validation) == 5
        assert (splits.record.duplicate_groups, splits.record.straddling_groups) == (6, 0)


def reencoded(stored: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    PILImage.open(io.BytesIO(stored["bytes"])).save(buffer, "JPEG", quality=90)
    return {"bytes": buffer.getvalue(), "path": None}


def test_near_duplicates_across_own_splits_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_dolls(tmp_path, bad=False)
    held_out = [dolls(3)[2] | {"id": "other"}, *dolls(2, seed=100)]
    Dataset.from_list(held_out, features=FEATURES).to_parquet(tmp_path / "validation.parquet")
    splits = load_splits(str(tmp_path), check=True)
    assert (len(splits.train), len(splits.validation)) == (14, 3)
    assert (splits.record.duplicate_groups, splits.record.straddling_groups) == (1, 1)
    assert "1 groups of near-duplicate photos" in caplog.text and "doll-2, other" in caplog.text


def test_split_file_decides_the_rows(tmp_path: Path) -> None:
    data = tmp_path / "private" / "photos"
    data.mkdir(parents=True)
    first = load_splits(str(write_dolls(data)), None, 0.3, seed=5, on_bad_row="skip")
    file = tmp_path / "split.json"
    first.record.write(file)
    assert "private" not in file.read_text() and first.record.dataset == "photos"
    moved = data.rename(tmp_path / "moved")
    again = load_splits(str(moved), split_file=str(file))
    for part in ("train", "validation"):
        assert list(getattr(again, part)["id"]) == list(getattr(first, part)["id"])
    assert again.record.skipped == first.record.skipped and again.record.seed == 5
    checked = load_splits(str(moved), split_file=str(file), check=True)  # bad rows are not looked at again
    assert checked.record == again.record and (checked.pixels == first.pixels).all()
    write_dolls(moved, 4)
    with pytest.raises(DataError, match=r"lacks .* of the split file's rows: doll-"):
        load_splits(str(moved), split_file=str(file))


def test_own_test_split_is_kept_and_reported(tmp_path: Path) -> None:
    write_dolls(tmp_path, 10, bad=False)
    write_dolls(tmp_path, 4, part="test", seed=100)
    splits = load_splits(str(tmp_path), None, 0.2)
    assert splits.test is not None and list(splits.test["id"]) == [f"doll-{number}" for number in range(100, 104)]
    assert (len(splits.train), len(splits.validation), splits.reported[0]) == (8, 2, "test")
    with pytest.raises(DataError, match="has the splits train and test of its own"):
        load_splits(str(tmp_path), protocol="first-version")
    (tmp_path / "test.parquet").unlink()
    splits = load_splits(str(tmp_path), None, 0.2)
    assert splits.test is None and splits.reported == ("validation", splits.validation)


def test_rows_without_ids_of_their_own_are_numbered(tmp_path: Path) -> None:
    rows = [row | {"id": "same"} for row in dolls(4)]
    Dataset.from_list(rows, features=FEATURES).to_parquet(tmp_path / "train.parquet")
    rows = Dataset.from_list(dolls(2, seed=100), features=FEATURES)
    rows.remove_columns("id").to_parquet(tmp_path / "validation.parquet")
    record = load_splits(str(tmp_path)).record
    assert record.train == ["0", "1", "2", "3"] and record.validation == ["validation-0", "validation-1"]


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
    with pytest.raises(DataError, match=r"holds no data set: .*train\.parquet"):
        load_splits(str(tmp_path), None, 0.1, 0)
    with pytest.raises(DataError, match="nowhere does not exist; a data set on disk"):
        load_splits(str(tmp_path / "nowhere"), None, 0.1, 0)
    Dataset.from_dict({"picture": [1, 2], "mask": [3, 4]}).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"no column image; it has picture, mask"):
        load_splits(str(tmp_path), None, 0.1, 0)
    Dataset.from_dict({"image": [1, 2], "mask": [3, 4]}).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(DataError, match="image and mask must be columns of pictures"):
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
    times = np.bincount(repeat_factor_indices(counts, 0.36, seed=0), minlength=100)
    assert (times[:9] == 2).all() and (times[40:] == 1).all() and set(times[9:40]) == {1, 2}
    assert times[9:40].mean() == pytest.approx(1.06, abs=0.1)
    assert (repeat_factor_indices(counts, 0, seed=0) == np.arange(100)).all()
    assert (repeat_factor_indices(counts, 0.36, seed=1) != repeat_factor_indices(counts, 0.36, seed=1)).sum() == 0


def test_real_samples_are_sound(shared_data: Path) -> None:
    from datasets import load_dataset

    files = {"train": str(shared_data / "sample_train.parquet")}
    rows = load_dataset("parquet", data_files=files, split="train")
    rows = rows.cast_column("image", Image(decode=False)).cast_column("mask", Image(decode=False))
    assert len(rows) == 16 and not inspect_rows(rows, "samples").problems


def test_doll_rows_hold_the_dolls(doll_data: Path) -> None:
    photo, mask = decode_row(load_splits(str(doll_data), None, 0.1, 0).train[3])
    assert (mask == draw(3, 128, 96).mask).all()
    assert photo.shape == (128, 96, 3)
