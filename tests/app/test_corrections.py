"""Limits of corrections; `test_answers.py` tests the rest."""

import pytest
from PIL import Image

from clothseg import Segmenter
from clothseg.app.corrections import MOST, corrected
from clothseg.app.selection import PhotoResult
from clothseg.errors import ConfigError
from clothseg.options import SegmentOptions


def test_too_many_corrections_are_rejected(tiny_model: object, tmp_path: object) -> None:
    segmenter = Segmenter.from_pretrained(str(tiny_model))
    result = segmenter(Image.new("RGB", (64, 64)))
    seen = PhotoResult("", SegmentOptions(), result, result, preview="x")
    click = {"kind": "click", "x": 1, "y": 1, "label": "Hat"}
    with pytest.raises(ConfigError, match=f"can have {MOST} corrections"):
        corrected(segmenter, seen, [click] * (MOST + 1))
