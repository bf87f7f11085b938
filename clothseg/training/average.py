"""Exponential moving average (EMA) of a model's weights, kept beside each checkpoint."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.swa_utils import PARAM_LIST, AveragedModel, get_ema_multi_avg_fn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from clothseg.errors import ConfigError


FILE = "average.safetensors"


@torch.no_grad()
def interpolate_weights(model: nn.Module, start: dict[str, torch.Tensor], share: float) -> None:
    """Move a fine-tuned model back towards its starting weights: (1 - share) * weights + share * start.

    On the line between the two, a model often does better than at either end, most of all on what the fine-tuning
    showed little of (WiSE-FT, Wortsman et al., 2022). Buffers such as batch statistics are mixed as well.

    Args:
        model: changed in place.
        start: its `state_dict` before training.
    """
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.lerp_(start[name].to(value), share)


class WeightAverage(TrainerCallback):
    """Follows a training: after each step, average = decay * average + (1 - decay) * weights; buffers too."""

    def __init__(self, decay: float) -> None:
        """Average over about the last 1 / (1 - decay) steps."""
        self.decay = decay
        self.checkpoint: str | None = None  # the one to go on from
        self.model: AveragedModel | None = None

    def _average(self, averaged: PARAM_LIST, current: PARAM_LIST, _: torch.Tensor | int) -> None:
        # All tensors of a kind at once, and the count from the CPU: a GPU would be waited for at each of hundreds.
        if averaged[0].is_floating_point():
            assert self.model is not None
            count = int(self.model.n_averaged)
            # The first steps' weights are the worst: they are forgotten sooner.
            get_ema_multi_avg_fn(min(self.decay, (1 + count) / (10 + count)))(averaged, current, _)
        else:
            for ours, theirs in zip(averaged, current, strict=True):
                ours.copy_(theirs)

    @contextlib.contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """`model` carries the averaged weights within this context."""
        if self.model is None:
            yield
            return
        trained = {name: value.clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.model.module.state_dict())
        try:
            yield
        finally:
            model.load_state_dict(trained)

    def load_into(self, model: nn.Module, checkpoint: str | None) -> None:
        """Put the average into `model` for good: that of `checkpoint`, or the last one."""
        if checkpoint is not None:
            model.load_state_dict(load_file(Path(checkpoint) / FILE))
        elif self.model is not None:
            model.load_state_dict(self.model.module.state_dict())

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start from the model's weights, or go on from the checkpoint that is resumed.

        Raises:
            ConfigError: the checkpoint holds no average.
        """
        self.model = AveragedModel(kwargs["model"], multi_avg_fn=self._average, use_buffers=True)
        if self.checkpoint is not None:
            stored = Path(self.checkpoint) / FILE
            if not stored.is_file():
                raise ConfigError(
                    f"{self.checkpoint} holds no {FILE}: it was saved without --ema_decay; drop that flag."
                )
            self.model.module.load_state_dict(load_file(stored))
            self.model.n_averaged.fill_(state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Follow the weights one step."""
        assert self.model is not None
        self.model.update_parameters(kwargs["model"])

    def save(self, folder: Path) -> None:
        """Write the average into a checkpoint."""
        assert self.model is not None
        save_file({key: value.contiguous() for key, value in self.model.module.state_dict().items()}, folder / FILE)
