"""Run a training from arguments to a finished model folder, and push it."""

import contextlib
import copy
import os
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel, SegformerImageProcessorPil, TrainerState, TrainingArguments, set_seed
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from clothseg.errors import ClothsegError, ConfigError
from clothseg.labels import LABELS_FILE, LabelSet, write_labels
from clothseg.models.clothseg_lite import LiteConfig
from clothseg.segmenter import Segmenter
from clothseg.training.average import interpolate_weights
from clothseg.training.bars import hide_bars
from clothseg.training.checkpoints import checkpoint_to_resume, checkpoints, steps_done, writing
from clothseg.training.class_areas import check_bias, match_class_areas
from clothseg.training.config import TrainArguments
from clothseg.training.data.copy_paste import CopyPaste
from clothseg.training.data.dataset import ParsingDataset
from clothseg.training.data.loading import Splits, load_splits
from clothseg.training.data.mask_encoding import shares_text
from clothseg.training.data.resampling import repeat_factor_indices
from clothseg.training.data.sources import classes_of
from clothseg.training.data.split import SPLIT_FILE
from clothseg.training.distillation import Teacher
from clothseg.training.evaluation.scoring import only_class, report, score
from clothseg.training.losses import class_weights, frequency_weights
from clothseg.training.model import build_model, build_processor
from clothseg.training.precision import check_precision
from clothseg.training.process_exit import keep_for_good
from clothseg.training.progress import FILE as LOG_FILE
from clothseg.training.progress import write_log
from clothseg.training.publish import plots
from clothseg.training.publish.card import write_card
from clothseg.training.publish.progress_card import write_progress_card
from clothseg.training.publish.push import TrainingUploads, prepare_push, push, repository
from clothseg.training.publish.report import write_pictures, write_report
from clothseg.training.self_training import labellings, taught_rows, with_taught_rows
from clothseg.training.trainer import ClothesTrainer


HANDLER = Path(__file__).parent / "publish" / "endpoint_handler.py"
"""The file that `--endpoint_handler` copies as handler.py to the model."""

INCOMPLETE = "model.incomplete"
"""Name of the trained model's folder until figures, plots and card are complete."""


