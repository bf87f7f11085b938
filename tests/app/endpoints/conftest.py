"""The app, a client, and a photo with its result."""

from pathlib import Path

import pytest
from gradio_client import Client
from paper_dolls import draw
from PIL import Image

from clothseg import Segmentation, Segmenter


@pytest.fixture(scope="module")
def app(served: str) -> str:
    return served


@pytest.fixture(scope="module")
def client(app: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(app, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


@pytest.fixture(scope="session")
def library(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(tiny_model)


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG stored sideways with an EXIF orientation, as phones save it."""
    path = tmp_path_factory.mktemp("photos") / "holiday.jpg"
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(draw(1, 301, 200).image).rotate(90, expand=True).save(path, exif=exif, quality=95)
    return path


@pytest.fixture(scope="session")
def expected(library: Segmenter, photo: Path) -> Segmentation:
    return library(photo)
