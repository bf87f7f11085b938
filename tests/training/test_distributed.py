"""Two processes of one launch give the same figures, losses, weights and files as one."""

import csv
import json
import os
import sys
from pathlib import Path
from typing import Any

import forked
import processes
import pytest
import torch
from safetensors.torch import load_file
from small_trainer import make_trainer, same_checkpoints
from transformers import SegformerForSemanticSegmentation


ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model without dropout: only the order of rows and the augmentation are random."""
    folder = tmp_path_factory.mktemp("without") / "dropout"
    rates = {"drop_path_rate": 0.0, "hidden_dropout_prob": 0.0, "classifier_dropout_prob": 0.0}
    SegformerForSemanticSegmentation.from_pretrained(tiny_model, **rates).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def output(doll_data: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder of a run on two processes."""
    folder = tmp_path_factory.mktemp("processes")
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests" / "support")))
    done = forked.run(
        [sys.executable, str(ROOT / "tests" / "support" / "processes.py"), str(doll_data), str(model), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def found(output: Path) -> list[dict[str, Any]]:
    return [json.loads((output / f"rank-{rank}.json").read_text()) for rank in range(2)]


def test_distributed_evaluation_counts_every_row_once(
    found: list[dict[str, Any]], doll_data: Path, model: Path, tmp_path: Path
) -> None:
    alone = processes.evaluate(doll_data, model, tmp_path)
    speeds = {"eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "eval_model_preparation_time"}
    assert len(alone.keys() - speeds) > 20
    for figures in (process["evaluated"] for process in found):
        assert figures.keys() == alone.keys()
        for key in alone.keys() - speeds - {"eval_loss"}:
            assert figures[key] == alone[key], key
        assert figures["eval_loss"] == pytest.approx(alone["eval_loss"], rel=1e-6)


def test_batch_split_across_processes_equals_the_whole_batch(
    found: list[dict[str, Any]], output: Path, doll_data: Path, model: Path, tmp_path: Path
) -> None:
    """1 process x 4 photos x 1 step = 2 processes x 1 photo x 2 accumulated steps, over two augmented epochs."""
    alone = processes.train(doll_data, model, tmp_path, batch=4, accumulation=1)
    assert len(alone["losses"]) == 6 and alone["losses"][-1] < alone["losses"][0]
    for process in found:
        assert process["cut"]["losses"] == pytest.approx(alone["losses"], rel=1e-4)
        assert process["cut"]["validation"] == pytest.approx(alone["validation"], rel=1e-4)
    for file in ("trained.safetensors", "averaged.safetensors"):
        one, other = load_file(tmp_path / file), load_file(output / "cut" / file)
        assert all(torch.allclose(one[name], other[name], rtol=0, atol=1e-5) for name in one)


def test_processes_stop_together_and_resume(found: list[dict[str, Any]], output: Path) -> None:
    assert [process["stopped"] for process in found] == [4, 4]
    assert same_checkpoints(output / "broken" / "checkpoint-6", output / "unbroken" / "checkpoint-6")
    names = {path.name for path in (output / "broken" / "checkpoint-6").iterdir()}
    assert {"rng_state_0.pth", "rng_state_1.pth", "average.safetensors"} <= names
    tables = []
    for folder in ("broken", "unbroken"):
        with (output / folder / "training_log.csv").open() as file:
            tables.append(list(csv.DictReader(file)))
    assert tables[0] == tables[1] and [row["step"] for row in tables[0]] == ["3", "6"]


def test_saved_model_is_the_scored_one(output: Path, doll_data: Path, tmp_path: Path) -> None:
    """Batch statistics differ between processes: every process must score with the saved ones."""
    folder = output / "broken" / "model"
    assert {"README.md", "figures.json", "training_log.csv", "model.safetensors"} <= {
        path.name for path in folder.iterdir()
    }
    weights = json.loads((folder / "figures.json").read_text())["weights"]
    scored = make_trainer(doll_data, folder, tmp_path).evaluate()
    assert scored["eval_mean_iou"] == pytest.approx(weights["mean_iou"][weights["kept"]], abs=2e-6)
