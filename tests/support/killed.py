"""What test_killed.py has a process of its own do: start work again and again and kill it at moments of a fixed seed.

    python killed.py FOLDER DATA MODEL

The work runs in forked children, which need not import everything anew; this process itself computes nothing, for
threads would not outlive a fork. After each kill the folder is looked at; the last child is left to finish. Prints a
line of JSON: for each work what was found after each round.
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

from clothseg.errors import ConfigError
from clothseg.images.atomic_files import atomic_path
from clothseg.training import run as module
from clothseg.training.arguments import parse_arguments
from clothseg.training.checkpoints import checkpoints, usable_checkpoint


TEXTS = ("old\n" * 200_000, "new!\n" * 200_000)


def write_files(folder: Path) -> None:
    """Write one of two texts over the other for a while."""
    for turn in range(50):
        with atomic_path(folder / "file.txt") as path:
            path.write_text(TEXTS[turn % 2])


def seen_files(folder: Path) -> str:
    """The file is there whole, or not yet."""
    path = folder / "file.txt"
    if not path.exists():
        return "nothing"
    return "whole" if path.read_text() in TEXTS else "half"


def train(folder: Path) -> None:
    """Start, or go on with, a run of three steps, each with a checkpoint, up to model, figures, plots and card."""
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
    """Model with card and figures, or none; else the number of the last whole checkpoint."""
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
    """Each file is there whole, or not at all."""
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
    """Eight photos, beside the data."""
    return sorted((Path(sys.argv[2]).parent / "photos").iterdir())


def batch(folder: Path) -> None:
    """Write the ZIP of a batch."""
    from clothseg import Segmenter
    from clothseg.batch.to_zip import segment_to_zip

    segmenter = Segmenter.from_pretrained(sys.argv[3], device="cpu", engine="torch")
    for _ in segment_to_zip(segmenter, photos(), folder / "out.zip"):
        time.sleep(0.05)  # so that most of the time goes into the batch, not into loading


def seen_batch(folder: Path) -> str:
    """The ZIP is there with all photos and its table, or not at all; beside it may be hidden ones, not finished."""
    for path in folder.iterdir():
        if path.name == "out.zip":
            with zipfile.ZipFile(path) as archive:
                whole_zip = archive.testzip() is None and len(archive.namelist()) == 2 * len(photos()) + 1
                return "zip" if whole_zip else "half"
        if not path.name.startswith("."):
            return "half"
    return "nothing"


def segment(folder: Path) -> None:
    """Segment a folder by the command, which goes on where it was killed."""
    from clothseg import cli

    given, out = str(photos()[0].parent), str(folder / "out")
    status = cli.main(["segment", given, "--out", out, "--model", sys.argv[3]])
    if status:
        raise RuntimeError(f"status {status}")


def seen_segment(folder: Path) -> str:
    """How many photos are done, each with whole files; "table" with the one over all of them."""
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
"""How often each work is killed, what it does and what is seen of it."""


def child(work: Callable[[Path], None], folder: Path) -> int:
    """Fork a child that works; its process id."""
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
    """Let the work finish once, to know how long it takes, then kill it `count` times, then let it finish."""
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
