"""Checkpoint states without pickles: restored bit for bit, and never anything but data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_trainer import make_trainer
from transformers.trainer_pt_utils import safe_globals

from clothseg.errors import ConfigError
from clothseg.training.portable_state import STRUCTURE, TENSORS, pack, unpack


def load(path: Path) -> Any:
    with safe_globals():
        return torch.load(path, weights_only=True)


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return type(other) is type(one) and list(one) == list(other) and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return type(other) is type(one) and len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


def test_packed_states_are_restored_exactly(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    flags = ("--max_steps", "2", "--save_strategy", "steps", "--save_steps", "2", "--encoder_lr_scale", "0.5")
    make_trainer(doll_data, tiny_model, tmp_path / "run", *flags).train()
    checkpoint, folder = tmp_path / "run" / "checkpoint-2", tmp_path / "packed"
    torch.save({"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 0}, checkpoint / "scaler.pt")
    folder.mkdir()
    pack(checkpoint, folder)
    assert {path.name for path in folder.iterdir()} == {STRUCTURE, TENSORS}
    unpack(folder)
    names = {path.name for path in folder.iterdir()}
    assert names == {"optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state.pth"}
    for name in names:
        assert equal(load(folder / name), load(checkpoint / name)), name
    assert load(folder / "optimizer.pt")["state"][0]["exp_avg"].abs().sum() > 0


def test_unsupported_types_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    torch.save({"state": {0: {"code": {1, 2}}}}, tmp_path / "optimizer.pt")
    with pytest.raises(ConfigError, match=r"optimizer\.pt\.state\.0\.code .* type set, .* --hub_strategy every_save"):
        pack(tmp_path, tmp_path / "packed")


@pytest.mark.parametrize(
    "damage", [lambda s: {"../optimizer.pt": s}, lambda s: {"notes.txt": s}, lambda s: [s], lambda s: {"scaler.pt": s}]
)
def test_malicious_state_files_write_nothing(damage: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    torch.save({"scale": torch.ones(2)}, tmp_path / "scaler.pt")
    pack(tmp_path, folder)
    structure = {"dict": [["scale", {"tensor": "unknown"}]]}
    (folder / STRUCTURE).write_text(json.dumps(damage(structure)))
    with pytest.raises(ConfigError, match="are damaged or do not belong together"):
        unpack(folder)
    assert {path.name for path in folder.iterdir()} == {STRUCTURE, TENSORS}
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "scaler.pt"}
