"""Pushes during training: what reaches the Hub when, and resuming from the Hub on another machine.

Covers `clothseg.training.publish.hub_checkpoints`, `clothseg.training.publish.progress_card`.
"""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_hub import LocalHub
from safetensors.torch import load_file
from small_trainer import SMALL, Signal, same_checkpoints

from clothseg import Segmenter
from clothseg.errors import ConfigError, HubError, Interrupted
from clothseg.training import run as module
from clothseg.training.arguments import parse_arguments
from clothseg.training.checkpoints import checkpoint_to_resume
from clothseg.training.publish.hub_checkpoints import LAST
from clothseg.training.trainer import ClothesTrainer


PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
# 3 steps an epoch; dropout, augmentation and average are on, so that all random numbers count
FLAGS = (
    *(
        "--per_device_train_batch_size",
        "4",
        "--augmentation",
        "standard",
        "--ema_decay",
        "0.9",
        "--num_train_epochs",
        "2",
    ),
    *("--eval_strategy", "epoch", "--save_strategy", "epoch", "--learning_rate", "1e-3", "--save_total_limit", "1"),
    *("--load_best_model_at_end", "true", "--num_train_epochs", "2"),
)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalHub]:
    with LocalHub({"hf_alice": "alice", "hf_bob": "bob"}) as hub:
        hub.use_here(monkeypatch, tmp_path / "home", "hf_alice")
        yield hub


def train(data: Path, model: Path, output: Path, *flags: str) -> Path:
    names = ["--model_name_or_path", str(model), "--dataset_name", str(data), "--output_dir", str(output)]
    argv = [*names, *SMALL, *FLAGS, *flags]
    return module.run(*parse_arguments(argv), argv)


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send SIGTERM to the next trainers in this step."""
    initialize = ClothesTrainer.__init__

    def with_signal(self: ClothesTrainer, *args: object, **kwargs: object) -> None:
        initialize(self, *args, **kwargs)
        self.add_callback(Signal(step, signal.SIGTERM))

    monkeypatch.setattr(ClothesTrainer, "__init__", with_signal)


def push_flags(strategy: str, *more: str) -> list[str]:
    return ["--push_to_hub", "--hub_model_id", "alice/clothes", "--hub_strategy", strategy, *more]


@pytest.mark.parametrize(("strategy", "step"), [("checkpoint", 2), ("all_checkpoints", 5)])
def test_interrupted_run_resumes_from_the_hub(
    strategy: str,
    step: int,
    hub: LocalHub,
    doll_data: Path,
    image_classifier: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A run stopped by SIGTERM and resumed from the Hub in another folder has the weights of an unbroken run."""
    monkeypatch.setattr(module, "_report", lambda *args, **kwargs: None)  # after the training, and long
    train(doll_data, image_classifier, tmp_path / "unbroken")
    with monkeypatch.context() as patch:
        stop_at(step, patch)
        with pytest.raises(
            Interrupted, match=rf"after step {step}, with a checkpoint, also in alice/clothes on the Hub"
        ):
            train(doll_data, image_classifier, tmp_path / "first", *push_flags(strategy, "--hub_token", "hf_alice"))
    files = hub.files("model", "alice/clothes")
    folders = {path.split("/")[0] for path in files if "/" in path}
    assert folders == ({LAST} if strategy == "checkpoint" else {"checkpoint-3", "checkpoint-5"})
    assert not [path for path in files if path.endswith(PICKLES)]
    assert not [path for path, data in files.items() if b"hf_alice" in data or str(tmp_path).encode() in data]
    assert {"model.safetensors", "config.json", "preprocessor_config.json", "training_log.csv"} <= set(files)
    card = files["README.md"].decode()
    assert f"**in training**: step {step} of 6" in card and "not for commercial use" in card
    assert not (tmp_path / "first" / "to_hub").exists()

    capsys.readouterr()
    resumed = push_flags(strategy, "--resume_from_checkpoint", "true")
    train(doll_data, image_classifier, tmp_path / "second", *resumed)
    assert f"Resuming from checkpoint-{step} of alice/clothes on the Hub." in capsys.readouterr().err
    assert same_checkpoints(tmp_path / "second" / "checkpoint-6", tmp_path / "unbroken" / "checkpoint-6")
    one, other = (load_file(tmp_path / run / "model" / "model.safetensors") for run in ("second", "unbroken"))
    assert one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


