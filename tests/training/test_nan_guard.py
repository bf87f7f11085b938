"""Numbers that are lost end the training at once, and say where; nothing of them is saved."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from small_trainer import SMALL, make_trainer
from transformers import SegformerForSemanticSegmentation, TrainerCallback

from clothseg.errors import DivergedError
from clothseg.training.checkpoints import checkpoints, usable_checkpoint
from clothseg.training.nan_guard import finite
from clothseg.training.objective import Objective


SAVES = ("--save_strategy", "steps", "--save_steps", "1", "--ema_decay", "0.9", "--per_device_train_batch_size", "2")


class Spoil(TrainerCallback):
    """Makes a weight infinite just before the optimizer's step, as a gradient that overflows does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step + 1 == self.step:
            next(kwargs["model"].parameters()).grad.fill_(float("inf"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_lost_loss_names_step_rows_and_checkpoint(
    value: float, doll_data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third step's second part of two is lost: its own two rows are named, and no others."""
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *SAVES, "--gradient_accumulation_steps", "2")
    whole, parts = Objective.__call__, []

    def spoilt(self: Objective, *args: Any) -> torch.Tensor:
        loss = whole(self, *args)
        return loss * value if len(parts) == 6 else loss

    compute = type(trainer).compute_loss

    def noted(self: Any, model: Any, inputs: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> Any:
        parts.append(sorted(trainer.train_dataset.rows[int(row)]["id"] for row in inputs["row"]))
        return compute(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(Objective, "__call__", spoilt)
    monkeypatch.setattr(type(trainer), "compute_loss", noted)
    with pytest.raises(DivergedError) as stopped:
        trainer.train()
    said = str(stopped.value)
    assert f"loss became infinite or not a number in step 3, at the rows {', '.join(parts[5])}; nothing" in said
    assert f"last good checkpoint is {tmp_path / 'checkpoint-2'}:" in said
    assert [folder.name for folder in checkpoints(tmp_path)] == ["checkpoint-2", "checkpoint-1"]
    last, _ = usable_checkpoint(tmp_path, averaged=True)
    assert finite(SegformerForSemanticSegmentation.from_pretrained(last))


def test_lost_weights_are_not_saved_either(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *SAVES, "--max_grad_norm", "0", "--optim", "sgd")
    trainer.add_callback(Spoil(1))
    with pytest.raises(DivergedError, match=r"weights became .* in step 1, at the rows .*There is no checkpoint yet"):
        trainer.train()
    assert checkpoints(tmp_path) == []


def test_lost_weights_are_not_trained_on(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    trainer = make_trainer(doll_data, tiny_model, tmp_path)
    with torch.no_grad():
        next(trainer.network.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(DivergedError, match="model to start from has weights that are infinite or not a number"):
        trainer.train()


def test_buffers_count_and_long_lists_are_cut(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    trainer = make_trainer(doll_data, tiny_model, tmp_path)
    assert finite(trainer.network)
    name, buffer = next((name, value) for name, value in trainer.network.named_buffers() if "running_var" in name)
    buffer[0] = float("inf")
    assert not finite(trainer.network), name
    with pytest.raises(DivergedError, match=r"in step 5, at the rows (\S+, ){31}\S+ and 8 more; nothing"):
        trainer.numbers._stop("loss", 5, [0] * 40, tmp_path)


def test_command_ends_with_one_sentence(
    doll_data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """A learning rate that is far too high, and nothing made up."""
    import train_hf

    names = ["--model_name_or_path", str(tiny_model), "--dataset_name", str(doll_data), "--output_dir", str(tmp_path)]
    rate = ["--learning_rate", "1e30", "--optim", "sgd", "--max_grad_norm", "0", "--max_steps", "9"]
    monkeypatch.setattr(sys, "argv", ["train_hf.py", *names, *SMALL, *rate])
    assert train_hf.main() == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: The ") and "became infinite or not a number in step" in said
    assert not (tmp_path / "model").exists()
