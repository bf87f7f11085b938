"""Decoding a row to photo and label map: masks of every mode, and bad rows."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doll_rows import png
from paper_dolls import draw
from PIL import Image as PILImage

from clothseg.errors import DataError
from clothseg.training.data.decoding import decode_mask, decode_row
from clothseg.training.data.loading import load_splits


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
def test_masks_of_every_mode_decode_to_ids(mask: PILImage.Image) -> None:
    ids = decode_mask(png(mask), "row-7")
    assert (ids == IDS).all() and ids.dtype == np.uint8


PHOTO = PILImage.new("RGB", (3, 2))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row(PHOTO, PILImage.fromarray(IDS * 0 + 42)), r"row-7: the mask contains 42; class ids are 0 to 17"),
        (row(PHOTO, PILImage.fromarray(IDS * np.uint16(0) + 256 + 3)), r"row-7: the mask contains 259;"),
        (row(PHOTO, PHOTO) | {"mask": tiff(IDS.astype(np.int32) * 0 - 1)}, r"row-7: the mask contains -1;"),
        (row(PHOTO, PHOTO) | {"mask": tiff(IDS.astype(np.float32) * 0 + 0.5)}, r"row-7: the mask contains 0\.5;"),
        (row(PHOTO, PILImage.fromarray(IDS.T.copy())), r"row-7: the mask is 2x3 pixels, the photo 3x2"),
        (row(PHOTO, PILImage.new("RGB", (3, 2), (1, 2, 3))), r"row-7: the mask is a colour picture"),
        (row(PHOTO, PHOTO) | {"mask": {"bytes": b"no picture", "path": None}}, r"row-7: the mask is not a readable"),
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
def test_bad_rows_raise_data_errors(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        decode_row(bad)


def test_doll_rows_decode_to_the_dolls(doll_data: Path) -> None:
    photo, mask = decode_row(load_splits(str(doll_data), None, 0.1, 0).train[3])
    assert (mask == draw(3, 128, 96).mask).all()
    assert photo.shape == (128, 96, 3)
