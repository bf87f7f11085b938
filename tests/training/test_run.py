"""A run from arguments to folder: what is refused before it starts, and what a second run must not destroy."""

import csv
from pathlib import Path

import pytest

from clothseg import Segmenter
from clothseg.errors import ConfigError
from clothseg.training.config import parse_arguments
from clothseg.training.data import load_labelled
from clothseg.training.run import run


def arguments(data: Path, model: Path, output: Path, *flags: str) -> list[str]:
    small = ["--image_size", "64", "--max_steps", "2", "--dataloader_num_workers", "0", "--use_cpu", "true"]
    names = ["--model_name_or_path", str(model), "--dataset_name", str(data), "--output_dir", str(output)]
    return [*names, *small, "--disable_tqdm", "true", "--logging_steps", "1", *flags]


def test_whole_run_with_average_and_half_precision(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    argv = arguments(doll_data, tiny_model, tmp_path, "--ema_decay", "0.5", "--save_dtype", "float16")
    folder = run(*parse_arguments(argv), argv)
    assert folder == tmp_path / "model"
    assert (folder / "model.safetensors").stat().st_size < 0.6 * (tiny_model / "model.safetensors").stat().st_size
    assert Segmenter.from_pretrained(folder).image_size == (64, 64)
    with (folder / "training_log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows[:1]] == ["2"] and float(rows[0]["training_loss"]) > 0

    before = (folder / "model.safetensors").read_bytes()
    with pytest.raises(ConfigError, match="holds a finished model"):
        run(*parse_arguments(argv), argv)
    assert (folder / "model.safetensors").read_bytes() == before


def test_photos_without_masks_are_learnt_from_a_teacher(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    taught = [
        "--unlabelled_name",
        str(doll_data / "validation.parquet"),
        "--teacher_model_name_or_path",
        str(tiny_model),
    ]
    rare = ["--rare_sampling", "0.9", "--class_weighting", "frequency", "--dice_weight", "1"]
    argv = arguments(doll_data, tiny_model, tmp_path, *taught, *rare)
    folder = run(*parse_arguments(argv), argv)
    assert Segmenter.from_pretrained(folder).image_size == (64, 64)
    assert len(load_labelled(tmp_path / "teacher_labels.parquet")) == 5


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--resume_from_checkpoint", "true"), r"holds no checkpoint-N folder"),
        (("--resume_from_checkpoint", "nowhere"), r"nowhere: no such checkpoint folder"),
    ],
)
def test_impossible_resumes_are_explained(
    flags: tuple[str, ...], message: str, doll_data: Path, tiny_model: Path, tmp_path: Path
) -> None:
    argv = arguments(doll_data, tiny_model, tmp_path, *flags)
    with pytest.raises(ConfigError, match=message):
        run(*parse_arguments(argv), argv)
