"""Runs of the real `train_hf.py` for `benchmarks.gpu`: photos per second, and what SIGTERM and a resumed run do.

Each run is a process of its own, with B2 from random weights on drawn photos of ATR's size (600x400), so decoding,
augmentation and the loader's processes are included. Steps are timed by the times in the TensorBoard log, the first
ones left out. Then the process gets SIGTERM, and must end with the code 143 and leave a complete checkpoint.
"""

import itertools
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


SCRIPT = Path(__file__).parents[1] / "train_hf.py"

PRECISIONS = {
    "float32": ["--bf16", "false", "--tf32", "false"],
    "TF32": ["--bf16", "false", "--tf32", "true"],
    "bfloat16": ["--bf16", "true"],
    "bfloat16, compiled": ["--bf16", "true", "--torch_compile", "true"],
}

ATR_PHOTOS = 17_600
"""Photos of ATR that an epoch trains on, as in docs/training.md."""

_LOGGED_EVERY = 5
_WARM_UP = 10
"""Steps before the first measured one."""


class Runs(NamedTuple):
    """Settings shared by the runs."""

    data: Path
    """Folder with train.parquet and validation.parquet."""
    work: Path
    """Folder for what the runs write."""
    flags: list[str]
    """Options of `train_hf.py` besides data, batch and precision."""
    steps: int
    """Measured steps."""
    seconds: float
    """Time limit of a run."""


def write_data(folder: Path, photos: int, height: int = 600, width: int = 400) -> None:
    """Write train.parquet and validation.parquet: drawings, each repeated under other ids."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    from paper_dolls import draw_many, write_parquet

    dolls = draw_many(min(photos, 64), 0, height, width)
    write_parquet(folder / "train.parquet", [dolls[index % len(dolls)] for index in range(photos)])
    write_parquet(folder / "validation.parquet", draw_many(8, 1000, height, width), seed=photos)


def command(runs: Runs, output: Path, batch: int, precision: list[str], more: tuple[str, ...] = ()) -> list[str]:
    """Return the command of a run, which goes on until it is stopped unless `more` limits it."""
    return [
        *(sys.executable, str(SCRIPT), "--dataset_name", str(runs.data), "--output_dir", str(output)),
        *("--from_scratch", "true", "--max_steps", "100000", "--per_device_train_batch_size", str(batch)),
        *("--logging_steps", str(_LOGGED_EVERY), "--report_to", "tensorboard", "--eval_strategy", "no"),
        *("--save_strategy", "no", *precision, *runs.flags, *more),
    ]


def logged_steps(output: Path) -> dict[int, float]:
    """Return the time in seconds at which each logged step was reached."""
    files = sorted(output.rglob("events.out.tfevents.*"), key=lambda path: path.stat().st_mtime)
    if not files:
        return {}
    events = EventAccumulator(str(files[-1]))
    events.Reload()
    if "train/loss" not in events.Tags()["scalars"]:
        return {}
    return {event.step: event.wall_time for event in events.Scalars("train/loss")}


def photos_per_second(reached: dict[int, float], batch: int) -> float:
    """Return the median rate between two logged steps, after the warm-up.

    Args:
        reached: seconds at which each logged step was reached.
        batch: photos of a step.
    """
    steps = sorted(step for step in reached if step >= _WARM_UP)
    rates = [
        batch * (after - before) / (reached[after] - reached[before]) for before, after in itertools.pairwise(steps)
    ]
    return float(np.median(rates))


def measure(runs: Runs, name: str, batch: int, precision: list[str]) -> float:
    """Return the photos per second of a run that SIGTERM ends; its checkpoint stays in `runs.work / name`.

    Raises:
        RuntimeError: the run failed, was too slow, or did not end as it should after SIGTERM.
    """
    output = runs.work / name
    with started(command(runs, output, batch, precision), runs.work / f"{name}.log") as process:
        last = _WARM_UP + runs.steps
        until = time.monotonic() + runs.seconds
        while max(reached := logged_steps(output), default=0) < last:
            if process.poll() is not None:
                raise RuntimeError(f"it ended: {log_end(runs.work / f'{name}.log')}")
            if time.monotonic() > until:
                raise RuntimeError(f"it did not reach step {last} in {runs.seconds:.0f} s")
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    if code != 128 + signal.SIGTERM:
        raise RuntimeError(f"after SIGTERM it ended with {code}: {log_end(runs.work / f'{name}.log')}")
    if not list(output.glob("checkpoint-*/trainer_state.json")):
        raise RuntimeError("after SIGTERM there is no checkpoint")
    return photos_per_second(reached, batch)


def resume(runs: Runs, name: str, batch: int, precision: list[str]) -> str:
    """Finish the run `name` from its checkpoint, repeat it without interruption, and say how far both are apart.

    Returns:
        One sentence: steps, and differences of weights and losses.

    Raises:
        RuntimeError: a run failed.
    """
    output = runs.work / name
    (checkpoint,) = output.glob("checkpoint-*")
    stopped = int(checkpoint.name.split("-")[1])
    steps = ("--max_steps", str(stopped + _LOGGED_EVERY))
    # The default schedule, 0.9998 per step, does not depend on the length of a run, so both can be compared.
    for folder, more in ((output, ("--resume_from_checkpoint", "true")), (runs.work / "whole", ())):
        log = runs.work / f"{folder.name}-resume.log"
        with started(command(runs, folder, batch, precision, (*steps, *more)), log) as process:
            if process.wait(runs.seconds):
                raise RuntimeError(f"{folder.name} ended with {process.returncode}: {log_end(log)}")
    resumed, whole = (load_file(folder / "model" / "model.safetensors") for folder in (output, runs.work / "whole"))
    apart = max(float((resumed[key].float() - whole[key].float()).abs().max()) for key in whole)
    return (
        f"Stopped by SIGTERM after {stopped} steps and resumed for {_LOGGED_EVERY}: the largest difference of a "
        f"weight from an uninterrupted run is {apart:.2g} (0 on a CPU; a GPU adds in varying order)."
    )


@contextmanager
def started(arguments: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process, whose output goes to `log`, and kill it at the end if it still runs."""
    with log.open("wb") as file:
        process = subprocess.Popen(arguments, stdout=file, stderr=subprocess.STDOUT, cwd=SCRIPT.parent)  # noqa: S603 - ourselves
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def log_end(log: Path) -> str:
    """Return the last line of a log."""
    lines = log.read_text(errors="replace").replace("\r", "\n").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


@contextmanager
def prepared(photos: int, flags: list[str], steps: int, seconds: float) -> Iterator[Runs]:
    """Write the data, and yield the shared settings; everything is deleted at the end."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        write_data(data, photos)
        yield Runs(data, Path(folder), flags, steps, seconds)
