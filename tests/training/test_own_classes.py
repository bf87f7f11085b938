"""Training on five classes of one's own, from folders of images and masks."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from own_classes import OWN_NAMES, write_own_folders
from PIL import Image
from tiny_segformer import tiny_config
from transformers import SegformerForSemanticSegmentation, pipeline

from clothseg import Segmenter
from clothseg.cli import main
from clothseg.errors import ConfigError, DataError
from clothseg.labels import LABELS_FILE, read_labels
from clothseg.training.arguments import parse_arguments
from clothseg.training.run import run


SMALL = ["--image_size", "64", "--dataloader_num_workers", "0", "--use_cpu", "true", "--disable_tqdm", "true"]


def train(data: Path, model: Path, output: Path, *flags: str) -> Path:
    argv = ["--dataset_name", str(data), "--model_name_or_path", str(model), "--output_dir", str(output)]
    argv += [*SMALL, "--max_steps", "2", *flags]
    return run(*parse_arguments(argv), argv)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_own_folders(tmp_path_factory.mktemp("own") / "wardrobe", {"train": 8, "val": 4})


def test_a_model_of_own_classes(data: Path, image_classifier: Path, tmp_path: Path) -> None:
    folder = train(data, image_classifier, tmp_path, "--class_weighting", "frequency")
    config = json.loads((folder / "config.json").read_text())
    assert config["id2label"] == {str(index): name for index, name in enumerate(OWN_NAMES)}
    assert read_labels(folder / LABELS_FILE).names == OWN_NAMES
    figures = json.loads((folder / "figures.json").read_text())
    assert "ece_background" in figures["calibration"] or len(figures["own_size"]) > 5
    assert not [key for key in figures["own_size"] if "Hat" in key or "side" in key]
    card = (folder / "README.md").read_text()
    assert "top, bottom, dress, shoes, skin — 6 classes" in card and "0 background, 1 top, 2 bottom" in card
    assert "for the other 5 classes" not in card  # frequency weights
    assert "18" not in card.split("## Figures")[1].split("## Architecture")[0]
    photo = Image.open(next((data / "images" / "val").iterdir()))
    for mask in pipeline("image-segmentation", model=str(folder))(photo):
        assert mask["label"] in OWN_NAMES
    result = Segmenter.from_pretrained(folder)(photo)
    assert result.label_map.max() < 6 and result.labels.names == OWN_NAMES


def test_wrong_ids_are_found_before_the_first_step(data: Path, image_classifier: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    Image.fromarray(np.full((128, 96), 6, np.uint8)).save(tmp_path / "data" / "masks" / "train" / "3.png")
    with pytest.raises(DataError, match=r"3: the mask contains 6; class ids are 0 to 5"):
        train(tmp_path / "data", image_classifier, tmp_path / "run")
    assert not list((tmp_path / "run").glob("**/*.safetensors"))
    with pytest.raises(ConfigError, match="--copy_paste needs classes for a face"):
        train(data, image_classifier, tmp_path / "run", "--copy_paste", "0.5")


def test_models_of_different_classes_are_compared(
    data: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = {"id2label": dict(enumerate(OWN_NAMES)), "label2id": {name: i for i, name in enumerate(OWN_NAMES)}}
    own = tmp_path / "own"
    SegformerForSemanticSegmentation(tiny_config(**labels)).save_pretrained(own)
    shutil.copy(tiny_model / "preprocessor_config.json", own)
    argv = ["evaluate", str(own), str(data), "--against", str(tiny_model), "--resamples", "10"]
    try:
        status = main([*argv, "--out", str(tmp_path / "out"), "--pictures"])
    finally:
        said = capsys.readouterr()
    assert status == 0, said.err
    assert f"Scored on the 6 classes that the masks and all models share: {', '.join(OWN_NAMES)}." in said.out
    assert "bottom: bottom = Skirt + Pants" in said.out and "skin: skin = Face + Left-leg" in said.out
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert "iou_shoes" in figures["difference"]["own_size"] and "iou_Hat" not in figures["own_size"]
    assert (tmp_path / "out" / "worst_photos.png").stat().st_size