def run(parsing: TrainArguments, training: TrainingArguments, argv: list[str]) -> Path:
    """Train, evaluate, save to `<output_dir>/model`, and push if requested.

    Errors in arguments, data, model or access to the Hub are reported before the first step.

    Args:
        argv: the command line's arguments, for the model card.

    Returns:
        The folder with model, image processor, card, figures and plots.

    Raises:
        ClothsegError: says what is wrong and what to do. After training, the model is on disk in any case, and after a
            failed push the message says how to push it later.
    """
    if training.process_index == 0:
        sys.stderr.writelines(f"{notice}\n" for notice in parsing.notices)
    hide_bars(bool(training.disable_tqdm))
    check_precision(training.bf16, training.device)
    output = Path(str(training.output_dir))
    folder = output / "model"
    hub_name = repository(training) if training.push_to_hub else None
    checkpoint = checkpoint_to_resume(training, averaged=parsing.ema_decay > 0, repo_id=hub_name)
    if checkpoint is None:
        refuse_earlier_run(output, again=training.resume_from_checkpoint == "auto")
    writes = training.process_index == 0
    repo_id = prepare_push(training) if training.push_to_hub and writes else None
    # The Trainer would push pickles, including the token; `publish.push` pushes clean folders instead.
    token, training.push_to_hub, training.hub_token = training.hub_token, False, None

    set_seed(training.seed)
    # Cheap checks first: look up the models before decoding every row, which takes minutes.
    classes = classes_of(parsing.dataset_name, parsing.dataset_revision, parsing.layout)
    labels = classes.labels
    network = build_model(parsing.model_name_or_path, parsing.model_revision, parsing.from_scratch, labels)
    check_network(network, training, parsing)
    processor = build_processor(parsing.size)
    teacher = _teacher(parsing, processor, training.device, labels)
    labels_to_make = labellings(parsing, output, classes) if writes else []
    with training.main_process_first(local=True, desc="check of the rows"):  # the other processes find it in the cache
        splits = load_splits(
            parsing.dataset_name,
            parsing.dataset_revision,
            parsing.test_fraction,
            training.seed,
            protocol=parsing.split_protocol,
            split_file=parsing.split_file,
            on_bad_row=parsing.on_bad_row,
            check=True,
            layout=parsing.layout,
        )
    if writes:
        sys.stdout.write(f"Class shares:\n{shares_text(splits.masks, labels)}\n")
    rows, counts = splits.train, splits.pixels
    if parsing.unlabelled_name or parsing.flat_lay_name:
        with training.main_process_first(desc="labels of the teacher"):
            for labelling in labels_to_make:
                labelling.write()
            labels_to_make = []  # frees the teacher's memory for the training
            taught, taught_counts = taught_rows(parsing, output, splits)
        rows, counts = with_taught_rows(rows, taught), np.concatenate([counts, taught_counts])
    rows = rows.select(repeat_factor_indices(counts, parsing.rare_sampling, training.seed))
    if parsing.evaluates_by_default:
        evaluate_each_short_epoch(training, len(rows))
    trainer = ClothesTrainer(
        network,
        training,
        parsing=parsing,
        class_weights=_class_weights(parsing, counts),
        teacher=teacher,
        labels=labels,
        train_dataset=ParsingDataset(
            rows,
            processor,
            parsing.augmentation,
            training.seed,
            parsing.class_crop,
            parsing.repair_masks,
            parsing.copy_paste,
            CopyPaste(splits.train, splits.pixels, classes) if parsing.copy_paste else None,
            classes,
        ),
        eval_dataset=ParsingDataset(splits.validation, processor, classes=classes),
        processing_class=processor,
    )
    if training.world_size > 1:
        keep_for_good(trainer)
    start: dict[str, torch.Tensor] = {}
    if parsing.weight_interpolation:
        start = {name: value.to("cpu", copy=True) for name, value in trainer.network.state_dict().items()}
    uploads = None
    if repo_id is not None:
        uploads = TrainingUploads(repo_id, token, training, partial(_save_progress, trainer, parsing, repo_id))
        trainer.add_callback(uploads)
    started, before = time.monotonic(), steps_done(checkpoint)
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    except ClothsegError:
        if uploads:
            uploads.finish(superseded=False)
        raise
    seconds = time.monotonic() - started
    where = ""
    if uploads:
        uploads.finish(superseded=not trainer.interruption.signum)
        where = uploads.whereabouts()
    trainer.accelerator.wait_for_everyone()  # a launcher ends the main process soon after the others
    trainer.interruption.raise_if_stopped(trainer.state.global_step, where)
    building = folder.with_name(INCOMPLETE)
    if writes:  # before anything else can go wrong
        shutil.rmtree(building, ignore_errors=True)
        _save(trainer, processor, parsing.save_dtype, building, parsing.endpoint_handler)
    candidates = trainer.keep_better()
    if writes and len(candidates) > 1:
        found = " against ".join(f"{name} {value:.4f}" for name, value in candidates.items())
        sys.stdout.write(f"Kept the {next(iter(candidates))} weights: mIoU of {found}.\n")
    if start:
        interpolate_weights(trainer.network, start, parsing.weight_interpolation)
    if parsing.match_class_areas and writes:
        labelled = ParsingDataset(splits.train, processor, repair_masks=parsing.repair_masks, classes=splits.classes)
        match_class_areas(trainer.network, labelled, labels)
    # Nothing below needs the other processes, which would not wait that long.
    trainer.end()
    if writes:
        _save(trainer, processor, parsing.save_dtype, building)
        _report(trainer, parsing, splits, candidates, repo_id, argv, (seconds, before), building)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(building, folder)
        if repo_id is not None:
            push(folder, repo_id, token, training.hub_revision)
    return folder


def evaluate_each_short_epoch(training: TrainingArguments, rows: int) -> None:
    """Evaluate after each epoch if an epoch has fewer steps than the interval of evaluations."""
    batch = training.train_batch_size * training.gradient_accumulation_steps * training.world_size
    if rows / batch < float(training.eval_steps or 0):
        training.eval_strategy, training.save_strategy = IntervalStrategy.EPOCH, SaveStrategy.EPOCH


def refuse_earlier_run(output: Path, again: bool = False) -> None:
    """Reject an output folder that contains results of an earlier run, which a new one would replace or delete.

    Args:
        output: the folder.
        again: the same run starts again after it stopped before its first checkpoint, so its log may be replaced.

    Raises:
        ConfigError: says what is there and how to continue.
    """
    if output.exists() and not output.is_dir():
        raise ConfigError(f"--output_dir {output} is a file: choose another one.")
    away = "choose another --output_dir, or move it away."
    if (output / "model").exists():
        raise ConfigError(f"{output / 'model'} contains a finished model: {away}")
    if found := checkpoints(output):
        raise ConfigError(
            f"{output} contains checkpoints of an earlier run, the last one {found[0].name}: continue it with "
            f"--resume_from_checkpoint true, {away}"
        )
    for name, what in (
        (INCOMPLETE, "the trained model of a run that did not finish"),
        (LOG_FILE, "an earlier run's log"),
    ):
        if (output / name).exists() and not (again and name == LOG_FILE):
            raise ConfigError(f"{output / name} is {what}: {away}")


