"""Killed with SIGKILL at any moment: files appear whole or not at all, and the same command goes on to the end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from paper_dolls import write_parquet
from safetensors.torch import load_file


HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("killed")


@pytest.fixture(scope="module")
def found(tiny_model: Path, folder: Path) -> dict[str, list[str]]:
    """For each work what was found after each kill, and at the end."""
    pytest.importorskip("onnx")
    data = folder / "data"
    data.mkdir()
    for split, count in (("train", 6), ("validation", 2)):
        write_parquet(data / f"{split}.parquet", count, seed=count, height=96, width=64)
    path = os.pathsep.join(map(str, (HERE.parent, HERE, HERE / "training")))
    done = subprocess.run(
        [sys.executable, str(HERE / "killed.py"), str(folder), str(data), str(tiny_model)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_files(found: dict[str, list[str]]) -> None:
    assert found["files"][-1] == "whole" and set(found["files"]) <= {"whole", "nothing"}, found


def test_training_with_checkpoints_model_and_card(found: dict[str, list[str]], folder: Path) -> None:
    """The run that was killed again and again ends with the weights of the one that was not."""
    assert found["train"][-1] == "model" and "half" not in found["train"], found
    one, other = (load_file(folder / "train" / name / "model" / "model.safetensors") for name in ("timed", "killed"))
    assert all((one[name] == other[name]).all() for name in one), found


def test_export(found: dict[str, list[str]]) -> None:
    assert found["export"][-1] == "model" and set(found["export"]) <= {"nothing", "model"}, found
