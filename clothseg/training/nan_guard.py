"""End a training whose loss or weights are infinite or not a number, before they are saved in a checkpoint.

transformers' own `logging_nan_inf_filter` does the opposite: it logs a mean instead of such a loss, and the training
continues with useless weights.
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from clothseg.errors import DivergedError
from clothseg.training.checkpoints import checkpoints
from clothseg.training.data.dataset import ParsingDataset


MAX_LISTED = 32
"""Largest number of row ids in a message."""


def all_finite(model: nn.Module) -> torch.Tensor:
    """Return () bool on the model's device: whether all parameters and buffers are finite; does not wait for the
    device."""
    values = [value.detach() for value in model.state_dict().values() if value.is_floating_point()]
    # One norm of all tensors takes a few kernels on a GPU instead of two for each of hundreds of tensors.
    return nn.utils.get_total_norm(values).isfinite()


def _copy_to_host(values: torch.Tensor) -> tuple[torch.Tensor, torch.cuda.Event | None]:
    """Start copying to the host; return the copy and the event after which it holds the values, or None if it already
    does."""
    if values.device.type != "cuda":
        return values.cpu(), None
    copy = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    copy.copy_(values, non_blocking=True)
    copied = torch.cuda.Event()
    copied.record()
    return copy, copied


class _Step(NamedTuple):
    """A recorded step: its number, its parts' rows, and flags on the host once `copied` has happened.

    `flags` is (2 + parts,) int32: whether any process's loss, and any process's weights, are not finite; and which
    parts of this process have a finite loss.
    """

    number: int
    rows: list[torch.Tensor]
    flags: torch.Tensor
    copied: torch.cuda.Event | None


class NanGuard(TrainerCallback):
    """Checks the losses of each step and the weights after it; all processes stop at the same step.

    On a GPU a step is checked when the next one has been queued, so that the GPU never waits, and before anything is
    saved or evaluated.
    """

    def __init__(self, rows: ParsingDataset | None, late: bool) -> None:
        """Set up the check.

        Args:
            rows: the Trainer's data set, for the ids of rows in messages.
            late: check each step after the next one has been queued, as on a GPU.
        """
        self._rows, self.late = rows, late
        self._recorded: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._pending: _Step | None = None
        self._processes, self._output = 1, Path()

    def record(self, loss: torch.Tensor, rows: torch.Tensor) -> None:
        """Keep a part's loss (), and the positions (N,) of its rows, until its step ends."""
        self._recorded.append((loss.detach(), rows))

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Check the starting weights.

        Raises:
            DivergedError: the model, or the checkpoint to resume, has weights that are not finite.
        """
        self._recorded.clear()
        self._pending = None
        self._processes, self._output = args.world_size, Path(str(args.output_dir))
        if not all_finite(kwargs["model"]):
            raise DivergedError(
                "The model to start from has weights that are infinite or not a number: choose another "
                "--model_name_or_path or --resume_from_checkpoint."
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Check the step, or the one before; this runs first after a step.

        Raises:
            DivergedError: names the step, its rows and the last checkpoint.
        """
        recorded, self._recorded = self._recorded, []
        finite = torch.stack([loss.isfinite().all() for loss, _ in recorded])
        both = torch.stack([~finite.all(), ~all_finite(kwargs["model"])]).to(torch.int32)
        if self._processes > 1:
            torch.distributed.all_reduce(both, op=torch.distributed.ReduceOp.MAX)
        flags, copied = _copy_to_host(torch.cat([both, finite.to(torch.int32)]))
        self.check_pending()
        self._pending = _Step(state.global_step, [rows for _, rows in recorded], flags, copied)
        if not self.late:
            self.check_pending()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Check the last step.

        Raises:
            DivergedError: as for `check_pending`.
        """
        self.check_pending()

    def check_pending(self) -> None:
        """Check the step that is still unchecked; the trainer calls this before it saves or evaluates.

        Raises:
            DivergedError: names the step, its rows and the last checkpoint.
        """
        step, self._pending = self._pending, None
        if step is None:
            return
        if step.copied is not None:
            step.copied.synchronize()
        loss_is_lost, weights_are_lost, *finite = step.flags.tolist()
        if not loss_is_lost and not weights_are_lost:
            return
        # for a lost loss, only the rows of its parts; for lost weights, all rows of the step
        parts = [rows for rows, is_finite in zip(step.rows, finite, strict=True) if not (loss_is_lost and is_finite)]
        positions = sorted({int(row) for rows in parts for row in rows})
        if self._processes > 1:
            gathered: list[list[int]] = [[] for _ in range(self._processes)]
            torch.distributed.all_gather_object(gathered, positions)
            positions = sorted({row for found in gathered for row in found})
        self._stop("loss" if loss_is_lost else "weights", step.number, positions, self._output)

    def _stop(self, what: str, step: int, positions: list[int], output: Path) -> None:
        ids = [str(self._rows.rows[row]["id"]) for row in positions[:MAX_LISTED]] if self._rows else []
        more = f" and {len(positions) - MAX_LISTED} more" if len(positions) > MAX_LISTED else ""
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
