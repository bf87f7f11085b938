"""Copy-paste puts items of other photos where they are worn, in photo and mask alike, or changes nothing."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from datasets import Dataset, Image
from paper_dolls import Doll, write_parquet

from clothseg.labels import LABEL2ID
from clothseg.training.data.copy_paste import WORN, CopyPaste, find_face, sits


HAT, FACE = LABEL2ID["Hat"], LABEL2ID["Face"]


def head(face: tuple[int, int, int], hat: bool, color: int = 200) -> Doll:
    """A face (row and column of its centre, radius) on grey, optionally with a hat over its upper half."""
    row, column, radius = face
    image, mask = np.full((160, 120, 3), 90, np.uint8), np.zeros((160, 120), np.uint8)
    cv2.circle(mask, (column, row), radius, FACE, -1)
    image[mask == FACE] = 180
    if hat:
        cv2.rectangle(mask, (column - radius, row - 2 * radius), (column + radius, row - radius // 2), HAT, -1)
        image[mask == HAT] = color
    return Doll(image, mask, "front")


@pytest.fixture
def paster(tmp_path: Path) -> CopyPaste:
    lender = head((70, 60, 24), hat=True)
    write_parquet(tmp_path / "rows.parquet", [lender])
    rows = Dataset.from_parquet(str(tmp_path / "rows.parquet"))
    rows = rows.cast_column("image", Image(decode=False)).cast_column("mask", Image(decode=False))
    return CopyPaste(rows, np.bincount(lender.mask.ravel(), minlength=18)[None])


@pytest.mark.parametrize(("place", "scale"), [((90, 50, 24), 1.0), ((100, 70, 12), 0.5), ((80, 60, 36), 1.5)])
def test_pasted_hat_fits_the_head(
    place: tuple[int, int, int], scale: float, paster: CopyPaste, rng: np.random.Generator
) -> None:
    wearer = head(place, hat=False)
    photo, mask = paster.dress(wearer.image, wearer.mask, rng)
    hat = mask == HAT
    rows, columns = np.nonzero(hat)
    assert abs(columns.mean() - place[1]) <= 3 and rows.mean() < place[0] - 0.5 * place[2]
    assert np.ptp(columns) == pytest.approx(2 * 24 * scale, rel=0.25)
    untouched = cv2.dilate(hat.view(np.uint8), np.ones((5, 5), np.uint8)) == 0
    assert (photo[untouched] == wearer.image[untouched]).all() and (mask[untouched] == wearer.mask[untouched]).all()
    assert photo[cv2.erode(hat.view(np.uint8), np.ones((5, 5), np.uint8)) > 0].mean() > 185


def test_paste_skips_photos_with_the_item_or_without_a_usable_face(
    paster: CopyPaste, rng: np.random.Generator
) -> None:
    for wearer in (head((90, 60, 24), hat=True), head((90, 60, 3), hat=False)):
        photo, mask = paster.dress(wearer.image, wearer.mask, rng)
        assert photo is wearer.image and mask is wearer.mask


def test_only_items_worn_in_their_usual_place_are_used() -> None:
    doll = head((80, 60, 20), hat=False)
    face = find_face(doll.image, doll.mask)
    assert face is not None and (face.top, face.chin, face.width) == (60, 101, 41)
    places = {"hat": 55, "glasses": 75, "scarf": 110}
    for item in WORN:
        for name, row in places.items():
            inside = np.zeros(doll.mask.shape, np.bool_)
            inside[row - 3 : row + 3, 50:71] = True
            assert sits(item, inside, face) == (item == name)
    assert not sits("hat", np.zeros(doll.mask.shape, np.bool_), face)
