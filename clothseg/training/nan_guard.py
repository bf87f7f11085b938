"""A loss or a weight that is infinite or not a number ends the training, before it reaches a checkpoint.

transformers' own `logging_nan_inf_filter` does the opposite: it writes a mean in place of such a loss to the log, and
the training goes on with weights that are lost.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from clothseg.errors import DivergedError
from clothseg.training.checkpoints import checkpoints
from clothseg.training.data.dataset import ParsingDataset


SHOWN = 32
"""Row ids that a message lists at most."""


def finite(model: nn.Module) -> torch.Tensor:
    """() bool on the model's device: whether all parameters and buffers are finite, found without waiting for it."""
    values = [value.detach() for value in model.state_dict().values() if value.is_floating_point()]
    # One norm of all: a few kernels on a GPU, not two for each of hundreds of tensors.
    return nn.utils.get_total_norm(values).isfinite()


class FiniteNumbers(TrainerCallback):
    """Looks at the losses of each step and at the weights after it; all processes stop at the same step."""

    def __init__(self, rows: ParsingDataset | None) -> None:
        """Name rows by their ids in `rows`, what the Trainer trains on."""
        self._rows = rows
        self._seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def note(self, loss: torch.Tensor, rows: torch.Tensor) -> None:
        """Keep a part's loss (), and the positions (N,) of its rows, until its step ends."""
        self._seen.append((loss.detach(), rows))

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Refuse weights that are lost already.

        Raises:
            DivergedError: the model, or the checkpoint that is resumed, has weights that are not finite.
        """
        self._seen.clear()
        if not finite(kwargs["model"]):
            raise DivergedError(
                "The model to start from has weights that are infinite or not a number: choose another "
                "--model_name_or_path or --resume_from_checkpoint."
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look at the step; it is the first thing done after it.

        Raises:
            DivergedError: names the step, its rows and the last checkpoint.
        """
        seen, self._seen = self._seen, []
        sound = torch.stack([loss.isfinite().all() for loss, _ in seen])  # on a GPU, waits once
        both = torch.stack([~sound.all(), ~finite(kwargs["model"])]).to(torch.int32)
        if args.world_size > 1:
            torch.distributed.all_reduce(both, op=torch.distributed.ReduceOp.MAX)
        loss_is_lost, weights_are_lost = both.tolist()
        if not loss_is_lost and not weights_are_lost:
            return
        # of a loss its own part's rows; of weights alone, whose loss was sound, all of the step
        parts = [rows for (_, rows), fine in zip(seen, sound.tolist(), strict=True) if not (loss_is_lost and fine)]
        positions = sorted({int(row) for rows in parts for row in rows})
        if args.world_size > 1:
            gathered: list[list[int]] = [[] for _ in range(args.world_size)]
            torch.distributed.all_gather_object(gathered, positions)
            positions = sorted({row for found in gathered for row in found})
        self._stop("loss" if loss_is_lost else "weights", state.global_step, positions, Path(str(args.output_dir)))

    def _stop(self, what: str, step: int, positions: list[int], output: Path) -> None:
        ids = [str(self._rows.rows[row]["id"]) for row in positions[:SHOWN]] if self._rows else []
        more = f" and {len(positions) - SHOWN} more" if len(positions) > SHOWN else ""
        last = next(iter(checkpoints(output)), None)
        base = (
            f"The last good checkpoint is {last}: start from it with --model_name_or_path"
            if last
            else "There is no checkpoint yet: start again with"
        )
        rate = " and a lower --learning_rate" if last else " a lower --learning_rate"
        raise DivergedError(
            f"The {what} became infinite or not a number in step {step}, at the rows {', '.join(ids)}{more}; nothing "
            f"of it was saved. {base}{rate}, or without --fp16 if that was on, and look at these rows."
        )
