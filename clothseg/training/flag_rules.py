"""Tables for the options of transformers' `TrainingArguments`: allowed values, and which options need others.

`flag_checks` applies these tables.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from transformers import SchedulerType, TrainingArguments
from transformers.trainer_utils import SaveStrategy

from clothseg.models.clothseg_lite import VARIANTS
from clothseg.training.config import TrainArguments


_EVALUATION = "evaluations only count pixels, batch by batch; leave the option out."
_LANGUAGE = "it is for language models; leave the option out."
SHARDING = "these networks fit on one GPU and are not sharded; several GPUs: `accelerate launch --multi_gpu`."

FIXED: dict[str, tuple[tuple[Any, ...], str]] = {
    "do_train": ((True,), "train_hf.py trains; `python -m clothseg evaluate` scores a model."),
    "do_eval": ((True,), "--eval_strategy no turns evaluations off."),
    "do_predict": ((False,), "`python -m clothseg segment` segments photos."),
    "label_smoothing_factor": (
        (0.0,),
        "the loss has none; --focal_gamma, --dice_weight and --lovasz_weight change it.",
    ),
    "remove_unused_columns": ((False,), "rows contain only what network and losses use; leave the option out."),
    "label_names": ((["labels"],), "the name of the labels is fixed; leave the option out."),
    "logging_nan_inf_filter": ((False,), "a loss that is not a number ends the training; leave the option out."),
    "batch_eval_metrics": ((True,), _EVALUATION),
    "prediction_loss_only": ((False,), _EVALUATION),
    "eval_do_concat_batches": ((True,), _EVALUATION),
    "eval_use_gather_object": ((False,), _EVALUATION),
    "eval_accumulation_steps": ((), _EVALUATION),
    "include_for_metrics": (([],), _EVALUATION),
    "bf16_full_eval": ((False,), "evaluations use the precision of the training, see --bf16."),
    "fp16_full_eval": ((False,), "evaluations use the precision of the training, see --fp16."),
    "average_tokens_across_devices": ((True,), "the loss is a mean over the photos of all processes in any case."),
    "include_num_input_tokens_seen": (("no", "False", "false", False), "photos have no tokens."),
    "use_liger_kernel": ((False,), _LANGUAGE),
    "liger_kernel_config": ((), _LANGUAGE),
    "use_cache": ((False,), _LANGUAGE),
    "neftune_noise_alpha": ((), _LANGUAGE),
    "optim_target_modules": ((), _LANGUAGE),
    "auto_find_batch_size": (
        (False,),
        "the batch belongs to the recipe; lower --per_device_train_batch_size and raise "
        "--gradient_accumulation_steps by the same factor, which gives the same training.",
    ),
    "save_only_model": ((False,), "such a checkpoint cannot be resumed; --save_total_limit 1 saves space."),
    "enable_jit_checkpoint": ((False,), "SIGTERM and Ctrl-C leave a checkpoint in any case."),
    "accelerator_config": ((), "the order of the rows requires accelerate's defaults; leave the option out."),
    "parallelism_config": ((), SHARDING),
    "fsdp": ((), SHARDING),
    "fsdp_config": ((), SHARDING),
    "deepspeed": ((), SHARDING),
    "train_sampling_strategy": (("random", "sequential"), "photos have no lengths; use random or sequential."),
    "length_column_name": ((), "photos have no lengths; leave the option out."),
    "debug": (("", [], "underflow_overflow", ["underflow_overflow"]), "underflow_overflow alone is known here."),
}
"""Option: allowed values, and the advice for others."""

_ONE = (lambda value: value >= 1, "1 or more")
_ABOVE = (lambda value: value > 0, "a number above 0")
_NOT_NEGATIVE = (lambda value: value >= 0, "0 or more")
_BETA = (lambda value: 0 <= value < 1, "0 or more, below 1")
_SEED = (lambda value: 0 <= value < 2**32, "a number from 0 to 4294967295")


def _is_mapping(value: Any) -> bool:
    try:
        return isinstance(value, dict) or isinstance(json.loads(value), dict)
    except ValueError:
        return False


LIMITS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "per_device_train_batch_size": _ONE,
    "per_device_eval_batch_size": _ONE,
    "gradient_accumulation_steps": _ONE,
    "save_total_limit": _ONE,
    "torch_empty_cache_steps": _ONE,
    "dataloader_prefetch_factor": _ONE,
    "ddp_bucket_cap_mb": _ONE,
    "ddp_timeout": _ONE,
    "max_steps": (lambda value: value == -1 or value >= 1, "1 or more, or -1 for --num_train_epochs"),
    "num_train_epochs": _ABOVE,
    "learning_rate": _ABOVE,
    "logging_steps": _ABOVE,
    "eval_steps": _ABOVE,
    "save_steps": _ABOVE,
    "max_grad_norm": _NOT_NEGATIVE,
    "weight_decay": _NOT_NEGATIVE,
    "warmup_steps": _NOT_NEGATIVE,
    "eval_delay": _NOT_NEGATIVE,
    "adam_beta1": _BETA,
    "adam_beta2": _BETA,
    "adam_epsilon": _NOT_NEGATIVE,
    "dataloader_num_workers": _NOT_NEGATIVE,
    "seed": _SEED,
    "data_seed": _SEED,
    "lr_scheduler_kwargs": (_is_mapping, """JSON, such as '{"power": 2}'"""),
    "activation_checkpointing_kwargs": (_is_mapping, """JSON, such as '{"use_reentrant": false}'"""),
    "gradient_checkpointing_kwargs": (_is_mapping, """JSON, such as '{"use_reentrant": false}'"""),
}
"""Option: test of the values, and the allowed values in words."""


class Need(NamedTuple):
    """Options that have an effect only if others, `beside`, allow it."""

    flags: tuple[str, ...]
    beside: tuple[str, ...]
    met: Callable[[TrainArguments, TrainingArguments], bool]
    words: str


def _reports_to(*names: str) -> Callable[[TrainArguments, TrainingArguments], bool]:
    return lambda parsing, training: bool({*names} & {*(training.report_to or ())})


def _strategy(name: str, *wanted: str) -> Callable[[TrainArguments, TrainingArguments], bool]:
    return lambda parsing, training: str(SaveStrategy(getattr(training, name)).value) in wanted


def schedule_of(training: TrainingArguments) -> str:
    """Return the name of the learning rate's schedule."""
    return str(SchedulerType(training.lr_scheduler_type).value)


