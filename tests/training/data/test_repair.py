"""Repair of label maps removes faults planted in exact masks and keeps everything else."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from paper_dolls import draw, write_parquet

from clothseg.labels import BACKGROUND, IGNORE, LABEL2ID, NUM_CLASSES, mirror
from clothseg.training.data.dataset import ParsingDataset
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.repair import repair
from clothseg.training.data.sources import load_labelled
from clothseg.training.model import build_processor


Mask = npt.NDArray[np.uint8]
DOLLS = [draw(seed) for seed in range(8)]
SHIRT, BAG, SKIN = LABEL2ID["Upper-clothes"], LABEL2ID["Bag"], LABEL2ID["Face"]


def mean_iou(mask: Mask, truth: Mask) -> float:
    classes = np.unique(truth)
    return float(np.mean([((mask == c) & (truth == c)).sum() / ((mask == c) | (truth == c)).sum() for c in classes]))


def punched(mask: Mask, rng: np.random.Generator) -> Mask:
    """The mask with holes of 2x2 pixels deep inside each class."""
    out = mask.copy()
    for class_id in np.unique(mask[mask != BACKGROUND]):
        rows, columns = np.nonzero(cv2.erode((mask == class_id).view(np.uint8), np.ones((15, 15), np.uint8)))
        if len(rows):
            at = rng.integers(len(rows))
            out[rows[at] : rows[at] + 2, columns[at] : columns[at] + 2] = BACKGROUND
    return out


def specked(mask: Mask, rng: np.random.Generator) -> Mask:
    """The mask with specks of two pixels, of worn classes, in the background."""
    out = mask.copy()
    worn = np.unique(mask[mask != BACKGROUND])
    rows, columns = np.nonzero(cv2.erode((mask == BACKGROUND).view(np.uint8), np.ones((9, 9), np.uint8)))
    for at in rng.integers(len(rows), size=8):
        out[rows[at], columns[at] : columns[at] + 2] = rng.choice(worn)
    return out


def spilled(mask: Mask, rng: np.random.Generator) -> Mask:
    """The mask with every class grown by two pixels into the background."""
    return np.where(mask == BACKGROUND, cv2.dilate(mask, np.ones((5, 5), np.uint8)), mask)


@pytest.mark.parametrize(
    ("fault", "with_photo", "share"), [(punched, False, 0.95), (specked, False, 0.95), (spilled, True, 0.4)]
)
def test_planted_faults_are_repaired(
    fault: Callable[..., Mask], with_photo: bool, share: float, rng: np.random.Generator
) -> None:
    """Repair recovers at least `share` of the mean IoU that the fault cost."""
    before, after = [], []
    for doll in DOLLS:
        broken = fault(doll.mask, rng)
        before.append(mean_iou(broken, doll.mask))
        after.append(mean_iou(repair(broken, doll.image if with_photo else None).mask, doll.mask))
    assert np.mean(after) > np.mean(before) + share * (1 - np.mean(before))


def test_holes_and_specks_are_counted(rng: np.random.Generator) -> None:
    doll = DOLLS[0].mask
    clean, holes = repair(doll), repair(punched(doll, rng))
    punches = (punched(doll, np.random.default_rng(0)) != doll).sum() // 4
    assert (holes.holes - clean.holes, holes.hole_pixels - clean.hole_pixels) == (punches, 4 * punches)
    assert holes.rim_pixels == 0 and punches > 3


def test_exact_masks_are_kept() -> None:
    kept = [(repair(doll.mask).mask == doll.mask).mean() for doll in DOLLS]
    with_photo = [(repair(doll.mask, doll.image).mask == doll.mask).mean() for doll in DOLLS]
    assert min(kept) > 0.9995 and np.mean(with_photo) > 0.999


def noisy(seed: int) -> Mask:
    """Blobs of any class, including 255, with salt noise: a worst case."""
    rng = np.random.default_rng(seed)
    coarse = rng.choice([0, 0, 0, 4, 4, 9, 10, 14, 15, 255], (9, 7)).astype(np.uint8)
    mask = cv2.resize(coarse, (140, 180), interpolation=cv2.INTER_NEAREST)
    salt = rng.random(mask.shape) < 0.02
    return np.where(salt, rng.choice([*range(NUM_CLASSES), IGNORE], mask.shape), mask).astype(np.uint8)


MASKS = [*(doll.mask for doll in DOLLS[:2]), *map(noisy, range(4)), np.zeros((40, 30), np.uint8)]


@pytest.mark.parametrize("number", range(len(MASKS)))
def test_repair_is_idempotent_mirror_symmetric_and_keeps_classes(number: int) -> None:
    mask = MASKS[number]
    photo = np.random.default_rng(number).integers(0, 256, (*mask.shape, 3), np.uint8)
    original = mask.copy()
    for given in ((mask,), (mask, photo)):
        done = repair(*given).mask
        assert done.dtype == np.uint8 and done.shape == mask.shape
        assert ((done == IGNORE) == (mask == IGNORE)).all()
        assert set(np.unique(done)) == set(np.unique(mask)), "no class appears or disappears"
        turned = [np.ascontiguousarray(photo[:, ::-1])] if len(given) > 1 else []
        np.testing.assert_array_equal(repair(mirror(mask), *turned).mask, mirror(done))
    once = repair(mask)
    again = repair(once.mask)
    np.testing.assert_array_equal(again.mask, once.mask)
    assert again[1:] == (0, 0, 0, 0, 0)
    np.testing.assert_array_equal(mask, original)


def shirt(fault: Callable[[Mask], None]) -> Mask:
    """A shirt of 200x100 pixels, changed by `fault`."""
    mask = np.zeros((240, 160), np.uint8)
    mask[20:220, 30:130] = SHIRT
    fault(mask)
    return mask


def gap_under_an_arm(mask: Mask) -> None:
    mask[100:130, 60:70] = BACKGROUND


def slit_open_to_the_background(mask: Mask) -> None:
    mask[210:220, 80] = BACKGROUND


def strap_in_pieces(mask: Mask) -> None:
    for row in range(30, 150, 20):
        mask[row : row + 12, 80:83] = BAG


def two_lenses(mask: Mask) -> None:
    mask[100, 60:62] = mask[100, 66:67] = LABEL2ID["Sunglasses"]


def single_belt_of_three_pixels(mask: Mask) -> None:
    mask[100, 60:63] = LABEL2ID["Belt"]


def unannotated_hole(mask: Mask) -> None:
    mask[100, 60:63] = IGNORE


def background_pixel_in_unannotated_area(mask: Mask) -> None:
    mask[95:106, 55:66] = IGNORE
    mask[100, 60] = BACKGROUND


@pytest.mark.parametrize(
    "thing",
    [
        gap_under_an_arm,
        slit_open_to_the_background,
        strap_in_pieces,
        two_lenses,
        single_belt_of_three_pixels,
        unannotated_hole,
        background_pixel_in_unannotated_area,
    ],
)
def test_fine_structures_are_kept(thing: Callable[[Mask], None]) -> None:
    mask = shirt(thing)
    np.testing.assert_array_equal(repair(mask).mask, mask)


def test_specks_take_the_class_of_most_of_their_border() -> None:
    mask = shirt(lambda mask: None)
    mask[220:240, 30:130] = SKIN
    mask[219:221, 80] = BAG
    mask[100, 80] = SKIN
    mask[5:8, 5:15] = BAG
    done = repair(mask).mask
    assert done[100, 80] == SHIRT
    assert (done[219:221, 80] == BAG).all(), "a tie is left alone"
    mask[218, 80] = BAG
    done = repair(mask).mask
    assert (done[218:221, 80] == SHIRT).all()
    assert (done[5:8, 5:15] == BAG).all(), "a class's largest piece stays"


def test_dataset_serves_repaired_masks_on_request(tmp_path: Path) -> None:
    doll = DOLLS[0]
    broken = spilled(doll.mask, np.random.default_rng(0))
    write_parquet(tmp_path / "broken.parquet", [doll._replace(mask=broken)])
    rows, processor = load_labelled(tmp_path / "broken.parquet"), build_processor(broken.shape)
    plain, repaired = (ParsingDataset(rows, processor, repair_masks=asked)[0]["labels"] for asked in (False, True))
    np.testing.assert_array_equal(plain, broken)
    photo, _ = decode_row(rows[0])
    np.testing.assert_array_equal(repaired, repair(broken, photo).mask)
    assert (repaired != plain).any()
