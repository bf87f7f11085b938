"""Exponential moving average (EMA) of a model's weights, saved with each checkpoint."""

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
    """Interpolate a fine-tuned model with its starting weights: (1 - share) * weights + share * start.

    A model between the two is often better than either, especially on data that the fine-tuning covered little
    (WiSE-FT, Wortsman et al., 2022). Buffers such as batch statistics are interpolated as well.

    Args:
        model: changed in place.
        start: its `state_dict` before training.
        share: of the starting weights, 0..1.
    """
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.lerp_(start[name].to(value), share)


class WeightAverage(TrainerCallback):
    """Updates an average after each step: average = decay * average + (1 - decay) * weights; buffers included."""

    def __init__(self, decay: float) -> None:
        """Average over about the last 1 / (1 - decay) steps."""
        self.decay = decay
        self.checkpoint: str | None = None  # the checkpoint to resume from
        self.model: AveragedModel | None = None

    def _average(self, averaged: PARAM_LIST, current: PARAM_LIST, _: torch.Tensor | int) -> None:
        # All tensors of a type at once, with the step count on the CPU; otherwise the CPU would wait for the GPU at
        # each tensor.
        if averaged[0].is_floating_point():
            assert self.model is not None
            count = int(self.model.n_averaged)
            # A smaller decay at first, since the weights of the first steps are the worst.
            get_ema_multi_avg_fn(min(self.decay, (1 + count) / (10 + count)))(averaged, current, _)
        else:
            for ours, theirs in zip(averaged, current, strict=True):
                ours.copy_(theirs)

    @contextlib.contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Use the averaged weights in `model` within this context."""
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
        """Load the average into `model`: that of `checkpoint`, or else the current one."""
        if checkpoint is not None:
            model.load_state_dict(load_file(Path(checkpoint) / FILE))
        elif self.model is not None:
            model.load_state_dict(self.model.module.state_dict())

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start from the model's weights, or continue from the resumed checkpoint.

        Raises:
            ConfigError: the checkpoint contains no average.
        """
        self.model = AveragedModel(kwargs["model"], multi_avg_fn=self._average, use_buffers=True)
        if self.checkpoint is not None:
            stored = Path(self.checkpoint) / FILE
            if not stored.is_file():
                raise ConfigError(
                    f"{self.checkpoint} contains no {FILE}: it was saved without --ema_decay; drop that flag."
                )
            self.model.module.load_state_dict(load_file(stored))
            self.model.n_averaged.fill_(state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Update the average after a step."""
        assert self.model is not None
        self.model.update_parameters(kwargs["model"])

    def save(self, folder: Path) -> None:
        """Write the average into a checkpoint."""
        assert self.model is not None
        save_file({key: value.contiguous() for key, value in self.model.module.state_dict().items()}, folder / FILE)