def _teacher(
    parsing: TrainArguments, processor: SegformerImageProcessorPil, device: torch.device, labels: LabelSet
) -> Teacher | None:
    if not parsing.distillation_weight:
        return None
    return Teacher(str(parsing.teacher_model_name_or_path), parsing.teacher_revision, processor, device, labels)


def _class_weights(parsing: TrainArguments, counts: npt.NDArray[np.int64]) -> torch.Tensor:
    if parsing.class_weighting == "frequency":
        return frequency_weights(counts.sum(axis=0), parsing.class_weight_cap)
    return class_weights(parsing.background_weight, parsing.class_weight, counts.shape[1])


def check_network(network: Any, training: TrainingArguments, parsing: TrainArguments) -> None:
    """Check that the options suit the network.

    Raises:
        ConfigError: names the option, and what to do instead.
    """
    kind = network.config.model_type
    if training.activation_checkpointing and not network.supports_gradient_checkpointing:
        raise ConfigError(
            f"--activation_checkpointing does not work with {kind}; leave the option out, and lower "
            "--per_device_train_batch_size if memory is short."
        )
    if parsing.endpoint_handler and kind == LiteConfig.model_type:
        raise ConfigError(
            f"--endpoint_handler does not work with {kind}: Inference Endpoints have plain transformers, which cannot "
            "load it; leave the option out, or train a SegFormer."
        )
    if parsing.match_class_areas:
        check_bias(network)


def _save(
    trainer: ClothesTrainer, processor: SegformerImageProcessorPil, dtype: str, folder: Path, handler: bool = False
) -> None:
    with writing(folder):
        _in_format(trainer.network, dtype).save_pretrained(folder)
        processor.save_pretrained(folder)
        write_labels(trainer.labels, folder / LABELS_FILE)
        if handler:
            shutil.copyfile(HANDLER, folder / "handler.py")


def _save_progress(
    trainer: ClothesTrainer, parsing: TrainArguments, repo_id: str, folder: Path, state: TrainerState
) -> None:
    """Save the model in its current state for a push, with a card that says it is still being trained."""
    with trainer.average.applied(trainer.network) if trainer.average else contextlib.nullcontext():
        _save(trainer, trainer.processor, parsing.save_dtype, folder, parsing.endpoint_handler)
    write_log(state.log_history, folder / LOG_FILE)
    write_progress_card(folder, repo_id, trainer.network, parsing, state)


def _in_format(network: PreTrainedModel, name: str) -> PreTrainedModel:
    if name == "float32":
        return network
    return copy.deepcopy(network).to(getattr(torch, name))


def _report(
    trainer: ClothesTrainer,
    parsing: TrainArguments,
    splits: Splits,
    candidates: dict[str, float],
    repo_id: str | None,
    argv: list[str],
    duration: tuple[float, int],
    folder: Path,
) -> None:
    """Score the model saved in `folder` and write figures, plots and card beside it."""
    segmenter, log = Segmenter.from_pretrained(str(folder)), trainer.state.log_history
    part, rows = splits.reported
    scores = score(segmenter, rows, classes=splits.classes)
    only = only_class(scores)
    if only is not None:  # The model is kept: it took hours, and may help to find the cause.
        sys.stderr.write(f"Warning: the trained model labels every pixel of the {part} photos {only}.\n")
    found = report(scores)
    write_log(log, folder / LOG_FILE)
    weights = {
        "kept": next(iter(candidates)),
        "mean_iou": {name: round(value, 6) for name, value in candidates.items()},
    }
    splits.record.write(folder / SPLIT_FILE)
    split = splits.record.summary() | {"reported": part}
    (seconds, before), steps = duration, trainer.state.global_step
    cost = {"steps": steps, "seconds": round(seconds, 3)} | ({"resumed_after": before} if before else {})
    write_report(folder, scores, found, {"weights": weights, "split": split, "training": cost})
    plots.learning_curves(log, folder / "learning_curves.png")
    if parsing.report_photos:
        write_pictures(folder, segmenter, rows, scores, classes=splits.classes)
    write_card(
        folder,
        repo_id=repo_id or Path(str(trainer.args.output_dir)).name,
        model=trainer.network,
        parsing=parsing,
        training=trainer.args,
        report=found,
        matrix=scores.own_size.sum(axis=0),
        rows=(len(splits.train), len(rows)),
        dataset_commit=splits.commit,
        argv=argv,
        epochs=trainer.state.epoch,
        seconds=seconds,
        split=split,
        averaged=weights["kept"] == "averaged",
        log=log,
        labels=trainer.labels,
        resumed=(steps - before, steps) if before else None,
    )
