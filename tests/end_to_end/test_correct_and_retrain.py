"""The workflow of docs/training.md: segment, correct the least certain photos, train on them, use the new model."""

import csv
from pathlib import Path

import numpy as np
from paper_dolls import draw
from PIL import Image

from benchmarks.clicks import next_click
from clothseg import Segmenter
from clothseg.batch.training_examples import save_training_example
from clothseg.cli import main
from clothseg.labels import NAMES
from clothseg.training.arguments import parse_arguments
from clothseg.training.run import run


def test_corrected_photos_can_be_used_to_train_the_next_model(tiny_model: Path, tmp_path: Path) -> None:
    dolls = {f"{seed}.png": draw(seed, 96, 64) for seed in range(10)}
    photos, corrected, out = tmp_path / "photos", tmp_path / "corrected", tmp_path / "out"
    photos.mkdir()
    for name, doll in dolls.items():
        Image.fromarray(doll.image).save(photos / name)
    argv = ["segment", str(photos), "--out", str(out), "--sort", "uncertainty", "--model", str(tiny_model)]
    assert main(argv) == 0
    with (out / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    values = [float(line["uncertainty"]) for line in lines]
    assert values == sorted(values, reverse=True) and {line["photo"] for line in lines} == dolls.keys()

    segmenter = Segmenter.from_pretrained(tiny_model)
    for line in lines[:8]:
        truth = dolls[line["photo"]].mask
        result = segmenter(photos / line["photo"])
        before = (result.label_map == truth).mean()
        click = next_click(truth, result.label_map)
        assert click is not None
        result = segmenter.refine(result, [click])
        assert (result.label_map == truth).mean() > before
        for class_id in np.unique(truth).tolist():  # with the brush, since an untrained model is mostly wrong
            result = result.paint(truth == class_id, NAMES[class_id])
        save_training_example(result, corrected)

    argv = ["--dataset_name", str(corrected), "--model_name_or_path", str(tiny_model)]
    argv += ["--output_dir", str(tmp_path / "run"), "--image_size", "64", "--max_steps", "4", "--use_cpu", "true"]
    argv += ["--dataloader_num_workers", "0", "--disable_tqdm", "true"]
    folder = run(*parse_arguments(argv), argv)
    retrained = Segmenter.from_pretrained(folder)
    assert retrained(photos / "0.png").label_map.shape == (96, 64)
    photo = [Image.fromarray(dolls["0.png"].image)]
    assert not np.array_equal(retrained.logits(photo)[0], segmenter.logits(photo)[0])
