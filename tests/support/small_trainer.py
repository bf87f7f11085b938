"""A trainer like that of `train_hf.py`, on pictures of 64x64 pixels, for tests of callbacks and checkpoints."""

import signal
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import TrainerCallback, set_seed

from clothseg.training.arguments import parse_arguments
from clothseg.training.data.dataset import ParsingDataset
from clothseg.training.data.loading import load_splits
from clothseg.training.losses import class_weights
from clothseg.training.model import build_model, build_processor
from clothseg.training.trainer import ClothesTrainer


SMALL = (
    *("--image_size", "64", "--augmentation", "none", "--dataloader_num_workers", "0", "--use_cpu", "true"),
    *("--disable_tqdm", "true", "--logging_steps", "1"),
)


def make_trainer(data: Path, model: Path | str, folder: Path, *flags: str) -> ClothesTrainer:
    """A trainer that neither evaluates nor saves nor augments, unless `flags` say so."""
    quiet = ["--eval_strategy", "no", "--save_strategy", "no"]
    parsing, training = parse_arguments([*SMALL, *quiet, "--output_dir", str(folder), *flags])
    set_seed(training.seed)
    splits, processor = load_splits(str(data), None, 0.1, training.seed), build_processor(parsing.size)
    return ClothesTrainer(
        build_model(str(model)),
        training,
        parsing=parsing,
        class_weights=class_weights(parsing.background_weight, parsing.class_weight),
        train_dataset=ParsingDataset(splits.train, processor, parsing.augmentation, training.seed),
        eval_dataset=ParsingDataset(splits.validation, processor),
        processing_class=processor,
    )


def losses(trainer: ClothesTrainer) -> list[float]:
    """The logged training losses."""
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def keep_statistics(trainer: ClothesTrainer) -> None:
    """Turn off batch statistics and dropout, which differ between a batch and its parts."""
    trainer.network.eval()
    trainer.network.train = lambda mode=True, network=trainer.network: network


def same_checkpoints(one: Path, other: Path) -> bool:
    """Whether two checkpoints have bitwise equal weights and averages."""
    files = ("model.safetensors", "average.safetensors")
    states = [(load_file(one / file), load_file(other / file)) for file in files]
    return all(torch.equal(first[name], second[name]) for first, second in states for name in first)


class Signal(TrainerCallback):
    """Gives the process a signal at the start of a step (counted from 1), or in the evaluation after it.

    The handler is called directly, as Python would call it: on a loaded virtual machine, a real signal has
    occasionally killed this process within the C library. test_train_command_stops_on_sigterm_and_resumes in
    tests/training/test_interruption.py sends a real one to another process.
    """

    def __init__(self, step: int, signum: int = signal.SIGTERM, evaluating: bool = False) -> None:
        self.step, self.signum, self.evaluating = step, signum, evaluating

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not self.evaluating and state.global_step + 1 == self.step:
            self._give()

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.evaluating and state.global_step == self.step:
            self._give()

    def _give(self) -> None:
        handler = signal.getsignal(self.signum)
        assert callable(handler)
        handler(self.signum, None)
