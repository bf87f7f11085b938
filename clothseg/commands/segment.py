"""Segment photos and folders of photos: label maps, cut-outs and overlays at the photos' own size, and a table."""

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clothseg.errors import ClothsegError, ConfigError
from clothseg.files import whole
from clothseg.labels import GROUPS, NAMES, ids_of


if TYPE_CHECKING:
    from clothseg.segmentation import Segmentation
    from clothseg.segmenter import Segmenter


HELP = "segment photos and folders of photos"

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
"""What is taken from a folder for a photo; a file that is named is always taken."""

KINDS = {"labels": ".png", "cutouts": ".png", "overlays": ".jpg"}
"""What can be written, each into a folder of its name, and the suffix of its files."""

SUMMARIES = "summaries"
"""Folder of a JSON file for each photo, from which the table is made; it is written last of a photo's files."""

THREADS = 2
"""Photos in hand: while one is in the network, the other is read or written."""


class Task(NamedTuple):
    """A photo, and its name relative to the folder that was given: what is written carries that name."""

    photo: Path
    name: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("paths", metavar="PATH", type=Path, nargs="+", help="photo, or folder with photos")
    parser.add_argument("--out", type=Path, required=True, help="folder for what is written")
    parser.add_argument("--model", help="Hub id or folder; default: the model that ships with us")
    parser.add_argument("--revision", help="branch, tag or commit of the model on the Hub")
    parser.add_argument(
        "--write", nargs="+", choices=KINDS, default=["labels", "cutouts"], help="default: the first two"
    )
    parser.add_argument(
        "--keep",
        nargs="+",
        metavar="CLASS",
        default=["All garments"],
        help=f"classes of the cut-outs, or groups of them ({', '.join(GROUPS)}); default: All garments",
    )
    parser.add_argument("--edges", choices=("guided", "plain"), default="guided", help="borders that follow the photo")
    parser.add_argument("--zoom", choices=("auto", "off"), default="auto", help="look at small figures once more")
    parser.add_argument(
        "--average", action="store_true", help="look four times, mirrored and larger: five times slower"
    )
    parser.add_argument("--rules", action="store_true", help="drop specks and what one person cannot wear there")
    parser.add_argument("--overwrite", action="store_true", help="do photos again that are done")


def run(arguments: argparse.Namespace) -> int:
    """Segment what is not done yet, and write results.csv over all photos.

    Several processes, as `accelerate launch -m clothseg segment ...` starts them, share the photos; each writes a
    table of its own.

    Returns:
        0, or 1 if a photo could not be used: the table says which and why, and the others are done.

    Raises:
        ConfigError: no photos, two photos of one name, a class that does not exist, a folder that cannot be written.
        ClothsegError: the model cannot be loaded.
    """
    from tqdm.auto import tqdm

    from clothseg.segmenter import Segmenter

    rank, processes = (int(os.environ.get(name, default)) for name, default in (("RANK", 0), ("WORLD_SIZE", 1)))
    keep = _classes(arguments.keep)
    tasks = sorted(_tasks(arguments.paths), key=lambda task: task.name)[rank::processes]
    _make_folders(arguments.out, tasks, arguments.write)
    todo = [task for task in tasks if arguments.overwrite or not _is_done(arguments.out, task, arguments.write)]
    problems: dict[Path, str] = {}
    if todo:
        segmenter = Segmenter.from_pretrained(arguments.model, revision=arguments.revision)

        def do(task: Task) -> None:
            try:
                _write(_segment(segmenter, task, arguments), task, arguments.out, arguments.write, keep)
            except ClothsegError as error:
                problems[task.name] = str(error)

        with ThreadPoolExecutor(THREADS) as pool:
            done = pool.map(do, todo)
            try:
                for _ in tqdm(done, total=len(todo), unit=" photos", disable=rank > 0):
                    pass
            except BaseException:  # Ctrl-C, a full disk: what has not been begun is not
                pool.shutdown(cancel_futures=True)
                raise
    table = arguments.out / ("results.csv" if processes == 1 else f"results-{rank}-of-{processes}.csv")
    _write_table(table, tasks, problems, arguments.out)
    sys.stderr.writelines(f"{problem}\n" for problem in problems.values())
    skipped = f", {len(tasks) - len(todo)} were done already" if len(todo) < len(tasks) else ""
    sys.stdout.write(f"{len(todo) - len(problems)} of {len(todo)} photos segmented{skipped}. Written to {table}.\n")
    return 1 if problems else 0


