"""Fixtures shared by the command tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import Segmenter


@pytest.fixture
def load_once(monkeypatch: pytest.MonkeyPatch, loaded: dict[str, Segmenter]) -> None:
    """Load each model once for all tests of a module."""
    load: Callable[..., Segmenter] = Segmenter.from_pretrained

    def kept(name: str, **options: Any) -> Segmenter:
        if name not in loaded:
            loaded[name] = load(name, **options)
        return loaded[name]

    monkeypatch.setattr(Segmenter, "from_pretrained", kept)


@pytest.fixture(scope="module")
def loaded() -> dict[str, Segmenter]:
    return {}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Folder of two photos (one in a subfolder), a broken photo and a text file."""
    folder = tmp_path / "photos"
    (folder / "june").mkdir(parents=True)
    Image.fromarray(draw(1, 150, 100).image).save(folder / "a.png")
    Image.fromarray(draw(2, 96, 128).image).save(folder / "june" / "b.JPG", quality=95)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 this is no photo")
    (folder / "notes.txt").write_text("none")
    return folder
