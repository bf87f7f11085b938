"""A model with the 47 classes of Fashionpedia, from the library through corrections to the next training."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from paper_dolls import draw, write_parquet
from PIL import Image
from tiny_segformer import tiny_config
from transformers import SegformerForSemanticSegmentation, SegformerImageProcessorPil, pipeline

from clothseg import Segmenter
from clothseg.batch.training_examples import save_training_example
from clothseg.cli import main
from clothseg.errors import ConfigError
from clothseg.labels import ATR, FASHIONPEDIA, LABELS_FILE, read_labels
from clothseg.training.arguments import parse_arguments
from clothseg.training.data.sources import classes_of
from clothseg.training.run import run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny model with random weights that predicts many of the classes."""
    folder = tmp_path_factory.mktemp("fashionpedia") / "model"
    named = {"id2label": dict(FASHIONPEDIA.id2label), "label2id": dict(FASHIONPEDIA.label2id)}
    torch.manual_seed(0)
    network = SegformerForSemanticSegmentation(tiny_config(**named))
    network.decode_head.classifier.weight.data *= 30
    network.save_pretrained(folder)
    SegformerImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


def trained(*flags: str) -> Path:
    argv = [*flags, "--image_size", "64", "--max_steps", "1", "--use_cpu", "true", "--dataloader_num_workers", "0"]
    argv += ["--disable_tqdm", "true", "--on_bad_row", "skip"]
    return run(*parse_arguments(argv), argv)


def test_results_with_47_classes_are_corrected_exported_and_trained_on(model: Path, tmp_path: Path) -> None:
    segmenter = Segmenter.from_pretrained(model)
    assert segmenter.labels is FASHIONPEDIA
    photos = [Image.fromarray(draw(seed, 96, 64).image) for seed in range(8)]
    corrected = tmp_path / "corrected"
    for photo in photos:
        result = segmenter(photo, rules=True, people="all")
        assert len(result.areas) > 3 and set(result.areas) <= set(FASHIONPEDIA.names)
        mask = np.zeros((96, 64), np.bool_)
        mask[10:40] = True
        result = result.paint(mask, "umbrella")
        save_training_example(result, corrected)
    assert classes_of(str(corrected), None).labels.names == FASHIONPEDIA.names
    result.export(tmp_path / "last.json", "coco")
    coco = json.loads((tmp_path / "last.json").read_text())
    names = {each["id"]: each["name"] for each in coco["categories"]}
    assert "umbrella" in {names[each["category_id"]] for each in coco["annotations"]}
    with pytest.raises(ConfigError, match=r"has training examples of other classes \(Everything Else, shirt, blouse"):
        save_training_example(Segmenter.from_pretrained()(photos[0]), corrected)

    folder = trained(
        "--dataset_name", str(corrected), "--model_name_or_path", str(model), "--output_dir", str(tmp_path / "run")
    )
    assert read_labels(folder / LABELS_FILE).names == FASHIONPEDIA.names
    assert {each["label"] for each in pipeline("image-segmentation", model=str(folder))(photos[0])} <= set(
        FASHIONPEDIA.names
    )


def test_data_set_of_predicted_masks_names_its_classes(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    write_parquet(tmp_path / "photos" / "train.parquet", 3, 0, 96, 64)
    argv = ["segment", "--dataset", str(tmp_path / "photos"), "--out", str(tmp_path / "out"), "--model", str(model)]
    assert main(argv) == 0, capsys.readouterr().err
    assert classes_of(str(tmp_path / "out"), None).labels == FASHIONPEDIA
    rows: Any = Dataset.from_parquet(str(next((tmp_path / "out" / "data").glob("*.parquet"))))
    mask = np.asarray(rows[0]["mask"])
    expected = Segmenter.from_pretrained(model)(rows[0]["image"]).label_map
    assert (mask == expected).mean() > 0.99 and mask.max() > len(ATR)
