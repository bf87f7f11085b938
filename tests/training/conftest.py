"""Data and models that the training tests share."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from paper_dolls import write_parquet


@pytest.fixture(autouse=True)
def restore_bars() -> Iterator[None]:
    """Show progress bars again after a test: `--disable_tqdm` hides them for the whole process."""
    yield
    if bars := sys.modules.get("clothseg.training.bars"):
        bars.hide_bars(False)


@pytest.fixture(autouse=True)
def no_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate trained models with PyTorch: converting each to OpenVINO takes longer than the few photos here.

    The tests of whole journeys evaluate with OpenVINO.
    """
    monkeypatch.setattr("clothseg.engines.openvino_engine.is_usable", lambda: False)


@pytest.fixture(scope="session")
def doll_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with train.parquet (12 dolls) and validation.parquet (5 others)."""
    folder = tmp_path_factory.mktemp("dolls")
    write_parquet(folder / "train.parquet", 12, seed=0, height=128, width=96)
    write_parquet(folder / "validation.parquet", 5, seed=100, height=128, width=96)
    return folder


@pytest.fixture(scope="session")
def image_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny SegFormer that classifies images, as nvidia/mit-b0 to mit-b5 do: it has no decode head."""
    import torch
    from tiny_segformer import tiny_config
    from transformers import SegformerForImageClassification

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("classifier") / "mit"
    SegformerForImageClassification(tiny_config(num_labels=7)).save_pretrained(folder)
    return folder
