"""SIGTERM and Ctrl-C end a training after the current step, with a checkpoint, in all processes at the same step.

transformers' own `enable_jit_checkpoint` does not work for this. It waits three seconds in each process separately, so
several processes stop at different steps and wait for each other forever; it saves in the middle of a step, whose
random numbers a resumed run then draws twice; and it ignores Ctrl-C and callbacks that save.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from clothseg.errors import Interrupted


SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A launcher passes Ctrl-C on to processes that the terminal has already signalled; a second Ctrl-C by a person comes
# later.
SECOND_SECONDS = 2.0
LOADER_SECONDS = 20


class Interruption(TrainerCallback):
    """Handles SIGTERM and SIGINT; `signum` is 0, or the signal that ended the training."""

    def __init__(self) -> None:
        """Start without a signal."""
        self.signum = 0
        self._heard, self._heard_at, self._saved = 0, 0.0, -1

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the two signals within this context; a signal that came too late is raised at its end.

        Python allows this only in the main thread; in other threads, signals keep their usual effect.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        former = {signum: signal.signal(signum, self._hear) for signum in SIGNALS}
        try:
            yield
        finally:
            for signum, handler in former.items():
                signal.signal(signum, handler)
        if self._heard and not self.signum:
            handler = signal.getsignal(self._heard)
            if callable(handler):
                handler(self._heard, None)
            else:
                signal.raise_signal(self._heard)

    def raise_if_stopped(self, step: int, hub: str = "") -> None:
        """Raise an error if a signal ended the training.

        Args:
            hub: text about the checkpoint on the Hub, such as ", also in user/name on the Hub".

        Raises:
            Interrupted: a signal stopped the training after `step`.
        """
        if self.signum:
            name = signal.Signals(self.signum).name
            raise Interrupted(
                self.signum,
                f"Stopped by {name} after step {step}, with a checkpoint{hub}: continue with the same command and "
                "--resume_from_checkpoint true.",
            )

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._heard and signum == signal.SIGINT and now - self._heard_at > SECOND_SECONDS:
            raise KeyboardInterrupt
        if not self._heard:
            self._heard, self._heard_at = signum, now
            # not sys.stderr, which may be in the middle of a write and allows no second one
            os.write(2, b"\nStopping after this step, with a checkpoint. Ctrl-C stops at once.\n")

    def _agree(self, args: TrainingArguments) -> int:
        """Return the signal that any process received."""
        if args.world_size == 1:
            return self._heard
        heard = torch.tensor(self._heard, device=args.device)
        torch.distributed.all_reduce(heard, op=torch.distributed.ReduceOp.MAX)
        return int(heard)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Stop here after a signal, with a checkpoint; after an epoch's last step the evaluation comes first."""
        self.signum = self._agree(args)
        if self.signum:
            if args.save_total_limit == 1:  # at its end the Trainer would delete all checkpoints but the best one
                args.save_total_limit = 2
            control.should_training_stop = control.should_log = True
            control.should_save = control.should_save or not _due(state)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Skip the evaluation if the training was stopped within an epoch; the Trainer calls this then, too."""
        if self.signum:
            control.should_evaluate = control.should_evaluate and _due(state)
            control.should_save = self._saved != state.global_step

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Remember the saved step."""
        self._saved = state.global_step


def _due(state: TrainerState) -> bool:
    """Return whether an epoch, or the training, has really ended."""
    return float(state.epoch or 0).is_integer() or state.global_step >= state.max_steps


def outlive_signals(initialize: Callable[[int], None] | None, worker: int) -> None:
    """Initialise a data loader's process: ignore signals, since the trainer still needs data.

    `timeout`, Slurm and terminals signal all processes of a run together; torch's loaders would end, and the trainer
    with them in the middle of its step. They end a little later instead, unless the trainer ends them first.

    Args:
        initialize: another function to call there.
        worker: number of the loader process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(LOADER_SECONDS))
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    if initialize is not None:
        initialize(worker)