def test_every_save_pushes_a_loadable_model(
    hub: LocalHub, doll_data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default strategy pushes only averaged weights, loadable at once, and the finished model at the end."""
    monkeypatch.delenv("HF_TOKEN")
    with monkeypatch.context() as patch:
        stop_at(4, patch)
        with pytest.raises(Interrupted, match=r"after step 4, with a checkpoint: continue"):
            train(doll_data, tiny_model, tmp_path / "run", *push_flags("every_save", "--hub_token", "hf_alice"))
    files = hub.files("model", "alice/clothes")
    assert not [path for path in files if "/" in path]
    (tmp_path / "pulled").mkdir()
    for name, data in files.items():
        (tmp_path / "pulled" / name).write_bytes(data)
    assert Segmenter.from_pretrained(tmp_path / "pulled").image_size == (64, 64)
    average = load_file(tmp_path / "run" / "checkpoint-4" / "average.safetensors")
    pushed = load_file(tmp_path / "pulled" / "model.safetensors")
    assert pushed["decode_head.classifier.weight"].equal(average["decode_head.classifier.weight"])
    for path in (tmp_path / "run").rglob("*"):
        assert not path.is_file() or b"hf_alice" not in path.read_bytes(), path
    arguments = json.loads((tmp_path / "run" / "checkpoint-4" / "training_args.json").read_text())
    assert arguments["learning_rate"] == 1e-3

    again = push_flags("every_save", "--hub_token", "hf_alice", "--resume_from_checkpoint", "true")
    folder = train(doll_data, tiny_model, tmp_path / "run", *again)
    files = hub.files("model", "alice/clothes")
    assert files["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    assert "**in training**" not in files["README.md"].decode() and "figures.json" in files


def test_hub_failure_does_not_stop_training(
    hub: LocalHub,
    doll_data: Path,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, "_report", lambda *args, **kwargs: None)
    hub.misbehave(500, "POST .*/commit/")
    with monkeypatch.context() as patch:
        stop_at(2, patch)
        with pytest.raises(Interrupted, match=r"\(which is not on the Hub: What was saved at step 2 is not"):
            train(doll_data, tiny_model, tmp_path / "run", *push_flags("checkpoint"))
    assert "The training continues." in capsys.readouterr().err
    hub.behave()
    train(doll_data, tiny_model, tmp_path / "run", *push_flags("end", "--resume_from_checkpoint", "auto"))
    files = hub.files("model", "alice/clothes")
    assert "model.safetensors" in files and not [path for path in files if "/" in path]


def test_resume_without_any_checkpoint_gives_a_clear_error(hub: LocalHub, tmp_path: Path) -> None:
    flags = ["--use_cpu", "true", "--output_dir", str(tmp_path / "run"), "--resume_from_checkpoint"]
    with pytest.raises(ConfigError, match=r"run contains no checkpoint-N folder, and alice/none on the Hub none"):
        checkpoint_to_resume(parse_arguments([*flags, "true"])[1], averaged=False, repo_id="alice/none")
    assert checkpoint_to_resume(parse_arguments([*flags, "auto"])[1], averaged=False, repo_id="alice/none") is None
    assert checkpoint_to_resume(parse_arguments([*flags, "auto"])[1], averaged=False) is None
    with pytest.raises(ConfigError, match=r"alice/none is neither a folder nor a model on the Hub with a checkpoint"):
        checkpoint_to_resume(parse_arguments([*flags, "alice/none"])[1], averaged=False)
    hub.misbehave(503)
    with pytest.raises(HubError, match="alice/none"):
        checkpoint_to_resume(parse_arguments([*flags, "auto"])[1], averaged=False, repo_id="alice/none")
