"""An interrupted run stops after its step, says how to resume, and ends with the weights of an undisturbed run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import forked
import pytest
import torch
from small_trainer import SMALL, Signal, make_trainer, same_checkpoints

from clothseg.errors import Interrupted
from clothseg.training import run as module
from clothseg.training.arguments import parse_arguments
from clothseg.training.checkpoints import usable_checkpoint


ROOT = Path(__file__).parents[2]
# 6 steps an epoch; dropout, augmentation and average are on, so that all random numbers count
FLAGS = (
    *("--per_device_train_batch_size", "2", "--augmentation", "standard", "--ema_decay", "0.9"),
    *("--eval_strategy", "epoch", "--save_strategy", "epoch", "--learning_rate", "1e-3"),
)


@pytest.fixture(autouse=True, scope="module")
def plain_process() -> Iterator[None]:
    """Use one thread, as the subprocess does, so that sums round alike; and enable Ctrl-C, which shells turn off for
    background jobs."""
    threads, handler = torch.get_num_threads(), signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize(
    ("step", "signum"), [(2, signal.SIGTERM), (6, signal.SIGINT), (8, signal.SIGTERM), (12, signal.SIGINT)]
)
def test_interrupted_run_resumes_with_identical_weights(
    step: int, signum: int, unbroken: Path, doll_data: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """Interrupted within the first and the second epoch, at the end of an epoch, and at the end of the run."""
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *FLAGS, "--num_train_epochs", "2")
    trainer.add_callback(Signal(step, signum))
    before = signal.getsignal(signum)
    trainer.train()
    assert signal.getsignal(signum) is before
    assert trainer.state.global_step == step
    with pytest.raises(Interrupted, match=f"Stopped by {signal.Signals(signum).name} after step {step}, with a"):
        trainer.interruption.raise_if_stopped(step)
    # only complete epochs are evaluated
    assert sum("eval_loss" in entry for entry in trainer.state.log_history) == step // 6

    resumed = make_trainer(doll_data, tiny_model, tmp_path, *FLAGS, "--num_train_epochs", "2")
    checkpoint, _ = usable_checkpoint(tmp_path, averaged=True)
    assert checkpoint.name == f"checkpoint-{step}"
    resumed.train(resume_from_checkpoint=str(checkpoint))
    assert resumed.state.global_step == 12
    assert same_checkpoints(tmp_path / "checkpoint-12", unbroken / "checkpoint-12")
    evaluations = [entry["step"] for entry in resumed.state.log_history if "eval_loss" in entry]
    assert evaluations == [6, 12]


@pytest.fixture(scope="module")
def unbroken(doll_data: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder of an uninterrupted run of two epochs."""
    folder = tmp_path_factory.mktemp("unbroken")
    make_trainer(doll_data, tiny_model, folder, *FLAGS, "--num_train_epochs", "2").train()
    return folder


def test_signal_after_the_last_step_is_not_swallowed(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *FLAGS, "--num_train_epochs", "1")
    trainer.add_callback(Signal(6, signal.SIGINT, evaluating=True))
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert usable_checkpoint(tmp_path, averaged=True)[0].name == "checkpoint-6"


def test_train_command_stops_on_sigterm_and_resumes(
    doll_data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with `timeout` and Slurm: all processes get the signal, including the data loader's."""
    names = ["--model_name_or_path", str(tiny_model), "--dataset_name", str(doll_data), *SMALL, *FLAGS]
    saves = ["--save_strategy", "steps", "--save_steps", "4", "--dataloader_num_workers", "1"]
    argv = [*names, *saves, "--num_train_epochs", "3", "--output_dir", str(tmp_path / "run")]
    process = forked.Popen(
        [sys.executable, str(ROOT / "train_hf.py"), *argv],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    # in the middle of the second epoch, while the loader's process runs
    while not (tmp_path / "run" / "checkpoint-8" / "trainer_state.json").exists() and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 143, said
    checkpoint, skipped = usable_checkpoint(tmp_path / "run", averaged=True)
    step = int(checkpoint.name.split("-")[1])
    assert 8 <= step < 18 and not skipped
    assert said.splitlines()[-1] == (
        f"Stopped by SIGTERM after step {step}, with a checkpoint: continue with the same command and "
        "--resume_from_checkpoint true."
    )

    durations: list[tuple[float, int]] = []
    monkeypatch.setattr(module, "_report", lambda *args: durations.append(args[-2]))
    resumed = [*argv, "--resume_from_checkpoint", "true"]
    module.run(*parse_arguments(resumed), resumed)
    whole = [*argv[:-1], str(tmp_path / "whole")]
    module.run(*parse_arguments(whole), whole)
    assert [before for _, before in durations] == [step, 0]
    assert same_checkpoints(tmp_path / "run" / "checkpoint-18", tmp_path / "whole" / "checkpoint-18")
