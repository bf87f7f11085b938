"""Strokes and classes that are left out; the rest is in `test_answers.py`."""

import numpy as np
import pytest
from PIL import Image

from clothseg import Segmenter
from clothseg.app.corrections import MOST, corrected, stroke_mask
from clothseg.app.selection import PhotoResult
from clothseg.errors import ConfigError
from clothseg.options import SegmentOptions


def test_a_stroke_covers_what_lies_within_its_radius() -> None:
    mask = stroke_mask((40, 60), [[10, 10], [30, 10], [30, 25]], 4)
    y, x = np.mgrid[:40, :60]
    along = np.hypot(np.clip(x, 10, 30) - x, 10 - y), np.hypot(30 - x, np.clip(y, 10, 25) - y)
    distance = np.minimum(*along)
    assert mask[distance <= 3].all() and not mask[distance >= 5.5].any()
    assert stroke_mask((40, 60), [[5, 5]], 2)[5, 5] and not stroke_mask((40, 60), [[-50, -50]], 2).any()


def test_too_many_corrections_are_refused(tiny_model: object, tmp_path: object) -> None:
    segmenter = Segmenter.from_pretrained(str(tiny_model))
    result = segmenter(Image.new("RGB", (64, 64)))
    seen = PhotoResult("", SegmentOptions(), result, result, preview="x")
    click = {"kind": "click", "x": 1, "y": 1, "label": "Hat"}
    with pytest.raises(ConfigError, match=f"can have {MOST} corrections"):
        corrected(segmenter, seen, [click] * (MOST + 1))
