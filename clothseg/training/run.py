"""One training from arguments to a folder that can be used, and pushed."""

import copy
import csv
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from datasets import concatenate_datasets
from transformers import PreTrainedModel, SegformerImageProcessorPil, TrainingArguments, set_seed

from clothseg.errors import ConfigError
from clothseg.segmenter import Segmenter
from clothseg.training import plots
from clothseg.training.card import write_card
from clothseg.training.config import ParsingArguments
from clothseg.training.data import (
    Splits,
    count_pixels,
    load_labelled,
    load_splits,
    load_unlabelled,
    repeated,
)
from clothseg.training.dataset import ParsingDataset
from clothseg.training.evaluation import confusion_matrices
from clothseg.training.distillation import Teacher
from clothseg.training.losses import class_weights, frequency_weights
from clothseg.training.metrics import summarize
from clothseg.training.model import build_model, build_processor, check_precision
from clothseg.training.push import prepare_push, push
from clothseg.training.teacher import label_rows
from clothseg.training.trainer import ClothesTrainer


def run(parsing: ParsingArguments, training: TrainingArguments, argv: list[str]) -> Path:
    """Train, evaluate, save to `<output_dir>/model`, and push where asked.

    All that can be wrong with arguments, data, model or access to the Hub is found before the first step.

    Args:
        argv: the command line's arguments, for the model card.

    Returns:
        The folder with model, image processor, card, figures and plots.

    Raises:
        ClothsegError: in one sentence what is wrong and what to do. Once training is done, the trained model is on
            disk whatever happens, and a failed push says how to push it later.
    """
    check_precision(training.bf16, training.device)
    folder, checkpoint = Path(str(training.output_dir)) / "model", _checkpoint(training)
    if folder.exists() and checkpoint is None:
        raise ConfigError(f"{folder} holds a finished model: choose another --output_dir, or move it away.")
    writes = training.process_index == 0
    repo_id = prepare_push(training) if training.push_to_hub and writes else None
    # What the Trainer would push by itself includes a pickle; we push a clean folder at the end.
    training.push_to_hub = False

    set_seed(training.seed)
    splits = load_splits(parsing.dataset_name, parsing.dataset_revision, parsing.test_fraction, training.seed)
    rows = splits.train.select_columns(["id", "image", "mask"])
    if parsing.unlabelled_name:
        with training.main_process_first(desc="labels of the teacher"):
            file = Path(str(training.output_dir)) / "teacher_labels.parquet"
            if writes and not (checkpoint and file.is_file()):  # a resumed run goes on with the very same labels
                _teach(parsing, file)
            taught = load_labelled(file)
        rows = concatenate_datasets([rows, taught])
    counts = count_pixels(rows, "training rows")
    count_pixels(splits.validation, "held-out rows")
    rows = rows.select(repeated(counts, parsing.rare_sampling, training.seed))
    processor = build_processor(parsing.size)
    trainer = ClothesTrainer(
        build_model(parsing.model_name_or_path, parsing.model_revision, parsing.from_scratch),
        training,
        parsing=parsing,
        class_weights=_class_weights(parsing, counts),
        teacher=_teacher(parsing, processor, training.device),
        train_dataset=ParsingDataset(rows, processor, parsing.augmentation, training.seed),
        eval_dataset=ParsingDataset(splits.validation, processor),
        processing_class=processor,
    )
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=checkpoint)
    seconds = time.monotonic() - started
    if trainer.average:
        trainer.average.load_into(
            trainer.network, trainer.state.best_model_checkpoint if training.load_best_model_at_end else None
        )
        trainer.average = None  # it is in the model now
    building = folder.with_name("model.incomplete")
    if writes:  # before anything else can go wrong
        shutil.rmtree(building, ignore_errors=True)
        _in_format(trainer.network, parsing.save_dtype).save_pretrained(building)
        processor.save_pretrained(building)
    network_figures = {key.removeprefix("eval_"): value for key, value in trainer.evaluate().items()}
    if writes:
        _report(trainer, parsing, splits, network_figures, repo_id, argv, seconds, building)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(building, folder)
        if repo_id is not None:
            push(folder, repo_id, training)
    trainer.accelerator.wait_for_everyone()
    return folder


