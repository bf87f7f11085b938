"""Checkpoints: damaged ones are detected and skipped, and a full disk leaves the previous one intact."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from full_disk import file_limit
from small_trainer import make_trainer

from clothseg.errors import ConfigError
from clothseg.training.arguments import parse_arguments
from clothseg.training.checkpoints import checkpoint_to_resume, checkpoints, fault, usable_checkpoint, writing


FLAGS = ("--save_strategy", "steps", "--save_steps", "1", "--ema_decay", "0.9")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil(path: Path) -> None:
    """Change one byte in the middle, as a failing disk does."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


@pytest.fixture(scope="module")
def saved(doll_data: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder of a run with a moving average: checkpoint-1 and checkpoint-2."""
    folder = tmp_path_factory.mktemp("saved")
    make_trainer(doll_data, tiny_model, folder, *FLAGS, "--max_steps", "2").train()
    return folder


@pytest.fixture
def output(saved: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("model.safetensors", cut, "model.safetensors is damaged"),
        ("model.safetensors", Path.unlink, "model.safetensors is missing"),
        ("average.safetensors", cut, "average.safetensors is damaged"),
        ("average.safetensors", Path.unlink, "average.safetensors is missing"),
        ("optimizer.pt", spoil, "optimizer.pt is damaged"),
        ("optimizer.pt", Path.unlink, "optimizer.pt is missing"),
        ("scheduler.pt", cut, "scheduler.pt is damaged"),
        ("rng_state.pth", cut, "rng_state.pth is damaged"),
        ("rng_state.pth", Path.unlink, "rng_state.pth is missing"),
        ("trainer_state.json", cut, "trainer_state.json is damaged"),
        ("trainer_state.json", Path.unlink, "trainer_state.json is missing"),
        ("config.json", Path.unlink, "config.json is missing"),
    ],
)
def test_damaged_checkpoint_is_skipped_or_rejected(
    name: str, damage: Callable[[Path], None], said: str, output: Path
) -> None:
    assert usable_checkpoint(output, averaged=True) == (output / "checkpoint-2", [])
    damage(output / "checkpoint-2" / name)
    found, lines = usable_checkpoint(output, averaged=True)
    assert found == output / "checkpoint-1"
    assert lines == [f"checkpoint-2 cannot be used, {said}: resuming from checkpoint-1 instead."]

    _, training = parse_arguments(["--use_cpu", "true", "--resume_from_checkpoint", str(output / "checkpoint-2")])
    with pytest.raises(ConfigError, match=f"checkpoint-2 cannot be used: {said}"):
        checkpoint_to_resume(training, averaged=True)

    damage(output / "checkpoint-1" / name)
    with pytest.raises(ConfigError, match=rf"contains no complete checkpoint \(checkpoint-2 .*{said}; checkpoint-1 "):
        usable_checkpoint(output, averaged=True)


def test_resume_reports_skipped_checkpoints(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--use_cpu", "true", "--output_dir", str(output), "--resume_from_checkpoint"]
    assert checkpoint_to_resume(parse_arguments([*flags, "false"])[1], averaged=True) is None
    cut(output / "checkpoint-2" / "optimizer.pt")
    assert checkpoint_to_resume(parse_arguments([*flags, "true"])[1], averaged=True) == str(output / "checkpoint-1")
    assert "resuming from checkpoint-1 instead" in capsys.readouterr().err
    (output / "checkpoint-1" / "average.safetensors").unlink()
    named = parse_arguments([*flags, str(output / "checkpoint-1")])[1]
    assert checkpoint_to_resume(named, averaged=False) == str(output / "checkpoint-1")
    with pytest.raises(ConfigError, match="saved without --ema_decay: drop that option"):
        checkpoint_to_resume(named, averaged=True)


def test_each_process_needs_its_random_state(output: Path) -> None:
    last = output / "checkpoint-2"
    assert fault(last, processes=2) is None  # saved by another number of processes
    shutil.copy(last / "rng_state.pth", last / "rng_state_0.pth")
    assert fault(last, processes=2) == "rng_state_1.pth is missing"
    shutil.move(last / "rng_state.pth", last / "rng_state_1.pth")
    assert fault(last, processes=2) is None
    assert fault(last, processes=1) is None


def test_checkpoints_are_sorted_by_step_and_other_folders_ignored(tmp_path: Path) -> None:
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-best", "checkpoint-11.incomplete", "model"):
        (tmp_path / name).mkdir()
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-10", "checkpoint-9"]


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.pt"])
def test_full_disk_keeps_the_previous_checkpoint(file: str, output: Path, doll_data: Path, tiny_model: Path) -> None:
    trainer = make_trainer(doll_data, tiny_model, output, *FLAGS, "--max_steps", "4", "--save_total_limit", "1")
    size = (output / "checkpoint-2" / file).stat().st_size - 1000
    could_not = pytest.raises(
        ConfigError, match=r"checkpoint-3 could not be written .* go on with --resume_from_check"
    )
    with could_not, file_limit(size):
        trainer.train(resume_from_checkpoint=str(output / "checkpoint-2"))
    assert not (output / "checkpoint-3").exists()
    assert usable_checkpoint(output, averaged=True) == (output / "checkpoint-2", [])


def test_failed_first_checkpoint_asks_to_start_again(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No space left .* MB are free there\): free some space, then start again"):
        with writing(tmp_path / "checkpoint-1"):
            raise OSError(28, "No space left on device")
