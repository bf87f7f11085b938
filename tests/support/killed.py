"""The subprocess of test_killed.py: starts work repeatedly and kills it at random moments of a fixed seed.

    python killed.py FOLDER DATA MODEL

The work runs in forked children, which need not import everything again; this process itself computes nothing, since
threads do not survive a fork. After each kill, the folder is inspected; the last child runs to its end. Prints one
line of JSON: for each kind of work, the state found after each round.
"""

import json
import os
import random
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from small_trainer import SMALL

from clothseg.engines import openvino_engine
from clothseg.errors import ConfigError
from clothseg.images.atomic_files import atomic_path
from clothseg.training import run as module
from clothseg.training.arguments import parse_arguments
from clothseg.training.checkpoints import checkpoints, usable_checkpoint


TEXTS = ("old\n" * 200_000, "new!\n" * 200_000)


def write_files(folder: Path) -> None:
    """Alternately write two texts to one file for a while."""
    for turn in range(50):
        with atomic_path(folder / "file.txt") as path:
            path.write_text(TEXTS[turn % 2])


def seen_files(folder: Path) -> str:
    """Check that the file is complete or absent."""
    path = folder / "file.txt"
    if not path.exists():
        return "nothing"
    return "whole" if path.read_text() in TEXTS else "half"


def train(folder: Path) -> None:
    """Start or resume a run of three steps with a checkpoint each, up to model, figures, plots and card."""
    openvino_engine.is_usable = lambda: False  # a conversion would take longer than the evaluation
    data, model = sys.argv[2:4]
    flags = ["--save_strategy", "steps", "--save_steps", "1", "--max_steps", "3", "--ema_decay", "0.9"]
    names = ["--dataset_name", data, "--model_name_or_path", model, "--output_dir", str(folder)]
    argv = [*SMALL, *flags, *names, "--eval_strategy", "no", "--per_device_train_batch_size", "2"]
    if checkpoints(folder):
        argv += ["--resume_from_checkpoint", "true"]
    try:
        module.run(*parse_arguments(argv), argv)
    except ConfigError as error:
        if "contains no complete checkpoint" not in str(error):
            raise
        module.run(*parse_arguments(argv[:-2]), argv[:-2])  # as the message says


def seen_training(folder: Path) -> str:
    """Check that the model is complete or absent; if absent, returns the number of the last complete checkpoint."""
    if (folder / "model").exists():
        names = {path.name for path in (folder / "model").iterdir()}
        wanted = {"README.md", "config.json", "figures.json", "model.safetensors", "split.json", "training_log.csv"}
        json.loads((folder / "model" / "figures.json").read_text())
        return "model" if wanted <= names and not any(name.startswith(".") for name in names) else "half"
    try:
        return usable_checkpoint(folder, averaged=True)[0].name
    except ConfigError:
        return "nothing"


def export(folder: Path) -> None:
    """Write a model as ONNX."""
    from clothseg.commands.export import _draw_photos
    from clothseg.commands.export import export as to_onnx
    from clothseg.models.loading import load

    to_onnx(load(sys.argv[3]), folder, _draw_photos()[:1])


def seen_export(folder: Path) -> str:
    """Check that each file is complete or absent."""
    for name in ("config.json", "preprocessor_config.json"):
        if (folder / name).exists():
            json.loads((folder / name).read_text())
    file = folder / "onnx" / "model.onnx"
    if not file.exists():
        return "nothing"
    import onnx

    onnx.checker.check_model(str(file))
    return "model"


def photos() -> list[Path]:
    """Paths of the eight photos."""
    return sorted((Path(sys.argv[2]).parent / "photos").iterdir())


def batch(folder: Path) -> None:
    """Write the ZIP of a batch."""
    from clothseg import Segmenter
    from clothseg.batch.to_zip import segment_to_zip

    segmenter = Segmenter.from_pretrained(sys.argv[3], device="cpu", engine="torch")
    for _ in segment_to_zip(segmenter, photos(), folder / "out.zip"):
        time.sleep(0.05)  # so that most of the time is spent in the batch rather than in loading


def seen_batch(folder: Path) -> str:
    """Check that the ZIP is complete or absent; unfinished hidden files may lie next to it."""
    for path in folder.iterdir():
        if path.name == "out.zip":
            with zipfile.ZipFile(path) as archive:
                whole_zip = archive.testzip() is None and len(archive.namelist()) == 2 * len(photos()) + 1
                return "zip" if whole_zip else "half"
        if not path.name.startswith("."):
            return "half"
    return "nothing"


def segment(folder: Path) -> None:
    """Segment a folder by the command, which continues where it was killed."""
    from clothseg import cli

    given, out = str(photos()[0].parent), str(folder / "out")
    status = cli.main(["segment", given, "--out", out, "--model", sys.argv[3]])
    if status:
        raise RuntimeError(f"status {status}")


def seen_segment(folder: Path) -> str:
    """Number of finished photos, after checking their files; "table" if the table of all photos exists."""
    done = list((folder / "out" / "summaries").glob("[!.]*"))
    for path in done:
        summary = json.loads(path.read_text())
        for kind in ("labels", "cutouts"):
            with Image.open(folder / "out" / kind / f"{path.stem}.png") as picture:
                picture.load()
                if picture.size != (summary["width"], summary["height"]):
                    return "half"
    table = folder / "out" / "results.csv"
    if table.exists():
        return "table" if table.read_text().count("\n") == len(photos()) + 1 == len(done) + 1 else "half"
    return f"{len(done)} done"


WORK: dict[str, tuple[int, Callable[[Path], None], Callable[[Path], str]]] = {
    "files": (6, write_files, seen_files),
    "train": (3, train, seen_training),
    "export": (1, export, seen_export),
    "batch": (2, batch, seen_batch),
    "segment": (2, segment, seen_segment),
}
"""For each kind of work: number of kills, the work, and the check of its files."""


def child(work: Callable[[Path], None], folder: Path) -> int:
    """Fork a child that works; returns its process id."""
    process = os.fork()
    if process:
        return process
    try:
        os.setsid()
        os.dup2(2, 1)
        work(folder)
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def rounds(folder: Path, count: int, work: Callable[[Path], None], look: Callable[[Path], str]) -> list[str]:
    """Let the work finish once to measure its duration, then kill it `count` times, then let it finish."""
    rng, found = random.Random(0), []
    for name in ("timed", "killed"):
        (folder / name).mkdir(parents=True)
    started = time.monotonic()
    os.waitpid(child(work, folder / "timed"), 0)
    takes = time.monotonic() - started
    for _ in range(count):
        process = child(work, folder / "killed")
        time.sleep(takes * rng.uniform(0.05, 0.95))
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        found.append(look(folder / "killed"))
        if found[-1] == "model":
            return found
    _, status = os.waitpid(child(work, folder / "killed"), 0)
    return [*found, look(folder / "killed") if status == 0 else f"status {status}"]


if __name__ == "__main__":
    done = {name: rounds(Path(sys.argv[1]) / name, *work) for name, work in WORK.items()}
    sys.stdout.write(json.dumps(done) + "\n")
