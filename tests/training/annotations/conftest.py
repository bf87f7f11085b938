"""Photos that the tests of annotations share."""

from pathlib import Path

import pytest
from annotated import write_photos


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos")
