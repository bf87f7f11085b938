"""The command line of `train_hf.py`: our options, transformers' `TrainingArguments`, and presets of both."""

import argparse
import difflib
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import yaml
from transformers import HfArgumentParser, TrainingArguments
from transformers.trainer_utils import SaveStrategy

from clothseg.errors import ConfigError
from clothseg.training.config import TrainArguments
from clothseg.training.flag_checks import Given, check_needs, check_optimizer, check_values, one_line
from clothseg.training.precision import (
    choose_precision,
    gpu_capability,
    gpu_to_train_on,
    has_tf32,
    precision_notice,
)


PRESETS = Path(__file__).parent / "presets"


EVERY_STEPS = 200
"""Iterations between evaluations on a GPU, as for `mattmdjaga/segformer_b2_clothes`."""

_FEW_WORKERS, _MANY_WORKERS = 2, 8


class Parser(HfArgumentParser):
    """A parser that accepts only full names, and raises an error instead of printing pages of usage."""

    def __init__(self, **kwargs: Any) -> None:
        """Add all our options, those of `TrainingArguments`, and `--preset`."""
        super().__init__(
            [TrainArguments, TrainingArguments],  # type: ignore[list-item]
            usage="python train_hf.py [--preset NAME] [--OPTION VALUE ...]",
            description="Train a clothes segmentation model, with ATR's 18 classes or your own. The options from "
            "--output_dir on are those of transformers' TrainingArguments. docs/training.md is the guide.",
            allow_abbrev=False,
            **kwargs,
        )
        self.add_argument(
            "--preset",
            action="append",
            help="Name or path of a file of options; later presets override earlier ones, and the command line "
            f"overrides all. Names: {_preset_names()}.",
        )

    def error(self, message: str) -> NoReturn:
        """Raise an error with argparse's message.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"{message.removeprefix('argument ').rstrip('.')}. `python train_hf.py --help` lists all options."
        )


def default_training_arguments(given: Given, gpu: bool) -> dict[str, object]:
    """Return our defaults where they differ from those of `TrainingArguments`.

    On a GPU the model is evaluated every 200 iterations, elsewhere after each epoch. A
    checkpoint is written at every fifth evaluation, or at each if the best one is to be kept.

    Args:
        given: options that were given; some defaults depend on them.
        gpu: whether the run trains on a GPU.
    """
    evaluations = given.values.get("eval_strategy", "steps" if gpu else "epoch")
    every = given.values.get("eval_steps", EVERY_STEPS)
    best = given.values.get("load_best_model_at_end") or given.values.get("early_stopping_patience")
    return {
        "output_dir": "runs/clothseg",
        "per_device_train_batch_size": 8,
        "num_train_epochs": 6.0,
        "learning_rate": 1e-4,
        "eval_strategy": evaluations,
        "eval_steps": every if evaluations == "steps" else None,
        "save_strategy": "steps" if evaluations == "steps" else "epoch",
        "save_steps": every if best or every < 1 else 5 * every,
        "save_total_limit": 2,
        "metric_for_best_model": "mean_iou",
        "logging_steps": 50,
        "dataloader_num_workers": _workers() if gpu else _FEW_WORKERS,
        "report_to": "none",
    }


def _workers() -> int:
    """Return the number of processes that decode photos for one GPU."""
    share = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return min(_MANY_WORKERS, max(_FEW_WORKERS, share))


def preset_flags(name: str) -> list[str]:
    """Return the command line options of a preset: a name in `presets/` or the path of a YAML file of `flag: value`
    lines.

    Raises:
        ConfigError: there is no such preset, or it is not a mapping of options.
    """
    path = PRESETS / f"{name}.yaml"
    try:
        if not path.is_file():
            path = Path(name)
        if not path.is_file():
            raise ConfigError(f"--preset {name}: no such preset or file; the presets are: {_preset_names()}.")
        options = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"--preset {name}: {path} is not valid YAML: {error}.") from error
    except OSError as error:
        raise ConfigError(f"--preset {name[:200]} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--preset {name}: {path} is not a text file.") from error
    if not isinstance(options, dict):
        raise ConfigError(f"--preset {name}: {path} must consist of lines of the form `flag: value`.")
    if "preset" in options:
        raise ConfigError(f"--preset {name}: {path} names another preset; give both on the command line.")
    flags: list[str] = []
    for flag, value in options.items():
        values = value if isinstance(value, list) else [value]
        flags += [f"--{flag}", *(json.dumps(one) if isinstance(one, dict) else str(one) for one in values)]
    return flags


def parse_arguments(argv: list[str] | None = None) -> tuple[TrainArguments, TrainingArguments]:
    """Parse a command line; presets apply in order, and options on the command line override them.

    Raises:
        ConfigError: an option or preset is unknown, or a value is wrong or would have no effect.
        SystemExit: after --help.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    given, layers = Given(), _layers(argv)
    for layer in layers:
        given.add(_given_in(layer))
    check_values(given)
    implied, notices = _implied(given)
    for name, value in implied.items():
        given.values[name] = value
    gpu = gpu_to_train_on(given.values)
    precision = choose_precision(given.values, gpu_capability() if gpu else None, gpu and has_tf32())
    parser = Parser()
    parser.set_defaults(**default_training_arguments(given, gpu) | precision)
    flags = [flag for layer in layers for flag in layer]
    flags += [part for name, value in implied.items() for part in (f"--{name}", str(value))]
    try:
        parsing, training, *_ = parser.parse_args_into_dataclasses(flags, look_for_args_file=False)
    except (ValueError, ArithmeticError, ImportError) as error:
        without = " Without such a GPU add --bf16 false." if "bf16" in str(error) else ""
        raise ConfigError(one_line(error) + without) from error
    check_needs(given, parsing, training)
    if parsing.early_stopping_patience:
        _stop_early(training, given)
    if training.greater_is_better and training.lr_scheduler_type in ("reduce_lr_on_plateau", "greedy"):
        # both would treat lower figures as better by default
        training.lr_scheduler_kwargs = {"mode": "max", **(training.lr_scheduler_kwargs or {})}
    check_optimizer(parsing, training)
    training.logging_nan_inf_filter = False  # such a loss ends the training (see `nan_guard`), so it is not hidden
    # Our data and metrics require these three values.
    training.remove_unused_columns = False
    training.label_names = ["labels"]
    training.batch_eval_metrics = True
    if training.device.type == "cpu":
        training.dataloader_pin_memory = False  # only faster with a GPU
    if training.n_gpu > 1:
        notices.append(
            f"Training on one of {training.n_gpu} GPUs: `accelerate launch --multi_gpu train_hf.py ...` uses all."
        )
        training._n_gpu = 1  # `transformers_internals` has the reason
    parsing.notices = [precision_notice(training, precision), *notices]
    parsing.evaluates_by_default = gpu and not {"eval_strategy", "save_strategy"} & given.values.keys()
    return parsing, training


