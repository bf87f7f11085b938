"""Training on custom classes from folders of images and masks."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from own_classes import ATR_TO_OWN, OWN_NAMES, TO_OWN, write_own_folders
from paper_dolls import draw_many, write_parquet
from PIL import Image
from tiny_segformer import tiny_config
from transformers import SegformerForSemanticSegmentation, SegformerImageProcessorPil, pipeline

from clothseg import Segmenter
from clothseg.cli import main
from clothseg.errors import ConfigError, DataError
from clothseg.labels import LABELS_FILE, read_labels
from clothseg.training.arguments import parse_arguments
from clothseg.training.data.dataset import ParsingDataset
from clothseg.training.data.decoding import decode_mask
from clothseg.training.data.loading import load_splits
from clothseg.training.data.mask_classes import MaskClasses
from clothseg.training.data.tags import tag_ids
from clothseg.training.model import build_processor
from clothseg.training.run import run
from clothseg.training.self_training import taught_rows, with_taught_rows


SMALL = ["--image_size", "64", "--dataloader_num_workers", "0", "--use_cpu", "true", "--disable_tqdm", "true"]


def train(data: Path, model: Path, output: Path, *flags: str) -> Path:
    argv = ["--dataset_name", str(data), "--model_name_or_path", str(model), "--output_dir", str(output)]
    argv += [*SMALL, "--max_steps", "2", *flags]
    return run(*parse_arguments(argv), argv)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_own_folders(tmp_path_factory.mktemp("own") / "wardrobe", {"train": 8, "val": 4})


def test_training_on_custom_classes_saves_their_names(data: Path, image_classifier: Path, tmp_path: Path) -> None:
    folder = train(data, image_classifier, tmp_path, "--class_weighting", "frequency")
    config = json.loads((folder / "config.json").read_text())
    assert config["id2label"] == {str(index): name for index, name in enumerate(OWN_NAMES)}
    assert read_labels(folder / LABELS_FILE).names == OWN_NAMES
    figures = json.loads((folder / "figures.json").read_text())
    assert figures["calibration"].keys() <= {"ece", *(f"ece_{name}" for name in OWN_NAMES)}
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


def test_out_of_range_ids_are_rejected_before_training(data: Path, image_classifier: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    Image.fromarray(np.full((128, 96), 6, np.uint8)).save(tmp_path / "data" / "masks" / "train" / "3.png")
    with pytest.raises(DataError, match=r"3: the mask contains 6; class ids are 0 to 5"):
        train(tmp_path / "data", image_classifier, tmp_path / "run")
    assert not list((tmp_path / "run").glob("**/*.safetensors"))
    with pytest.raises(ConfigError, match="--copy_paste needs classes for a face"):
        train(data, image_classifier, tmp_path / "run", "--copy_paste", "0.5")


def test_pseudo_labels_work_with_a_label_map(image_classifier: Path, tmp_path: Path) -> None:
    """ATR masks are mapped, the teacher's masks hold class ids already; tags use old or new names."""
    (tmp_path / "data").mkdir()
    write_parquet(tmp_path / "data" / "train.parquet", 8, 0, 128, 96)
    write_parquet(tmp_path / "data" / "validation.parquet", 3, 50, 128, 96)
    (tmp_path / "map.json").write_text(json.dumps(ATR_TO_OWN))
    write_parquet(tmp_path / "shop.parquet", 4, 90, 128, 96)
    tags = [["Upper-clothes", "Shoes"], ["bottom"], ["Skirt", "Hat"], None]
    Dataset.from_parquet(str(tmp_path / "shop.parquet")).remove_columns("mask").add_column("classes", tags).to_parquet(
        tmp_path / "shop.parquet"
    )
    labels = {"id2label": dict(enumerate(OWN_NAMES)), "label2id": {name: i for i, name in enumerate(OWN_NAMES)}}
    torch.manual_seed(0)
    teacher = SegformerForSemanticSegmentation(tiny_config(**labels))
    teacher.decode_head.classifier.weight.data *= 100  # sure of what it finds
    teacher.save_pretrained(tmp_path / "teacher")
    SegformerImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(tmp_path / "teacher")
    flags = ["--label_map", str(tmp_path / "map.json"), "--unlabelled_name", str(tmp_path / "shop.parquet")]
    flags += ["--teacher_model_name_or_path", str(tmp_path / "teacher"), "--min_teacher_probability", "0.2"]
    folder = train(tmp_path / "data", image_classifier, tmp_path / "run", *flags)
    assert read_labels(folder / LABELS_FILE).names == OWN_NAMES

    parsing, _ = parse_arguments(["--dataset_name", str(tmp_path / "data"), "--use_cpu", "true", *flags])
    splits = load_splits(parsing.dataset_name, layout=parsing.layout)
    taught, pixels = taught_rows(parsing, tmp_path / "run", splits)
    assert taught["id"][:] == [f"doll-{number:06d}" for number in range(90, 94)] and pixels.shape == (4, 6)
    rows = ParsingDataset(with_taught_rows(splits.train, taught), build_processor((128, 96)), classes=splits.classes)
    for row, doll in enumerate(draw_many(8, 0, 128, 96)):
        assert (rows[row]["labels"].numpy() == TO_OWN[doll.mask]).all()
    last = rows[11]["labels"].numpy()
    assert (last == decode_mask(taught[3]["mask"], "", MaskClasses(splits.classes.labels))).all() and last.max() < 256
    assert set(np.unique(last)) - {0, 255}
    with pytest.raises(DataError, match="'Umbrella' in classes is not a class"):
        tag_ids(["Umbrella"], "row 1", splits.classes)
    assert tag_ids(["Shoes", "Skirt", "TOP", "Hat", "Left-arm"], "", splits.classes) == [1, 2, 4, 5]


def test_evaluate_compares_models_with_different_classes(
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
