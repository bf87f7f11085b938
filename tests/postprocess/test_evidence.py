"""Network logits laid out over the photo."""

import numpy as np
import pytest

from clothseg.postprocess.evidence import as_evidence, lay_out, move, turn_evidence_back
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.orientation import turn_back


def test_crop_evidence_covers_whole_photo_evidence() -> None:
    whole = as_evidence(np.full((18, 4, 3), 2.0), Box(0, 0, 60, 80))
    crop = as_evidence(np.full((18, 8, 6), -1e6), Box(30, 40, 60, 80))
    laid = lay_out((*whole, *crop), (60, 80), (40, 30))
    assert laid.shape == (18, 40, 30) and laid.dtype == np.float32 and np.isfinite(laid).all()
    assert (laid[:, 20:, 15:] < -5e4).all() and (laid[:, :20] == 2).all() and (laid[:, :, :15] == 2).all()


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_evidence_rotates_like_label_maps(rotation: int) -> None:
    ids = np.random.default_rng(0).integers(0, 18, (8, 6)).astype(np.uint8)  # of the rotated photo, 60 x 80
    logits = (np.arange(18)[:, None, None] == ids).astype(np.float32)
    evidence = as_evidence(logits, Box(0, 0, 60, 80)) + move(
        as_evidence(logits[:, 2:5, 1:3], Box(0, 0, 20, 30)), 10, 20
    )
    back = turn_evidence_back(evidence, rotation, (60, 80))
    expected = turn_back(ids, rotation)
    size = expected.shape[1] * 10, expected.shape[0] * 10
    for part in (back, back[:1]):
        np.testing.assert_array_equal(lay_out(part, size, expected.shape).argmax(axis=0), expected)
