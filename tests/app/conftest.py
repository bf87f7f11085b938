"""A result as the tab for one photo has it, in a folder of the test."""

from pathlib import Path

import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import Segmentation
from clothseg.app.selection import PhotoResult
from clothseg.options import SegmentOptions


@pytest.fixture
def temp_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))


@pytest.fixture
def doll(temp_folder: None) -> PhotoResult:
    image, mask, _ = draw(3, 800, 550)
    result = Segmentation(Image.fromarray(image), mask, name="doll.webp")
    return PhotoResult("doll.webp", SegmentOptions(), result, result)
