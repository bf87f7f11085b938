"""After SIGKILL at any moment, files are complete or absent, and the same command finishes the work."""

import json
import os
import sys
import time
from pathlib import Path

import forked
import pytest
from paper_dolls import draw, write_parquet
from PIL import Image
from safetensors.torch import load_file

from clothseg.images.atomic_files import LEFT_SECONDS, clear_leftovers


ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("killed")


@pytest.fixture(scope="module")
def found(tiny_model: Path, folder: Path) -> dict[str, list[str]]:
    """For each kind of work, the state found after each kill and at the end."""
    pytest.importorskip("onnx")
    data = folder / "data"
    data.mkdir()
    for split, count in (("train", 6), ("validation", 2)):
        write_parquet(data / f"{split}.parquet", count, seed=count, height=96, width=64)
    (folder / "photos").mkdir()
    for seed in range(8):
        Image.fromarray(draw(seed, 96, 64).image).save(folder / "photos" / f"{seed}.png")
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests" / "support")))
    done = forked.run(
        [sys.executable, str(ROOT / "tests" / "support" / "killed.py"), str(folder), str(data), str(tiny_model)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_killed_write_leaves_a_complete_file_or_none(found: dict[str, list[str]]) -> None:
    assert found["files"][-1] == "whole" and set(found["files"]) <= {"whole", "nothing"}, found


def test_killed_training_resumes_to_the_same_weights(found: dict[str, list[str]], folder: Path) -> None:
    """The repeatedly killed run ends with the weights of the undisturbed run."""
    assert found["train"][-1] == "model" and "half" not in found["train"], found
    one, other = (load_file(folder / "train" / name / "model" / "model.safetensors") for name in ("timed", "killed"))
    assert all((one[name] == other[name]).all() for name in one), found


def test_killed_export_leaves_a_complete_model_or_none(found: dict[str, list[str]]) -> None:
    assert found["export"][-1] == "model" and set(found["export"]) <= {"nothing", "model"}, found


def test_killed_batch_leaves_a_complete_zip_or_none(found: dict[str, list[str]], folder: Path) -> None:
    """Temporary files of killed batches are removed by a batch that runs an hour later."""
    assert found["batch"][-1] == "zip" and set(found["batch"]) <= {"nothing", "zip"}, found
    killed = folder / "batch" / "killed"
    left = write_left(killed)
    for age, stays in ((0, True), (2 * LEFT_SECONDS, False)):
        os.utime(left, (time.time() - age,) * 2)
        clear_leftovers(killed)
        assert left.exists() == stays and (killed / "out.zip").exists()


def write_left(folder: Path) -> Path:
    """Let a process be killed while it writes a file in the folder; returns the temporary file that remains."""
    before = set(folder.iterdir())
    code = (
        "import os, pathlib, sys; from clothseg.images.atomic_files import atomic_path\n"
        "with atomic_path(pathlib.Path(sys.argv[1])) as path: path.write_text('half'); os.kill(os.getpid(), 9)"
    )
    done = forked.run([sys.executable, "-c", code, str(folder / "out.zip")], cwd=ROOT, check=False)
    assert done.returncode == -9
    (left,) = set(folder.iterdir()) - before
    return left


def test_killed_folder_run_continues_where_it_stopped(found: dict[str, list[str]]) -> None:
    """Finished photos are kept, and the same command processes the others."""
    *killed, last = found["segment"]
    assert last == "table" and "half" not in killed, found