def _classes(names: list[str]) -> tuple[str, ...]:
    """Class names of classes and groups, each once, in the order of the ids."""
    wanted = {name for given in names for name in GROUPS.get(given, (given,))}
    ids_of(sorted(wanted))
    return tuple(name for name in NAMES if name in wanted)


def _tasks(paths: list[Path]) -> Iterator[Task]:
    """The photos of files and folders."""
    taken: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise ConfigError(f"There is no file or folder {path}; check the path.")
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        photos = [file for file in inside if file == path or (file.suffix.lower() in SUFFIXES and file.is_file())]
        if not photos:
            raise ConfigError(f"The folder {path} holds no photos ({', '.join(SUFFIXES)}).")
        for photo in photos:
            name = photo.relative_to(path) if path.is_dir() else Path(photo.name)
            other = taken.setdefault(name.with_suffix(""), photo)
            if other != photo:
                raise ConfigError(
                    f"{other} and {photo} would be written under one name; segment them into folders of their own."
                )
            yield Task(photo, name)


def _make_folders(out: Path, tasks: list[Task], kinds: list[str]) -> None:
    try:
        for folder in {kind / task.name.parent for task in tasks for kind in map(Path, (*kinds, SUMMARIES))}:
            (out / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {out} cannot be written: {error.strerror}; give another folder.") from error


def _file(out: Path, task: Task, kind: str) -> Path:
    return (out / kind / task.name).with_suffix(KINDS.get(kind, ".json"))


def _is_done(out: Path, task: Task, kinds: list[str]) -> bool:
    return all(_file(out, task, kind).exists() for kind in (*kinds, SUMMARIES))


def _segment(segmenter: "Segmenter", task: Task, arguments: argparse.Namespace) -> "Segmentation":
    options = {name: getattr(arguments, name) for name in ("edges", "zoom", "average", "rules")}
    return segmenter(task.photo, **options)


def _write(result: "Segmentation", task: Task, out: Path, kinds: list[str], keep: tuple[str, ...]) -> None:
    try:
        if "labels" in kinds:
            result.save_label_map(_file(out, task, "labels"))
        if "cutouts" in kinds:
            with whole(_file(out, task, "cutouts")) as file:
                result.cutout(*keep).save(file, compress_level=3)
        if "overlays" in kinds:
            with whole(_file(out, task, "overlays")) as file:
                result.overlay().save(file, quality=90)
        with whole(_file(out, task, SUMMARIES)) as file:
            file.write_text(result.to_json(), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"The files of {task.name} cannot be written to {out}: {error.strerror or error}."
        ) from error


def _write_table(path: Path, tasks: list[Task], problems: dict[Path, str], out: Path) -> None:
    """A line for each photo: its size, each class's share of it, or why it could not be used."""
    with whole(path) as file, file.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, ["photo", "error", "width", "height", *NAMES])
        table.writeheader()
        for task in tasks:
            line: dict[str, Any] = {"photo": task.name.as_posix(), "error": problems.get(task.name, "")}
            if task.name not in problems:
                summary = json.loads(_file(out, task, SUMMARIES).read_text(encoding="utf-8"))
                shares = {found["name"]: found["share"] for found in summary["classes"]}
                line |= {key: summary[key] for key in ("width", "height")} | {
                    name: shares.get(name, 0) for name in NAMES
                }
            table.writerow(line)
