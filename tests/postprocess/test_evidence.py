"""What the network said, laid out over the photo."""

import numpy as np

from clothseg.postprocess.evidence import as_evidence, lay_out
from clothseg.postprocess.zoom_crop import Box


def test_crops_lie_over_the_whole_photo() -> None:
    whole = as_evidence(np.full((18, 4, 3), 2.0), Box(0, 0, 60, 80))
    crop = as_evidence(np.full((18, 8, 6), -1e6), Box(30, 40, 60, 80))
    laid = lay_out((*whole, *crop), (60, 80), (40, 30))
    assert laid.shape == (18, 40, 30) and laid.dtype == np.float32 and np.isfinite(laid).all()
    assert (laid[:, 20:, 15:] < -5e4).all() and (laid[:, :20] == 2).all() and (laid[:, :, :15] == 2).all()