NEEDS = (
    Need(("eval_steps",), ("eval_strategy",), _strategy("eval_strategy", "steps"), "--eval_strategy steps"),
    Need(("save_steps",), ("save_strategy",), _strategy("save_strategy", "steps"), "--save_strategy steps"),
    Need(
        ("logging_steps",), ("logging_strategy",), _strategy("logging_strategy", "steps"), "--logging_strategy steps"
    ),
    Need(
        ("eval_delay",),
        ("eval_strategy",),
        _strategy("eval_strategy", "steps", "epoch"),
        "--eval_strategy steps or epoch",
    ),
    Need(
        ("save_total_limit",),
        ("save_strategy",),
        _strategy("save_strategy", "steps", "epoch", "best"),
        "--save_strategy steps, epoch or best",
    ),
    Need(
        ("lr_scheduler_type", "lr_scheduler_kwargs"),
        ("lr_decay",),
        lambda p, t: not p.lr_decay,
        "--lr_decay 0 (or none)",
    ),
    Need(
        ("lr_scheduler_kwargs",),
        ("lr_scheduler_type",),
        lambda p, t: schedule_of(t) not in ("constant", "constant_with_warmup"),
        "an --lr_scheduler_type that has options, such as polynomial",
    ),
    Need(
        ("warmup_steps",),
        ("lr_scheduler_type", "lr_decay"),
        lambda p, t: bool(p.lr_decay) or schedule_of(t) not in ("constant", "reduce_lr_on_plateau", "greedy"),
        "an --lr_scheduler_type with warm-up, such as constant_with_warmup",
    ),
    Need(
        ("activation_checkpointing_kwargs", "gradient_checkpointing_kwargs"),
        ("activation_checkpointing", "gradient_checkpointing"),
        lambda p, t: bool(t.activation_checkpointing),
        "--activation_checkpointing true",
    ),
    Need(
        (
            "dataloader_persistent_workers",
            "dataloader_prefetch_factor",
            "dataloader_multiprocessing_context",
            "dataloader_in_order",
        ),
        ("dataloader_num_workers",),
        lambda p, t: t.dataloader_num_workers > 0,
        "--dataloader_num_workers above 0",
    ),
    Need(("fp16",), ("use_cpu",), lambda p, t: not t.fp16 or t.device.type != "cpu", "a GPU"),
    Need(
        ("dataloader_pin_memory",),
        ("use_cpu",),
        lambda p, t: t.device.type != "cpu",
        "a GPU to copy to",
    ),
    Need(("run_name",), ("report_to",), lambda p, t: bool(t.report_to), "--report_to, which shows the name"),
    Need(
        ("project", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"),
        ("report_to",),
        _reports_to("trackio"),
        "--report_to trackio",
    ),
    Need(
        ("hub_model_id", "hub_strategy", "hub_always_push", "hub_revision"),
        ("push_to_hub",),
        lambda p, t: bool(t.push_to_hub),
        "--push_to_hub",
    ),
    Need(
        ("hub_private_repo",),
        ("push_to_hub", "report_to"),
        lambda p, t: bool(t.push_to_hub or "trackio" in (t.report_to or ())),
        "--push_to_hub",
    ),
    Need(
        ("model_revision",),
        ("model_name_or_path",),
        lambda p, t: p.model_name_or_path not in VARIANTS and not Path(p.model_name_or_path).is_dir(),
        "a model on the Hub",
    ),
    Need(("dataset_revision",), ("dataset_name",), lambda p, t: not Path(p.dataset_name).is_dir(), "data on the Hub"),
    Need(
        ("teacher_revision",),
        ("teacher_model_name_or_path",),
        lambda p, t: bool(p.teacher_model_name_or_path) and not Path(str(p.teacher_model_name_or_path)).is_dir(),
        "a teacher on the Hub",
    ),
    Need(
        ("test_fraction",),
        ("split_protocol", "split_file"),
        lambda p, t: p.split_protocol == "fraction" and not p.split_file,
        "--split_protocol fraction, without --split_file",
    ),
    Need(
        ("min_teacher_probability",),
        ("unlabelled_name", "flat_lay_name"),
        lambda p, t: bool(p.unlabelled_name or p.flat_lay_name),
        "--unlabelled_name or --flat_lay_name",
    ),
    Need(
        ("distillation_temperature",),
        ("distillation_weight",),
        lambda p, t: p.distillation_weight > 0,
        "--distillation_weight above 0",
    ),
    Need(
        ("background_weight", "class_weight"),
        ("class_weighting",),
        lambda p, t: p.class_weighting == "fixed",
        "--class_weighting fixed",
    ),
    Need(
        ("class_weight_cap",),
        ("class_weighting",),
        lambda p, t: p.class_weighting == "frequency",
        "--class_weighting frequency",
    ),
    Need(
        ("class_crop",), ("augmentation",), lambda p, t: p.augmentation != "none", "--augmentation standard or strong"
    ),
)
"""Checked if an option is given in the same layer as the others or in a later one, so that a command line can change
the options that a preset's other options depend on."""

IDLE = {"dataloader_in_order": True}
"""Values other than False that mean "off"."""

METRICS = ("loss", "mean_iou", "mean_iou_no_background", "mean_accuracy", "overall_accuracy")
"""Values for `--metric_for_best_model`: figures of every evaluation. Those of single classes may be missing."""
