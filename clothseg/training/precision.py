"""The number format of a training: chosen for the GPU, unless the user or the launcher has chosen one."""

import os
from collections.abc import Mapping
from typing import Any

import torch
from transformers import TrainingArguments
from transformers.utils import is_torch_tf32_available

from clothseg.errors import ConfigError


FORMATS = ("bf16", "fp16", "tf32")
"""Flags of `TrainingArguments` that choose the format."""

_BFLOAT16_SINCE, _FLOAT16_SINCE = (8, 0), (7, 0)
"""Compute capabilities of the first GPUs with matrix units for bfloat16 (and TF32), and for float16."""


def gpu_to_train_on(given: Mapping[str, Any]) -> bool:
    """Return whether a run with these options (name: value) will train on a CUDA GPU."""
    on_cpu = given.get("use_cpu") or os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
    return not on_cpu and torch.cuda.is_available()


def gpu_capability() -> tuple[int, int]:
    """Return the compute capability of the GPU that this process will train on."""
    return torch.cuda.get_device_capability(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())


def choose_precision(given: Mapping[str, Any], capability: tuple[int, int] | None, tf32: bool) -> dict[str, bool]:
    """Return the options for the GPU's matrix units, which are many times as fast as its float32 arithmetic.

    bfloat16 if the GPU supports it. Otherwise (or with `--bf16 false`) TF32 for matrix products in float32, and on
    GPUs that have neither, float16 with scaled gradients.

    Args:
        given: options that the user has set (name: value); they take precedence.
        capability: of the GPU; None for a CPU, which computes in float32 by default.
        tf32: whether GPU and PyTorch support TF32.
    """
    launched = os.environ.get("ACCELERATE_MIXED_PRECISION", "no") != "no"  # accelerate launch --mixed_precision
    if capability is None or launched or any(given.get(name) for name in FORMATS):
        return {}
    if capability >= _BFLOAT16_SINCE:
        if "bf16" not in given:
            return {"bf16": True}
        return {"tf32": True} if tf32 and "tf32" not in given else {}
    if capability >= _FLOAT16_SINCE and "fp16" not in given:
        return {"fp16": True}
    return {}


def precision_words(training: TrainingArguments) -> str:
    """Return the number format of a training in words."""
    if training.mixed_precision in ("bf16", "fp16"):
        return {"bf16": "bfloat16", "fp16": "float16"}[training.mixed_precision] + " mixed precision"
    if training.mixed_precision != "no":
        return f"{training.mixed_precision} mixed precision"
    return "float32, matrix products in TF32" if training.tf32 else "float32"


def precision_notice(training: TrainingArguments, chosen: Mapping[str, bool]) -> str:
    """Return a line for the log: the precision, and how to turn off the chosen one."""
    if not chosen:
        return f"Precision: {precision_words(training)}."
    flag = next(iter(chosen))
    return f"Precision: {precision_words(training)}, as this GPU is fastest with it; --{flag} false turns it off."


def check_precision(bf16: bool, device: torch.device) -> None:
    """Reject bfloat16 on a CPU without instructions for it, where it is emulated many times slower than float32.

    Raises:
        ConfigError: names the option to drop.
    """
    if bf16 and device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise ConfigError("--bf16: this CPU has no bfloat16 instructions and would be many times slower; drop --bf16.")


def has_tf32() -> bool:
    """Return whether GPU and PyTorch support TF32."""
    return bool(is_torch_tf32_available())
