"""Progress of a training: a bar, and a table with a line per evaluation, on the terminal and in a file."""

import csv
import io
import sys
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm
from transformers import ProgressCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from clothseg.images.atomic_files import atomic_path


FILE = "training_log.csv"
# column of the file: (heading on the terminal, format there)
COLUMNS = {
    "epoch": ("epoch", ".2f"),
    "step": ("iteration", "d"),
    "training_loss": ("training loss", ".4f"),
    "validation_loss": ("validation loss", ".4f"),
    "mean_iou": ("mIoU", ".4f"),
    "mean_accuracy": ("mean accuracy", ".4f"),
    "overall_accuracy": ("overall accuracy", ".4f"),
    "learning_rate": ("learning rate", ".2e"),
}
HEADER = "  ".join(heading.rjust(9) for heading, _ in COLUMNS.values())


def evaluation_rows(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row of `COLUMNS` per evaluation; a step evaluated twice counts once.

    The training loss is the mean over the steps since the previous evaluation, the learning rate that of the last of
    them; both are NaN if nothing was logged.

    Args:
        log: the Trainer's `log_history`.
    """
    rows: list[dict[str, Any]] = []
    total, steps, before, rate = 0.0, 0, 0, float("nan")
    for entry in log:
        if "loss" in entry:  # a mean over the steps since the entry before
            total += entry["loss"] * (entry["step"] - before)
            steps += entry["step"] - before
            before, rate = entry["step"], entry["learning_rate"]
        elif "eval_loss" in entry and not (rows and rows[-1]["step"] == entry["step"]):
            figures = {key: entry.get(f"eval_{key}") for key in ("mean_iou", "mean_accuracy", "overall_accuracy")}
            losses = {
                "training_loss": total / steps if steps else float("nan"),
                "validation_loss": entry["eval_loss"],
            }
            row = {"epoch": entry["epoch"], "step": entry["step"], **losses, **figures, "learning_rate": rate}
            rows.append({name: row[name] for name in COLUMNS})
            total, steps = 0.0, 0
    return rows


def write_log(log: list[dict[str, Any]], path: Path) -> None:
    """Write `evaluation_rows` as CSV, atomically."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(evaluation_rows(log))
    with atomic_path(path) as building:
        building.write_text(text.getvalue())


def shown_cells(row: dict[str, Any]) -> list[str]:
    """Return the formatted cells of a row, in the order of `COLUMNS`; – for missing values."""
    return [
        "–" if row[name] is None or row[name] != row[name] else format(row[name], style)
        for name, (_, style) in COLUMNS.items()
    ]


def table_line(row: dict[str, Any]) -> str:
    """Return a row formatted for the table under `HEADER`."""
    headings = (heading for heading, _ in COLUMNS.values())
    return "  ".join(
        cell.rjust(max(9, len(heading))) for cell, heading in zip(shown_cells(row), headings, strict=True)
    )


class Table(TrainerCallback):
    """Prints and stores a line per evaluation, in the main process."""

    def __init__(self) -> None:
        """Start with a header to print."""
        self._heading = True

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Log the loss up to each evaluation before it."""
        control.should_log = control.should_log or control.should_evaluate

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Log the loss, as after a step."""
        control.should_log = control.should_log or control.should_evaluate

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Add the line of this evaluation.

        The file is rewritten each time: a run that resumes from a checkpoint drops the lines that it will repeat.
        """
        if not state.is_world_process_zero:
            return
        rows = evaluation_rows(state.log_history)
        if self._heading:
            tqdm.write(HEADER)
            self._heading = False
        tqdm.write(table_line(rows[-1]))
        sys.stdout.flush()  # in a file or pipe, it would otherwise appear much later
        folder = Path(str(args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        write_log(state.log_history, folder / FILE)


class Bar(ProgressCallback):
    """The Trainer's progress bars, with the loss in the bar instead of on lines that would break the table."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Show the last training loss at the bar's end."""
        if self.training_bar is not None and logs and "loss" in logs:
            self.training_bar.set_postfix(loss=f"{logs['loss']:.4f}")