def _layers(argv: list[str]) -> list[list[str]]:
    """Return the options of each preset, and last those of the command line."""
    parser = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    if {"-h", "--help"} & {*argv}:
        helper = Parser()
        helper.set_defaults(**default_training_arguments(Given(), gpu=False))
        helper.parse_args(["--help"])
    presets = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    presets.error = parser.error  # type: ignore[method-assign]
    presets.add_argument("--preset", action="append", default=[])
    found, own = presets.parse_known_args(argv)
    return [*(preset_flags(name) for name in found.preset), own]


def _given_in(flags: list[str]) -> dict[str, Any]:
    """Return names and values of the options in a layer.

    Raises:
        ConfigError: an option is unknown, or has a value of the wrong type.
    """
    parser = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    for action in parser._actions:
        action.default = argparse.SUPPRESS
        action.required = False
    found, unknown = parser.parse_known_args(flags)
    if unknown:
        name = unknown[0].split("=")[0]
        close = difflib.get_close_matches(
            name.replace("-", "_"), [flag.replace("-", "_") for flag in parser._option_string_actions], cutoff=0.75
        )
        guess = f" Did you mean --{close[0].lstrip('_')}?" if close and name.startswith("--") else ""
        raise ConfigError(f"Unknown option {' '.join(unknown)}: `python train_hf.py --help` lists all options.{guess}")
    return vars(found)


def _implied(given: Given) -> tuple[dict[str, Any], list[str]]:
    """Return options that others imply, and messages about them.

    `--eval_steps 50` implies evaluation by steps; a schedule replaces the default decay, and a decay replaces a
    preset's schedule.

    Raises:
        ConfigError: both a decay and a schedule were given.
    """
    implied: dict[str, Any] = {}
    notices: list[str] = []
    for kind in ("eval", "save", "logging"):
        if given.layer(f"{kind}_steps") > given.layer(f"{kind}_strategy"):
            implied[f"{kind}_strategy"] = "steps"
    if given.layer("lr_scheduler_type") > given.layer("lr_scheduler_kwargs") >= 0:
        implied["lr_scheduler_kwargs"] = "{}"  # these belong to another schedule
    decay, schedule = given.layer("lr_decay"), given.layer("lr_scheduler_type", "lr_scheduler_kwargs")
    if schedule > decay:
        implied["lr_decay"] = 0
        kind = given.values.get("lr_scheduler_type", "linear")
        notices.append(f"The schedule {kind} replaces the decay of the learning rate by --lr_decay.")
    elif schedule == decay >= 0 and given.values["lr_decay"]:
        raise ConfigError("--lr_decay and --lr_scheduler_type are two schedules: use one, or --lr_decay 0.")
    return implied, notices


def _stop_early(training: TrainingArguments, given: Given) -> None:
    """Set options that early stopping implies; transformers checks this only for its own option.

    Raises:
        ConfigError: evaluated models are not saved, or the best one would not be kept.
    """
    for name in ("load_best_model_at_end", "restore_callback_states_from_checkpoint"):
        if given.values.get(name) is False:
            raise ConfigError(f"--{name} false contradicts --early_stopping_patience; leave one of them out.")
    evaluates, saves = (str(SaveStrategy(name).value) for name in (training.eval_strategy, training.save_strategy))
    if evaluates == "no":
        raise ConfigError("--early_stopping_patience needs evaluations: set --eval_strategy to epoch or steps.")
    if saves not in (evaluates, "best"):
        raise ConfigError(
            f"--early_stopping_patience keeps the best evaluation: set --save_strategy to {evaluates} or best, "
            f"not {saves}."
        )
    if saves == evaluates == "steps" and training.save_steps % float(training.eval_steps or 1):
        raise ConfigError(
            f"--early_stopping_patience keeps the best evaluation: --save_steps {training.save_steps:g} must be a "
            f"multiple of --eval_steps {training.eval_steps:g}."
        )
    training.load_best_model_at_end = True
    training.restore_callback_states_from_checkpoint = True  # a resumed run continues the count


def _preset_names() -> str:
    return ", ".join(sorted(file.stem for file in PRESETS.glob("*.yaml")))
