"""NaN and infinite values stop the training at once with step and rows, and are never saved."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from small_trainer import SMALL, make_trainer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import default_collate
from transformers import SegformerForSemanticSegmentation, TrainerCallback

from clothseg.errors import DivergedError
from clothseg.training.checkpoints import checkpoints, usable_checkpoint
from clothseg.training.nan_guard import all_finite
from clothseg.training.objective import Objective


SAVES = ("--save_strategy", "steps", "--save_steps", "1", "--ema_decay", "0.9", "--per_device_train_batch_size", "2")


class Spoil(TrainerCallback):
    """Makes a weight infinite just before the optimizer's step, as a gradient that overflows does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step + 1 == self.step:
            next(kwargs["model"].parameters()).grad.fill_(float("inf"))


@pytest.mark.parametrize(("value", "late"), [(float("nan"), False), (float("inf"), True), (-float("inf"), False)])
def test_non_finite_loss_names_step_rows_and_checkpoint(
    value: float, late: bool, doll_data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of the third step's two parts has a non-finite loss: only its two rows are named."""
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *SAVES, "--gradient_accumulation_steps", "2")
    trainer.nan_guard.late = late  # as on a GPU
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
    assert all_finite(SegformerForSemanticSegmentation.from_pretrained(last))


def test_non_finite_weights_are_not_saved(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *SAVES, "--max_grad_norm", "0", "--optim", "sgd")
    trainer.add_callback(Spoil(1))
    with pytest.raises(DivergedError, match=r"weights became .* in step 1, at the rows .*There is no checkpoint yet"):
        trainer.train()
    assert checkpoints(tmp_path) == []


def test_gpu_finds_non_finite_weights_one_step_later(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    """The error names the step that produced them, whether a step, a checkpoint or the end comes next."""
    never = ("--max_grad_norm", "0", "--optim", "sgd", "--max_steps", "3", "--per_device_train_batch_size", "2")
    for spoilt, saves, last in ((1, ("no",), 2), (1, ("steps", "--save_steps", "1"), 1), (3, ("no",), 3)):
        trainer = make_trainer(doll_data, tiny_model, tmp_path, *never, "--save_strategy", *saves)
        trainer.nan_guard.late = True
        trainer.add_callback(Spoil(spoilt))
        with pytest.raises(
            DivergedError, match=rf"weights became .* in step {spoilt}, at the rows .*no checkpoint yet"
        ):
            trainer.train()
        assert trainer.state.global_step == last and checkpoints(tmp_path) == []


class Waits(TorchDispatchMode):
    """Records operations that make the host wait for a GPU's result, its values or its size."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.overloadpacket.__name__
        by_mask = name in ("index", "index_put", "index_put_") and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]
        )
        if by_mask or name in ("_local_scalar_dense", "item", "nonzero", "bincount", "masked_select", "_unique2"):
            self.found.append(name)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("terms", [(), ("--dice_weight", "1", "--focal_gamma", "2", "--loss_stride", "2")])
def test_training_step_never_synchronises_with_the_gpu(
    terms: tuple[str, ...], doll_data: Path, tiny_model: Path, tmp_path: Path
) -> None:
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *terms)
    trainer.nan_guard.late = True
    batch = default_collate([trainer.train_dataset[row] for row in range(4)])
    with Waits() as waits:
        totals = trainer._get_num_items_in_batch([batch], torch.device("cpu"))
        inputs = trainer._prepare_inputs(batch)
        trainer.compute_loss(trainer.network.train(), inputs, num_items_in_batch=totals).backward()
        assert waits.found == []
        trainer.nan_guard.on_step_end(trainer.args, trainer.state, trainer.control, model=trainer.network)
        assert waits.found == []
        batch["labels"][batch["labels"] != 255].sum().item()
    assert waits.found == ["index", "_local_scalar_dense"]  # proves that the recorder works


def test_training_from_non_finite_weights_is_rejected(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    trainer = make_trainer(doll_data, tiny_model, tmp_path)
    with torch.no_grad():
        next(trainer.network.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(DivergedError, match="model to start from has weights that are infinite or not a number"):
        trainer.train()


def test_non_finite_buffers_are_found_and_long_row_lists_shortened(
    doll_data: Path, tiny_model: Path, tmp_path: Path
) -> None:
    trainer = make_trainer(doll_data, tiny_model, tmp_path)
    assert all_finite(trainer.network)
    name, buffer = next((name, value) for name, value in trainer.network.named_buffers() if "running_var" in name)
    buffer[0] = float("inf")
    assert not all_finite(trainer.network), name
    with pytest.raises(DivergedError, match=r"in step 5, at the rows (\S+, ){31}\S+ and 8 more; nothing"):
        trainer.nan_guard._stop("loss", 5, [0] * 40, tmp_path)


def test_diverged_train_command_ends_with_a_one_line_error(
    doll_data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """A real divergence: the learning rate is far too high."""
    import train_hf

    names = ["--model_name_or_path", str(tiny_model), "--dataset_name", str(doll_data), "--output_dir", str(tmp_path)]
    rate = ["--learning_rate", "1e30", "--optim", "sgd", "--max_grad_norm", "0", "--max_steps", "9"]
    monkeypatch.setattr(sys, "argv", ["train_hf.py", *names, *SMALL, *rate])
    assert train_hf.main() == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: The ") and "became infinite or not a number in step" in said
    assert not (tmp_path / "model").exists()
