"""clothseg.postprocess.back_view on hand-painted logits: a back view shows hair without a face."""

import numpy as np
import pytest
from paper_dolls import draw

from clothseg import Segmenter
from clothseg.labels import LABEL2ID, NAMES, swap_sides
from clothseg.postprocess.back_view import (
    FACE_DOUBTED,
    FACE_LEAST,
    HAIR_LEAST,
    HAIR_SURE,
    HEAD_LEAST,
    NECK_LOW,
    NECK_SURE,
    from_behind,
    swap_sides_if_back_view,
)


BODY = (
    ("Upper-clothes", 30, 25, 60, 55),
    ("Right-arm", 32, 20, 58, 25),
    ("Left-arm", 32, 55, 58, 60),
    ("Right-leg", 60, 28, 90, 39),
    ("Left-leg", 60, 41, 90, 52),
    ("Right-shoe", 90, 28, 95, 39),
    ("Left-shoe", 90, 41, 95, 52),
)
HAIR = ("Hair", 10, 30, 30, 50)


def seen(*boxes: tuple, sure: float = 0.9) -> np.ndarray:
    """(18, 100, 80) logits of boxes (class, top, left, bottom, right[, probability]), later ones over earlier ones."""
    logits = np.zeros((len(NAMES), 100, 80), np.float32)
    for name, top, left, bottom, right, *probability in [("Background", 0, 0, 100, 80, 0.99), *boxes]:
        share = probability[0] if probability else sure
        part = logits[:, top:bottom, left:right]
        part[:] = np.log((1 - share) / (len(NAMES) - 1))
        part[LABEL2ID[name]] = np.log(share)
    return logits


@pytest.mark.parametrize(
    "head",
    [
        (HAIR,),
        (HAIR, ("Face", 26, 36, 30, 44, 0.6)),  # a neck with low confidence
        (("Hair", 14, 30, 30, 50), ("Hat", 8, 28, 14, 52)),
        (HAIR, ("Face", 20, 38, 22, 42, 0.99), ("Face", 25, 36, 30, 44, 0.5)),  # a glimpse of a cheek
        (HAIR, ("Face", 24, 36, 30, 44, 0.9)),  # a confident neck below the hair
    ],
)
def test_sides_are_swapped_in_back_views(head: tuple) -> None:
    logits = seen(*BODY, *head)
    before = logits.copy()
    assert from_behind(logits)
    np.testing.assert_array_equal(
        swap_sides_if_back_view(logits).argmax(axis=0), swap_sides(logits.argmax(axis=0).astype(np.uint8)).astype(int)
    )
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize(
    "head",
    [
        (HAIR, ("Face", 15, 34, 28, 46, 0.97)),
        (HAIR, ("Face", 13, 34, 26, 46, 0.85)),  # a fairly confident face, as in the dark
        (HAIR, ("Face", 24, 34, 28, 46, 0.97)),  # hair over the forehead
        (HAIR, ("Sunglasses", 18, 33, 22, 47, 0.97)),
        (HAIR, ("Face", 60, 60, 66, 66, 0.97)),  # another person's face
        (("Hair", 0, 30, 10, 50),),  # the photo ends at the eyes
        (("Hair", 10, 38, 14, 43),),  # too small
        (("Hat", 8, 28, 24, 52), ("Hair", 24, 32, 27, 48)),  # a brim, a hood
        ((*HAIR, 0.5),),  # low confidence everywhere
        (("Face", 12, 33, 30, 47, 0.6),),
        (),
    ],
)
def test_sides_are_kept_in_front_and_ambiguous_views(head: tuple) -> None:
    logits = seen(*BODY, *head)
    assert swap_sides_if_back_view(logits) is logits


def test_thresholds_are_shares_of_the_head() -> None:
    area = 20 * 20
    for columns in range(1, 21):  # two rows of a confident face
        surely = seen(*BODY, HAIR, ("Face", 14, 30, 18, 50, 0.4), ("Face", 12, 30, 14, 30 + columns, 0.99))
        assert from_behind(surely) == (2 * columns < FACE_LEAST * area)
    for percent in range(45, 95, 5):
        doubted = seen(*BODY, HAIR, ("Face", 12, 36, 22, 44, percent / 100))
        assert from_behind(doubted) == (percent / 100 < FACE_DOUBTED - 1e-6)
        assert from_behind(seen(*BODY, (*HAIR, percent / 100))) == (percent / 100 > HAIR_SURE + 1e-6)
    for top in range(10, 28):  # a confident face of two rows: its centre is a row below its top
        low = seen(*BODY, HAIR, ("Face", top, 30, top + 2, 50, 0.9))
        assert from_behind(low) == (top + 0.5 - 10 >= NECK_LOW * 20)
    for columns in range(1, 21):  # three rows of a confident neck
        neck = seen(*BODY, HAIR, ("Face", 26, 30, 29, 30 + columns, 0.99))
        assert from_behind(neck) == (3 * columns < NECK_SURE * area)
    for rows in range(1, 20):
        hat = seen(*BODY, HAIR, ("Hat", 10, 30, 10 + rows, 50))
        assert from_behind(hat) == (20 * (20 - rows) >= HAIR_LEAST * area)
        small = seen(*BODY, ("Hair", 30 - rows, 38, 30, 41))
        assert from_behind(small) == (3 * rows >= HEAD_LEAST * 8000)


def test_back_view_option_swaps_sides_with_guided_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = Segmenter.from_pretrained()
    monkeypatch.setattr(segmenter, "engine", lambda pixels: np.stack([seen(*BODY, HAIR)] * len(pixels)))
    photo = draw(0, 200, 160).image
    plain = segmenter(photo, edges="plain", zoom="off").label_map
    guided = segmenter(photo, zoom="off", back_view="auto").label_map
    by_default = segmenter(photo, zoom="off").label_map
    sides = np.isin(
        plain, [LABEL2ID[f"{side}-{part}"] for side in ("Left", "Right") for part in ("arm", "leg", "shoe")]
    )
    assert sides.sum() > 3000 and (guided == swap_sides(plain))[sides].mean() > 0.95
    assert (by_default == plain)[sides].mean() > 0.95
