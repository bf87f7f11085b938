"""Check each option: it works, or is rejected with one sentence before anything is loaded.

An option that was accepted without effect would be noticed after a night on a rented GPU, or never. The tables of
allowed values are in `flag_rules`.
"""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import Trainer, TrainingArguments, get_scheduler
from transformers.integrations import get_available_reporting_integrations
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from transformers.training_args import OptimizerNames

from clothseg.errors import ConfigError
from clothseg.training.config import TrainArguments
from clothseg.training.flag_rules import FIXED, IDLE, LIMITS, METRICS, NEEDS, SHARDING, schedule_of


@dataclass
class Given:
    """Options as given, in layers: each preset is one, the command line is the last.

    `values` maps names to values, later layers overriding earlier ones; `layers` maps names to the layer's number.
    """

    values: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, int] = field(default_factory=dict)

    def add(self, values: dict[str, Any]) -> None:
        """Add a layer on top."""
        number = max(self.layers.values(), default=-1) + 1
        self.values |= values
        self.layers |= dict.fromkeys(values, number)

    def layer(self, *names: str) -> int:
        """Return the last layer that gives one of the options; -1 if none does."""
        return max(self.layers.get(name, -1) for name in names)


def check_values(given: Given) -> None:
    """Reject values that the script does not support, before `TrainingArguments` uses them.

    Raises:
        ConfigError: names the option, and what to use instead.
    """
    for name, value in given.values.items():
        allowed, advice = FIXED.get(name, ((value,), ""))
        if value not in allowed:
            raise ConfigError(f"{_flag(name, value)}: {advice}")
        if any(isinstance(each, float) and not math.isfinite(each) for each in _listed(value)):
            raise ConfigError(f"{_flag(name, value)}: give a finite number.")
        fits, words = LIMITS.get(name, (lambda value: True, ""))
        if value is not None and not fits(value):
            raise ConfigError(f"{_flag(name, value)}: give {words}.")
    metric = str(given.values.get("metric_for_best_model", "loss")).removeprefix("eval_")
    if metric not in METRICS:
        raise ConfigError(f"--metric_for_best_model {metric}: choose one of {', '.join(METRICS)}.")
    _check_reports(given.values.get("report_to") or [])
    for variable in ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"):
        if os.environ.get(variable, "").lower() in ("1", "true", "yes"):
            raise ConfigError(f"accelerate is set up by {variable}: {SHARDING}")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _flag(name: str, value: Any) -> str:
    shown = (
        str(one).lower() if isinstance(one, bool) else f"{one:g}" if isinstance(one, float) else str(one)
        for one in _listed(value)
    )
    return " ".join([f"--{name}", *shown]).rstrip()


def _check_reports(names: Sequence[str] | str) -> None:
    wanted = {names} if isinstance(names, str) else {*names}
    unknown = sorted(wanted - {"none", "all", *INTEGRATION_TO_CALLBACK})
    if unknown:
        known = ", ".join(sorted(INTEGRATION_TO_CALLBACK))
        raise ConfigError(f"--report_to {unknown[0]} is unknown; transformers supports {known}.")
    missing = sorted(wanted - {"none", "all", *get_available_reporting_integrations()})
    if missing:
        raise ConfigError(
            f"--report_to {missing[0]}: its package is not installed; pip install {missing[0].replace('_', '-')}, or "
            "leave the option out. training_log.csv contains the figures in any case."
        )


def check_needs(given: Given, parsing: TrainArguments, training: TrainingArguments) -> None:
    """Reject options that have no effect with the others.

    Raises:
        ConfigError: names the option, and what it needs.
    """
    for need in NEEDS:
        for name in need.flags:
            value = given.values.get(name)
            if value is None or value is IDLE.get(name, False) or given.layer(name) < given.layer(*need.beside):
                continue
            if not need.met(parsing, training):
                raise ConfigError(f"{_flag(name, value)} has no effect here: it needs {need.words}.")


def check_optimizer(parsing: TrainArguments, training: TrainingArguments) -> None:
    """Create optimizer and schedule once for a dummy parameter.

    Raises:
        ConfigError: one of them cannot be created, or does not accept the given options.
    """
    name = f"--optim {OptimizerNames(training.optim).value}"
    group = {"params": [torch.nn.Parameter(torch.zeros(1))], "weight_decay": training.weight_decay}
    kind, options = _made(name, lambda: Trainer.get_optimizer_cls_and_kwargs(training))
    optimizer = _made(name, lambda: kind([group], **options))
    if training.optim_args:
        given, training.optim_args = training.optim_args, None
        plain = Trainer.get_optimizer_cls_and_kwargs(training)[1]
        training.optim_args = given
        if options == plain:
            raise ConfigError(f"--optim_args {given} has no effect here: {name} accepts none of it.")
    if not parsing.lr_decay:
        _made(
            f"--lr_scheduler_type {schedule_of(training)}",
            lambda: get_scheduler(
                training.lr_scheduler_type,
                optimizer,
                training.get_warmup_steps(1_000_000),
                1_000_000,
                training.lr_scheduler_kwargs,  # type: ignore[arg-type]
            ),
        )


def _made(name: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except Exception as error:  # any exception: the libraries hardly check their options
        raise ConfigError(f"{name}: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """Return an error's message in one line."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return f"{text}."
