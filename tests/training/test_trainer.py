"""The trainer learns, is deterministic, and gives the same results for any batch split."""

from pathlib import Path
from typing import Any

import pytest
import torch
from small_trainer import keep_statistics, losses, make_trainer
from transformers import TrainingArguments

from clothseg.errors import ConfigError
from clothseg.training.average import FILE, interpolate_weights
from clothseg.training.data.network_input import normalise
from clothseg.training.evaluation.metrics import confusion_matrix, summarize
from clothseg.training.model import build_model
from clothseg.training.trainer import predicted_classes


def test_loss_decreases_and_every_parameter_changes(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    trainer = make_trainer(doll_data, tiny_model, tmp_path, "--max_steps", "20", "--learning_rate", "2e-3")
    before = {name: value.clone() for name, value in trainer.network.named_parameters()}
    trainer.train()
    fallen = losses(trainer)
    assert sum(fallen[-3:]) < 0.75 * sum(fallen[:3])
    same = [name for name, value in trainer.network.named_parameters() if torch.equal(value, before[name])]
    assert not same


def test_training_learns_real_samples(shared_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    for split in ("train", "validation"):
        (tmp_path / f"{split}.parquet").symlink_to(shared_data / f"sample_{split}.parquet")
    trainer = make_trainer(tmp_path, tiny_model, tmp_path / "run", "--max_steps", "16", "--learning_rate", "1e-3")
    trainer.train()
    fallen = losses(trainer)
    assert sum(fallen[-3:]) < 0.75 * sum(fallen[:3])


def test_same_seed_gives_same_weights(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    flags = ("--max_steps", "3", "--augmentation", "strong", "--ema_decay", "0.9")
    runs = []
    for _ in range(2):  # one after the other: making a trainer sets the seed
        runs.append(make_trainer(doll_data, tiny_model, tmp_path, *flags))
        runs[-1].train()
    assert losses(runs[0]) == losses(runs[1])
    states = [trainer.network.state_dict() for trainer in runs]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_persistent_workers_give_the_same_losses(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    """Each epoch has its own augmentation, and dropout draws the same numbers as without persistent workers."""
    flags = ("--num_train_epochs", "2", "--augmentation", "strong", "--dataloader_num_workers", "1")
    found = []
    for persistent in ("false", "true"):
        trainer = make_trainer(doll_data, tiny_model, tmp_path, *flags, "--dataloader_persistent_workers", persistent)
        trainer.train()
        found.append(losses(trainer))
    assert found[0] == found[1]


@pytest.mark.parametrize("dice", ["0", "1"])
def test_accumulated_batch_equals_a_whole_batch(dice: str, doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    """SegFormer's forward takes **kwargs, so the stock Trainer wrongly assumes that the model scales the loss."""
    found: list[dict[str, Any]] = []
    for size, steps in (("8", "1"), ("2", "4")):
        flags = ("--per_device_train_batch_size", size, "--gradient_accumulation_steps", steps, "--max_steps", "1")
        trainer = make_trainer(doll_data, tiny_model, tmp_path, *flags, "--dice_weight", dice)
        keep_statistics(trainer)
        trainer.train()
        found.append(next(entry for entry in trainer.state.log_history if "loss" in entry))
    assert found[0]["loss"] == pytest.approx(found[1]["loss"], rel=1e-4)
    assert found[0]["grad_norm"] == pytest.approx(found[1]["grad_norm"], rel=1e-3)


def test_default_learning_rate_decays_each_step(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    trainer = make_trainer(doll_data, tiny_model, tmp_path, "--max_steps", "3", "--lr_decay", "0.5")
    trainer.train()
    rates = [entry["learning_rate"] for entry in trainer.state.log_history if "loss" in entry]
    assert rates == pytest.approx([1e-4, 5e-5, 2.5e-5])


def test_warmup_precedes_the_decay(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    flags = ("--max_steps", "4", "--lr_decay", "0.5", "--warmup_steps", "2")
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *flags)
    trainer.train()
    rates = [entry["learning_rate"] for entry in trainer.state.log_history if "loss" in entry]
    assert rates == pytest.approx([0, 5e-5, 1e-4, 5e-5])


def test_named_schedule_and_encoder_lr_scale_are_applied(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    flags = ("--lr_decay", "0", "--lr_scheduler_type", "linear", "--encoder_lr_scale", "0.25", "--max_steps", "2")
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *flags, "--weight_decay", "0.1")
    trainer.train()
    rates = [entry["learning_rate"] for entry in trainer.state.log_history if "loss" in entry]
    assert rates == pytest.approx([1e-4, 5e-5])
    names = {id(value): name for name, value in trainer.network.named_parameters()}
    seen = set()
    for group in trainer.optimizer.param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            seen.add(name)
            assert group["initial_lr"] == pytest.approx(1e-4 if "decode_head" in name else 2.5e-5), name
            assert group["weight_decay"] in (0.0, 0.1)
    assert seen == set(names.values())


def test_evaluation_equals_a_loop_in_batches(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    trainer = make_trainer(doll_data, tiny_model, tmp_path, "--per_device_eval_batch_size", "2")
    figures = trainer.evaluate()
    matrix = 0
    for index in range(len(trainer.eval_dataset)):
        sample = trainer.eval_dataset[index]
        with torch.no_grad():
            pixels = normalise(sample["pixel_values"][None], trainer.processing_class)
            logits = trainer.network.eval()(pixels).logits
        predicted = predicted_classes(logits, sample["labels"][None])
        matrix = matrix + confusion_matrix(sample["labels"].numpy(), predicted[0].numpy())
    for key, value in summarize(matrix).items():
        assert figures[f"eval_{key}"] == pytest.approx(value, abs=1e-12), key
    assert isinstance(trainer.args, TrainingArguments) and trainer.args.batch_eval_metrics


def test_average_is_updated_and_evaluated(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    flags = ("--max_steps", "4", "--learning_rate", "1e-2", "--ema_decay", "0.5", "--save_strategy", "steps")
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *flags, "--save_steps", "2")
    trainer.train()
    assert trainer.average is not None
    trained = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    averaged = trainer.evaluate()
    assert all(torch.equal(value, trained[name]) for name, value in trainer.network.state_dict().items())
    trainer.average.load_into(trainer.network, None)
    trainer.average = None
    assert trainer.evaluate()["eval_loss"] == pytest.approx(averaged["eval_loss"], rel=1e-6)
    assert any(not torch.equal(value, trained[name]) for name, value in trainer.network.state_dict().items())
    assert (tmp_path / "checkpoint-4" / FILE).is_file()


def test_resumed_run_equals_an_unbroken_run(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    flags = ("--max_steps", "4", "--ema_decay", "0.9", "--augmentation", "standard", "--save_strategy", "steps")
    whole = make_trainer(doll_data, tiny_model, tmp_path, *flags, "--save_steps", "2")
    whole.train()
    resumed = make_trainer(doll_data, tiny_model, tmp_path / "elsewhere", *flags, "--save_steps", "2")
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    for one, other in ((whole.network, resumed.network), (whole.average.model, resumed.average.model)):
        states = one.state_dict(), other.state_dict()
        assert all(torch.allclose(states[0][name].float(), states[1][name].float(), atol=1e-6) for name in states[0])
    (tmp_path / "checkpoint-2" / FILE).unlink()
    with pytest.raises(ConfigError, match="saved without --ema_decay"):
        resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))


@pytest.mark.parametrize("batch", ["1", "2", "5"])
def test_validation_loss_is_independent_of_batch_size(
    batch: str, doll_data: Path, tiny_model: Path, tmp_path: Path
) -> None:
    terms = ("--dice_weight", "0.5", "--lovasz_weight", "0.5")
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *terms, "--per_device_eval_batch_size", batch)
    photos = [trainer.eval_dataset[index] for index in range(5)]
    together = {key: torch.stack([photo[key] for photo in photos]) for key in photos[0]}
    with torch.no_grad():
        expected = trainer.compute_loss(trainer.network.eval(), trainer._prepare_inputs(together))
    assert trainer.evaluate()["eval_loss"] == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_better_of_trained_and_averaged_weights_is_kept(
    decay: float, doll_data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(doll_data, tiny_model, tmp_path, "--max_steps", "4", "--ema_decay", str(decay))
    trainer.train()
    trained = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    if not decay:
        candidates = trainer.keep_better()
        assert candidates == {"trained": trainer._figures()["mean_iou"]}
        return
    averaged = {name: value.clone() for name, value in trainer.average.model.module.state_dict().items()}
    average = trainer.average
    for scores, kept, state in (((0.5, 0.4), "trained", trained), ((0.4, 0.5), "averaged", averaged)):
        trainer.average = average
        trainer.network.load_state_dict(trained)
        found = iter(scores)
        monkeypatch.setattr(trainer, "_figures", lambda found=found: {"mean_iou": next(found), "loss": 1.0})
        candidates = trainer.keep_better()
        assert next(iter(candidates.items())) == (kept, 0.5) and len(candidates) == 2
        assert all(torch.equal(value, state[name]) for name, value in trainer.network.state_dict().items())


def test_early_stopping_keeps_the_best_weights(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    """The learning rate is so high that the model soon gets worse."""
    flags = ("--num_train_epochs", "8", "--eval_strategy", "epoch", "--save_strategy", "epoch")
    worse = ("--learning_rate", "0.1", "--early_stopping_patience", "2", "--save_total_limit", "1")
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *flags, *worse)
    trainer.train()
    found = [entry["eval_mean_iou"] for entry in trainer.state.log_history if "eval_mean_iou" in entry]
    best = found.index(max(found))
    assert len(found) == best + 3 < 8
    assert next(iter(trainer.keep_better().values())) == pytest.approx(max(found))


def test_interpolate_weights_is_linear(tiny_model: Path) -> None:

    model = build_model(str(tiny_model))
    start = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        for value in model.state_dict().values():
            value.add_(1)  # counts of batches as well
    interpolate_weights(model, start, 0.25)
    for name, value in model.state_dict().items():
        assert torch.allclose(value.float(), start[name].float() + (0.75 if value.is_floating_point() else 1)), name