def _checkpoint(training: TrainingArguments) -> str | None:
    resume = training.resume_from_checkpoint
    if resume in (None, "", "False", "false"):
        return None
    if resume in ("True", "true"):
        folders = Path(str(training.output_dir)).glob("checkpoint-*")
        found = sorted(folders, key=lambda folder: int(folder.name.split("-")[1]))
        if not found:
            raise ConfigError(f"--resume_from_checkpoint: {training.output_dir} holds no checkpoint-N folder.")
        return str(found[-1])
    if not (Path(resume) / "trainer_state.json").is_file():
        raise ConfigError(f"--resume_from_checkpoint {resume}: no such checkpoint folder.")
    return resume


def _teach(parsing: ParsingArguments, file: Path) -> None:
    """Write the unlabelled photos with the teacher's labels to `file`."""
    teacher = Segmenter.from_pretrained(parsing.teacher_model_name_or_path, revision=parsing.teacher_revision)
    rows = load_unlabelled(str(parsing.unlabelled_name))
    file.parent.mkdir(parents=True, exist_ok=True)
    label_rows(teacher, rows, parsing.min_teacher_probability).to_parquet(file)


def _teacher(
    parsing: ParsingArguments, processor: SegformerImageProcessorPil, device: torch.device
) -> Teacher | None:
    if not parsing.distillation_weight:
        return None
    return Teacher(str(parsing.teacher_model_name_or_path), parsing.teacher_revision, processor, device)


def _class_weights(parsing: ParsingArguments, counts: npt.NDArray[np.int64]) -> torch.Tensor:
    if parsing.class_weighting == "frequency":
        return frequency_weights(counts.sum(axis=0), parsing.class_weight_cap)
    return class_weights(parsing.background_weight, parsing.class_weight)


def _in_format(network: PreTrainedModel, name: str) -> PreTrainedModel:
    if name == "float32":
        return network
    return copy.deepcopy(network).to(getattr(torch, name))


def _report(
    trainer: ClothesTrainer,
    parsing: ParsingArguments,
    splits: Splits,
    network_figures: dict[str, float],
    repo_id: str | None,
    argv: list[str],
    seconds: float,
    folder: Path,
) -> None:
    """Score the model saved in `folder` and write figures, plots and card beside it."""
    matrices = confusion_matrices(Segmenter.from_pretrained(str(folder)), splits.validation)
    figures, log = summarize(matrices.sum(axis=0)), trainer.state.log_history
    _write_log(log, folder / "training_log.csv")
    sizes = {"own_size": figures, "network_size": network_figures}
    rounded = {size: {key: round(value, 6) for key, value in found.items()} for size, found in sizes.items()}
    (folder / "figures.json").write_text(json.dumps(rounded, indent=1))
    plots.learning_curves(log, folder / "learning_curves.png")
    plots.class_bars(figures, folder / "class_iou.png")
    plots.confusion(matrices.sum(axis=0), folder / "confusion.png")
    write_card(
        folder,
        repo_id=repo_id or Path(str(trainer.args.output_dir)).name,
        model=trainer.network,
        parsing=parsing,
        training=trainer.args,
        figures=figures,
        network_figures=network_figures,
        rows=(len(splits.train), len(splits.validation)),
        dataset_commit=splits.commit,
        argv=argv,
        epochs=trainer.state.epoch,
        seconds=seconds,
    )


def _write_log(log: list[dict[str, Any]], path: Path) -> None:
    """A line per evaluation, with the mean training loss since the one before."""
    losses: list[float] = []
    columns = {
        "epoch": "epoch",
        "step": "step",
        "validation_loss": "eval_loss",
        "mean_iou": "eval_mean_iou",
        "mean_accuracy": "eval_mean_accuracy",
        "overall_accuracy": "eval_overall_accuracy",
    }
    rate = float("nan")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, "training_loss", "learning_rate"])
        for row in log:
            if "loss" in row:
                losses.append(row["loss"])
                rate = row["learning_rate"]
            elif "eval_loss" in row:
                mean = float(np.mean(losses)) if losses else float("nan")
                writer.writerow([row.get(key) for key in columns.values()] + [mean, rate])
                losses = []
