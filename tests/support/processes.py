"""The work of the two processes of test_distributed.py: `python processes.py DATA MODEL OUTPUT`.

The agent of torchrun, which `accelerate launch --multi_gpu` uses as well, starts them as forks of this process, so
that they need not import everything again. Each process writes what it found to `OUTPUT/rank-N.json`; the main one
also weights and checkpoints.
"""

import json
import signal
import sys
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from small_trainer import SMALL, Signal, keep_statistics, losses, make_trainer
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from clothseg.errors import Interrupted
from clothseg.training import run as module
from clothseg.training.arguments import parse_arguments
from clothseg.training.checkpoints import usable_checkpoint
from clothseg.training.process_exit import keep_for_good
from clothseg.training.trainer import ClothesTrainer


# 2 epochs of 3 steps of 4 photos. Plain gradient descent: Adam makes whole steps of gradients that are rounding.
ALIKE = (
    *("--optim", "sgd", "--learning_rate", "0.05", "--max_steps", "6", "--augmentation", "standard"),
    *("--eval_strategy", "epoch", "--dice_weight", "0.5", "--ema_decay", "0.5"),
)
# 2 epochs of 3 steps of 4 photos, with all that is random
WHOLE = (
    *("--per_device_train_batch_size", "2", "--num_train_epochs", "2", "--augmentation", "standard"),
    *("--eval_strategy", "epoch", "--save_strategy", "epoch", "--ema_decay", "0.5", "--learning_rate", "1e-3"),
    *("--per_device_eval_batch_size", "2"),
)


def evaluate(data: Path, model: Path, output: Path) -> dict[str, float]:
    """Figures of 5 photos in batches of 2 per process: 8 places, of which 3 are padding."""
    trainer = make_trainer(data, model, output, "--per_device_eval_batch_size", "2")
    keep_for_good(trainer)
    return trainer.evaluate()


def train(data: Path, model: Path, output: Path, batch: int, accumulation: int) -> dict[str, Any]:
    """Train on 4 photos a step, cut as told."""
    cut = ("--per_device_train_batch_size", str(batch), "--gradient_accumulation_steps", str(accumulation))
    trainer = make_trainer(data, model, output, *ALIKE, *cut)
    keep_for_good(trainer)
    keep_statistics(trainer)
    trainer.train()
    if trainer.args.process_index == 0:
        output.mkdir(exist_ok=True)
        save_file(trainer.network.state_dict(), output / "trained.safetensors")
        save_file(trainer.average.model.module.state_dict(), output / "averaged.safetensors")
    found = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    return {"losses": losses(trainer), "validation": found}


def stop_and_resume(data: Path, model: Path, output: Path) -> int:
    """An undisturbed run, and one in which a single process is told to stop in step 4; returns the last step."""

    def run(folder: str, *flags: str) -> None:
        names = ("--model_name_or_path", str(model), "--dataset_name", str(data), "--output_dir", str(output / folder))
        argv = [*names, *SMALL, *WHOLE, *flags]
        module.run(*parse_arguments(argv), argv)

    report, end, train = module._report, ClothesTrainer.end, ClothesTrainer.train
    module._report, ClothesTrainer.end = lambda *args: None, lambda self: None  # the processes continue together
    run("unbroken")

    def interrupted(self: ClothesTrainer, *args: Any, **kwargs: Any) -> Any:
        if self.args.process_index == 1:
            self.add_callback(Signal(4, signal.SIGTERM))
        return train(self, *args, **kwargs)

    ClothesTrainer.train = interrupted
    try:
        run("broken")
    except Interrupted as stop:
        assert stop.signum == signal.SIGTERM
    checkpoint, _ = usable_checkpoint(output / "broken", averaged=True, processes=2)
    module._report, ClothesTrainer.end, ClothesTrainer.train = report, end, train
    run("broken", "--resume_from_checkpoint", "true")
    return int(checkpoint.name.split("-")[1])


def work(data: Path, model: Path, output: Path) -> None:
    """The work of one process."""
    found: dict[str, Any] = {"evaluated": evaluate(data, model, output)}
    found["cut"] = train(data, model, output / "cut", batch=1, accumulation=2)
    rank = parse_arguments(["--use_cpu", "true"])[1].process_index
    found["stopped"] = stop_and_resume(data, model, output)
    (output / f"rank-{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    config = LaunchConfig(1, 1, 2, rdzv_backend="c10d", rdzv_endpoint="localhost:0", start_method="fork")
    elastic_launch(config, work)(*map(Path, sys.argv[1:4]))
