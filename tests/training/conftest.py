"""Data and models that the training tests share."""

from pathlib import Path

import pytest
from paper_dolls import write_parquet


@pytest.fixture(scope="session")
def doll_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with train.parquet (12 dolls) and validation.parquet (5 others)."""
    folder = tmp_path_factory.mktemp("dolls")
    write_parquet(folder / "train.parquet", 12, seed=0, height=128, width=96)
    write_parquet(folder / "validation.parquet", 5, seed=100, height=128, width=96)
    return folder
