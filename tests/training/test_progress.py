"""Training progress: one line per evaluation on the terminal and in a file, and figures sent to trackers."""

import csv
import json
import math
import sqlite3
from pathlib import Path

import pytest
from small_trainer import make_trainer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from clothseg.errors import ConfigError
from clothseg.training.arguments import parse_arguments
from clothseg.training.progress import COLUMNS, HEADER, evaluation_rows, table_line, write_log


FLAGS = (
    *("--per_device_train_batch_size", "4", "--num_train_epochs", "2", "--logging_steps", "2"),
    *("--eval_strategy", "epoch", "--save_strategy", "epoch"),
)
EVALUATED = {"eval_loss": 0.5, "eval_mean_iou": 0.25, "eval_mean_accuracy": 0.5, "eval_overall_accuracy": 0.75}
LOG = [
    {"epoch": 0.5, "step": 3, "loss": 4.0, "learning_rate": 1e-3},
    {"epoch": 0.8, "step": 4, "loss": 2.0, "learning_rate": 1e-4},
    {"epoch": 0.8, "step": 4, **EVALUATED},
    {"epoch": 0.8, "step": 4, **EVALUATED},
    {"epoch": 1.0, "step": 5, **EVALUATED},
    {"epoch": 1.2, "step": 6, "loss": 1.0, "learning_rate": 1e-5},
    {"epoch": 1.2, "step": 6, **EVALUATED},
    {"epoch": 1.2, "step": 6, "train_runtime": 9.0, "train_loss": 1.0},
]


def test_evaluation_rows_average_the_loss_over_steps(tmp_path: Path) -> None:
    rows = evaluation_rows(LOG)
    assert [row["step"] for row in rows] == [4, 5, 6]
    assert [row["training_loss"] for row in rows[::2]] == [pytest.approx((3 * 4.0 + 1 * 2.0) / 4), 1.0]
    assert math.isnan(rows[1]["training_loss"])
    assert [row["learning_rate"] for row in rows] == [1e-4, 1e-4, 1e-5]
    assert {(row["validation_loss"], row["mean_iou"], row["overall_accuracy"]) for row in rows} == {(0.5, 0.25, 0.75)}
    write_log(LOG, tmp_path / "log.csv")
    with (tmp_path / "log.csv").open() as file:
        stored = list(csv.DictReader(file))
    assert list(stored[0]) == list(COLUMNS)
    assert [float(row["mean_iou"]) for row in stored] == [0.25] * 3


@pytest.mark.parametrize("row", evaluation_rows(LOG))
def test_table_lines_are_as_wide_as_the_header(row: dict[str, float]) -> None:
    assert len(table_line(row)) == len(HEADER)


def test_terminal_table_and_log_file_get_a_row_per_evaluation(
    doll_data: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *FLAGS, "--disable_tqdm", "false")
    trainer.train()
    shown = capsys.readouterr()
    lines = [line for line in shown.out.splitlines() if line.strip()]
    assert [line.split()[:2] for line in lines] == [["epoch", "iteration"], ["1.00", "3"], ["2.00", "6"]]
    assert "6/6" in shown.err and "loss=" in shown.err and "{" not in shown.out + shown.err
    with (tmp_path / "training_log.csv").open() as file:
        whole = list(csv.DictReader(file))
    assert [row["step"] for row in whole] == ["3", "6"]
    assert all(float(row[name]) > 0 for row in whole for name in COLUMNS)

    # a run resumed from an earlier checkpoint replaces the rows that it repeats
    resumed = make_trainer(doll_data, tiny_model, tmp_path, *FLAGS)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    with (tmp_path / "training_log.csv").open() as file:
        assert list(csv.DictReader(file)) == whole


def test_tensorboard_gets_every_figure_as_a_scalar(
    doll_data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "board"))
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *FLAGS, "--report_to", "tensorboard")
    trainer.train()
    trainer.keep_better()
    assert len(list((tmp_path / "board").iterdir())) == 1
    events = EventAccumulator(str(tmp_path / "board"))
    events.Reload()
    logged = next(entry for entry in trainer.state.log_history if "eval_mean_iou" in entry)
    for key in (key for key in logged if key.startswith("eval_")):
        values = events.Scalars(key.replace("eval_", "eval/"))
        assert [value.step for value in values] == [3, 6]
        assert values[0].value == pytest.approx(logged[key], rel=1e-5)


def test_trackio_gets_every_figure(
    doll_data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trackio import sqlite_storage, utils

    for module in (sqlite_storage, utils):
        monkeypatch.setattr(module, "TRACKIO_DIR", tmp_path / "trackio")
    trainer = make_trainer(doll_data, tiny_model, tmp_path, *FLAGS, "--report_to", "trackio", "--project", "dolls")
    trainer.train()
    (file,) = (tmp_path / "trackio").glob("dolls*.db")
    with sqlite3.connect(file) as database:
        entries = [json.loads(text) for (text,) in database.execute("SELECT metrics FROM metrics ORDER BY step")]
    found = [entry for entry in entries if "eval/mean_iou" in entry]
    logged = [entry for entry in trainer.state.log_history if "eval_mean_iou" in entry]
    assert [entry["eval/mean_iou"] for entry in found] == [entry["eval_mean_iou"] for entry in logged]
    assert all(isinstance(value, float | int) for entry in found for value in entry.values())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--eval_strategy", "no"], "needs evaluations: set --eval_strategy to epoch or steps"),
        (["--save_strategy", "no"], "set --save_strategy to epoch or best, not no"),
        (["--eval_steps", "5", "--save_strategy", "epoch"], "set --save_strategy to steps or best, not epoch"),
        (
            ["--eval_strategy", "steps", "--eval_steps", "5", "--save_strategy", "steps", "--save_steps", "7"],
            "--save_steps 7 must be a multiple of --eval_steps 5",
        ),
    ],
)
def test_early_stopping_without_matching_saves_is_rejected(flags: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_arguments(["--use_cpu", "true", "--early_stopping_patience", "2", *flags])
