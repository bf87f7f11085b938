"""Rows served to the Trainer: fast decoding equals full decoding exactly, and augmentation is deterministic."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, Image, Value
from paper_dolls import draw
from PIL import ExifTags, ImageCms
from PIL import Image as PILImage

from clothseg.errors import DataError
from clothseg.training.data.dataset import ParsingDataset, _plain_jpeg, decode_quickly
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits
from clothseg.training.model import build_processor


DOLL = draw(1, 97, 65)  # odd: chroma is subsampled to half pixels at the edges


def stored(picture: PILImage.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def turned() -> PILImage.Exif:
    exif = PILImage.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return exif


def dated() -> PILImage.Exif:
    exif = PILImage.Exif()
    exif[ExifTags.Base.Software] = "camera"
    return exif


PHOTO = PILImage.fromarray(DOLL.image)
PLAIN = {
    "4:2:0": {"subsampling": 2},
    "4:2:2": {"subsampling": 1},
    "4:4:4": {"subsampling": 0, "quality": 95},
    "progressive": {"progressive": True},
    "EXIF upright": {"exif": dated()},
}
SPECIAL = {
    "PNG": stored(PHOTO, "PNG"),
    "grey": stored(PHOTO.convert("L"), "JPEG"),
    "CMYK": stored(PHOTO.convert("CMYK"), "JPEG"),
    "turned": stored(PHOTO.transpose(PILImage.Transpose.ROTATE_90), "JPEG", exif=turned()),
    "profile": stored(PHOTO, "JPEG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
}


def row(photo: bytes, mask: np.ndarray = DOLL.mask) -> dict[str, Any]:
    return {
        "id": "row-7",
        "image": {"bytes": photo, "path": None},
        "mask": {"bytes": stored(PILImage.fromarray(mask), "PNG"), "path": None},
    }


@pytest.mark.parametrize("options", PLAIN.values(), ids=PLAIN)
def test_fast_decoding_of_plain_jpegs_is_exact(options: dict[str, Any]) -> None:
    photo = stored(PHOTO, "JPEG", **options)
    assert _plain_jpeg(photo) is not None
    for quick, careful in zip(decode_quickly(row(photo)), decode_row(row(photo)), strict=True):
        assert (quick == careful).all() and quick.dtype == careful.dtype


@pytest.mark.parametrize("photo", SPECIAL.values(), ids=SPECIAL)
def test_special_photos_use_full_decoding(photo: bytes) -> None:
    assert _plain_jpeg(photo) is None
    for quick, careful in zip(decode_quickly(row(photo)), decode_row(row(photo)), strict=True):
        assert (quick == careful).all()


def test_fast_decoding_rejects_bad_rows() -> None:
    photo = stored(PHOTO, "JPEG")
    for bad, message in [
        (row(photo[: len(photo) // 2]), "row-7: .*damaged"),
        (row(b"\xff\xd8 no photo \xff\xd9"), "row-7"),
        (row(b""), "row-7"),
        (row(photo) | {"image": None}, "row-7"),
        (row(photo, DOLL.mask[:-1]), "row-7: the mask is 65x96 pixels"),
        (row(photo, DOLL.mask * 0 + 42), "row-7: the mask contains 42"),
    ]:
        with pytest.raises(DataError, match=message):
            decode_quickly(bad)


def test_fast_decoding_of_real_photos_is_exact(shared_data: Path) -> None:
    from datasets import load_dataset

    rows = load_dataset("parquet", data_files=str(shared_data / "sample_train.parquet"), split="train")
    for one in rows.cast_column("image", Image(decode=False)).cast_column("mask", Image(decode=False)):
        assert _plain_jpeg(one["image"]["bytes"]) is not None
        assert (decode_quickly(one)[0] == decode_row(one)[0]).all()


def test_augmentation_steps_are_independent() -> None:
    """Mirrored photos have their colours changed as often as others."""
    grey = np.full((32, 32, 3), 128, np.uint8)
    sides = np.repeat(np.array([[0] * 16 + [5] * 16], np.uint8), 32, axis=0)
    features = Features({"id": Value("string"), "image": Image(decode=False), "mask": Image(decode=False)})
    rows = Dataset.from_list([row(stored(PILImage.fromarray(grey), "PNG"), sides)], features=features)
    served = ParsingDataset(rows, build_processor((32, 32)), "standard", seed=0)
    plain = ParsingDataset(rows, build_processor((32, 32)))[0]
    mirrored, changed = np.zeros(400, bool), np.zeros(400, bool)
    for epoch in range(400):
        served.set_epoch(epoch)
        found = served[0]
        mirrored[epoch] = found["labels"][0, 0] == 5
        changed[epoch] = not torch.equal(found["pixel_values"], plain["pixel_values"])
    assert 0.4 < mirrored.mean() < 0.6
    for share in (changed[mirrored].mean(), changed[~mirrored].mean()):
        assert 0.5 < share < 0.9  # 1 - 0.5 * 0.7 * 0.9 * 1 = 0.69: downscaling leaves plain grey as it is


def test_augmentation_depends_only_on_seed_epoch_and_row(doll_data: Path) -> None:
    rows, processor = load_splits(str(doll_data), None, 0.1, 0).train, build_processor((64, 64))
    first, again = (ParsingDataset(rows, processor, "strong", seed=5) for _ in range(2))
    other = ParsingDataset(rows, processor, "strong", seed=6)
    expected = [first[index]["pixel_values"] for index in range(3)]
    found = [again[index]["pixel_values"] for index in (2, 1, 0)][::-1]  # in another order
    assert all((a == b).all() for a, b in zip(expected, found, strict=True))
    assert not all((a == other[i]["pixel_values"]).all() for i, a in enumerate(expected))
    again.set_epoch(1)
    assert not all((a == again[i]["pixel_values"]).all() for i, a in enumerate(expected))
