"""Fixtures of the tests that talk to the app as an untrusted visitor."""

from pathlib import Path

import pytest
from paper_dolls import draw
from pictures import encoded
from PIL import Image


@pytest.fixture
def app(public_app: tuple[str, Path]) -> str:
    """Address of the app shared by the tests of untrusted visitors."""
    return public_app[0]


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A small PNG file."""
    return encoded(Image.fromarray(draw(1, 96, 64).image), "PNG")
