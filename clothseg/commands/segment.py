"""Segment photos and folders of photos: write label maps, cut-outs and overlays at the photos' own size, and a
table."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from clothseg import __version__
from clothseg.batch.photo_files import CHOSEN, KINDS, OutputSpec, outcomes
from clothseg.batch.ray_pool import RayPool
from clothseg.batch.to_folder import SORTS, SUMMARIES, OutputFolder
from clothseg.batch.worker_pool import MANY, MOST_WORKERS, WorkerPool, paying_workers
from clothseg.commands.common import (
    CUTOUT,
    KEEP,
    add_cutout_options,
    add_keep,
    add_model,
    add_options,
    add_segment_options,
    as_usage,
    cutout_options,
    labels_of,
    read_options,
    segment_options,
)
from clothseg.errors import ConfigError, UsageError
from clothseg.images.remote import Remote, location
from clothseg.images.sources import Source, collected
from clothseg.options import MASK_OPTIONS, PackshotOptions, TryonOptions, options_of
from clothseg.options.declaration import Checked
from clothseg.outputs.find.reader import read_query
from clothseg.postprocess.requirements import missing_rules


if TYPE_CHECKING:
    from clothseg.models.loading import LoadedModel
    from clothseg.segmenter import Segmenter


EXECUTORS = ("local", "ray")

DEFAULT_WRITE = ["labels", "cutouts"]

HELP = "segment photos, folders and ZIPs of photos, or a data set"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", help="photo, or folder with photos, here or in storage: s3://bucket/photos"
    )
    parser.add_argument("--zip", action="store_true", help="also segment the photos in given ZIPs")
    parser.add_argument("--out", help="output folder, here or in storage; photos in it are not segmented")
    add_model(parser)
    parser.add_argument(
        "--write",
        nargs="+",
        choices=KINDS,
        default=DEFAULT_WRITE,
        help="files to write (default: labels cutouts)",
    )
    add_keep(parser, "cut-outs, masks and items")
    parser.add_argument(
        "--find",
        metavar="WORDS",
        default="",
        help='what to keep instead of --keep, in English or German words, such as "red dress", "black shoes of the '
        'person on the left" or "everything but the hair"',
    )
    parser.add_argument(
        "--grey", action="store_true", help="write label maps as grey PNG, for tools that do not read palettes"
    )
    parser.add_argument(
        "--polygons", action="store_true", help="write polygons in COCO, Label Studio and CVAT files, not exact masks"
    )
    parser.add_argument(
        "--sort",
        choices=SORTS,
        help="order of results.csv: photo (default), or uncertainty, with the photos to correct first on top",
    )
    add_segment_options(parser)
    parser.add_argument(
        "--workers",
        type=_workers,
        metavar="N",
        help="number of processes that share the photos, each with its own model; default: auto, the number of "
        f"cores, at most {MOST_WORKERS}, for {MANY} photos or more and a small model on a CPU, else 1",
    )
    parser.add_argument(
        "--executor",
        choices=EXECUTORS,
        default=EXECUTORS[0],
        help="where the photos are segmented: local (default), or ray, by the machines of a Ray cluster, in a worker "
        "for each core or GPU, or in --workers",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="segment new and changed photos of the folders as they come, until Ctrl+C",
    )
    parser.add_argument("--overwrite", action="store_true", help="also segment photos that are done")
    add_cutout_options(parser)
    add_options(parser, TryonOptions, "try-on masks")
    parser.add_argument("--packshot", action="store_true", help="short for --write packshots")
    add_options(parser, PackshotOptions, "packshots")
    hub = parser.add_argument_group("a data set, instead of PATH")
    hub.add_argument(
        "--dataset",
        metavar="USER/NAME",
        help="data set to segment: a Hub id, or a folder or parquet file, here or in storage",
    )
    hub.add_argument("--split", help="split of the data set (default: the only one of a folder, else train)")
    hub.add_argument("--column", help="column of photos (default: image)")
    hub.add_argument(
        "--push_to_hub", metavar="USER/OUT", help="data set to push, with columns image and mask, instead of --out"
    )
    hub.add_argument("--private", action="store_true", help="make the pushed data set private, if it is new")


def run(arguments: argparse.Namespace) -> int:
    """Segment photos that are not done yet, and write results.csv for all photos.

    A photo is done again if the photo, the model, an option or clothseg itself has changed. Several processes, started
    by `accelerate launch -m clothseg segment ...` or torchrun, share the photos; each writes its own table, and the
    last one to finish merges them.

    Returns:
        0, or 1 if photos could not be used: the table lists them with the reason. With several processes each returns
            0, since the launcher treats other values as a crash and ends all processes.
        processes each returns 0 then: what starts them takes all else for a crash, and ends the others.

    Raises:
        UsageError: no photos, an unknown class or value, or a folder that cannot be written.
        ConfigError: the disk is full; the table lists what is done.
        ClothsegError: the model cannot be loaded, or the Hub rejects a request.
    """
    rank, processes = _processes()
    _check(arguments)
    if arguments.executor == "ray" and processes > 1:
        raise UsageError("--executor ray shares the photos by itself: start it once, without accelerate or torchrun.")
    arguments.paths = [location(path) for path in arguments.paths]
    arguments.out = location(arguments.out) if arguments.out else None
    labels = labels_of(arguments)
    with as_usage():
        segment_options(arguments).excluded_ids(labels)
    if rank == 0:
        sys.stderr.writelines(f"{sentence}\n" for sentence in missing_rules(labels))
    if arguments.dataset:
        return _segment_dataset(arguments, rank, processes)
    with ExitStack() as stack:
        with as_usage():
            wanted = OutputSpec(
                tuple(arguments.write),
                tuple(arguments.keep),
                cutout_options(arguments),
                arguments.polygons,
                arguments.grey,
                read_options(arguments, TryonOptions),
                read_options(arguments, PackshotOptions),
                labels,
                arguments.find,
            )
            if rank == 0 and arguments.find:
                sys.stderr.writelines(f"{note}\n" for note in read_query(arguments.find, labels).notes)
            leave_out = _ours(arguments.out, arguments.paths)
            if arguments.watch:
                return _watch(arguments, wanted, partial(collected, arguments.paths, leave_out=leave_out))
            photos = stack.enter_context(collected(arguments.paths, leave_out=leave_out, unpack=arguments.zip))
        return _segment(arguments, wanted, photos[rank::processes], rank, processes)


def _workers(text: str) -> int | None:
    """Parse the value of `--workers`: a number, or None for auto."""
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"give auto, or a number of at least 1, not {text}")
    return int(text)


@contextmanager
def _segmenter(
    arguments: argparse.Namespace, loaded: "LoadedModel", photos: int | None, processes: int
) -> "Iterator[Segmenter | WorkerPool | RayPool]":
    """Load the model, in the requested number of workers or in as many as pay for the photos; None means many."""
    from clothseg.segmenter import Segmenter

    if arguments.executor == "ray":
        with RayPool(arguments.workers, arguments.model, revision=loaded.revision or arguments.revision) as cluster:
            yield cluster
        return
    workers = arguments.workers or (1 if processes > 1 else paying_workers(loaded, photos))
    options: dict[str, Any] = {"revision": loaded.revision or arguments.revision, "device": _device(processes)}
    if workers == 1:
        yield Segmenter.from_pretrained(arguments.model, **options)
        return
    with WorkerPool(workers, arguments.model, **options) as pool:
        yield pool


def _folder(
    arguments: argparse.Namespace, wanted: OutputSpec, loaded: "LoadedModel"
) -> tuple[OutputFolder, dict[str, Any]]:
    """Return the output folder, and the options of segmentation."""
    options = asdict(wanted.options(segment_options(arguments)))
    options["exclude"] = list(options["exclude"])  # as JSON gives it back
    about = {"clothseg": __version__, "model": loaded.name, "revision": loaded.revision, "digest": loaded.digest}
    return OutputFolder(arguments.out, wanted, about | options, arguments.sort or "photo"), options


def _watch(
    arguments: argparse.Namespace,
    wanted: OutputSpec,
    collect: Callable[..., AbstractContextManager[list[Source]]],
) -> int:
    """Segment new and changed photos until Ctrl+C or SIGTERM, and keep the table up to date."""
    from clothseg.batch.watch import changes
    from clothseg.models.loading import load

    def scan() -> list[Source]:
        with collect(may_be_empty=True) as photos:
            return photos

    loaded = load(arguments.model, arguments.revision)
    folder, options = _folder(arguments, wanted, loaded)
    with as_usage():
        folder.prepare(0, 1)
    problems: dict[PurePosixPath, str] = {}
    photos: list[Source] = []
    count = 0
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _segmenter(arguments, loaded, 1, 1) as segmenter:
            sys.stderr.write("Watching for photos; Ctrl+C ends it.\n")
            for photos, fresh in changes(scan):
                todo = [photo for photo in fresh if arguments.overwrite or not folder.holds(photo)]
                for photo in fresh:
                    problems.pop(photo.files, None)
                done: list[Source] = []
                try:
                    with closing(outcomes(segmenter, todo, wanted, options)) as results:
                        _store(results, folder, done, problems, len(todo), 1)
                finally:
                    count += len(done)
                    sys.stdout.writelines(f"{photo.name} segmented.\n" for photo in done)
                    sys.stderr.writelines(f"{problems[photo.files]}\n" for photo in todo if photo.files in problems)
                    sys.stdout.flush()
                if fresh:
                    folder.write_table(photos, problems, 0, 1)
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        signal.signal(signal.SIGTERM, before)
        table = folder.write_table(photos, problems, 0, 1)
    sys.stdout.write(f"{count} photos segmented. Written to {table}.\n")
    return 0


def _segment(
    arguments: argparse.Namespace, wanted: OutputSpec, photos: list[Source], rank: int, processes: int
) -> int:
    from clothseg.models.loading import load

    loaded = load(arguments.model, arguments.revision)
    folder, options = _folder(arguments, wanted, loaded)
    with as_usage():
        folder.prepare(rank, processes)
    todo = [photo for photo in photos if arguments.overwrite or not folder.holds(photo)]
    if not arguments.overwrite:
        _tell_of_replaced(folder, todo)
    done: list[Source] = []
    problems: dict[PurePosixPath, str] = {}
    stopped: BaseException | None = None
    if todo:
        with _segmenter(arguments, loaded, len(todo), processes) as segmenter:
            try:
                with closing(outcomes(segmenter, todo, wanted, options)) as results:
                    _store(results, folder, done, problems, len(todo), rank)
            except (ConfigError, KeyboardInterrupt) as error:  # what is done is in the table all the same
                stopped = error
    try:
        table = folder.write_table(photos, problems, rank, processes)
    except OSError as error:
        raise ConfigError(f"The table in {folder.path} cannot be written: {error.strerror or error}.") from error
    sys.stderr.writelines(f"{problem}\n" for problem in problems.values())
    skipped = f", {len(photos) - len(todo)} were done already" if len(todo) < len(photos) else ""
    sys.stdout.write(f"{len(done)} of {len(todo)} photos segmented{skipped}. Written to {table}.\n")
    if stopped:
        raise stopped
    return 1 if problems and processes == 1 else 0


def _tell_of_replaced(folder: OutputFolder, todo: list[Source]) -> None:
    """Print to stderr which files of an earlier run will be replaced."""
    found = [differences for photo in todo if (differences := folder.differences(photo))]
    if found:
        which = "; ".join(sorted(set().union(*found)))
        sys.stderr.write(
            f"{folder.path} contains files of {len(found)} of these photos that were made differently ({which}); they "
            "will be replaced. To keep both, stop this with Ctrl+C and choose another --out.\n"
        )


def _segment_dataset(arguments: argparse.Namespace, rank: int, processes: int) -> int:
    from clothseg.batch.distributed import Processes
    from clothseg.batch.to_dataset import segment_dataset
    from clothseg.models.loading import load

    with ExitStack() as stack:
        status = segment_dataset(
            arguments.dataset,
            arguments.push_to_hub or arguments.out,
            lambda: stack.enter_context(
                _segmenter(arguments, load(arguments.model, arguments.revision), None, processes)
            ),
            asdict(segment_options(arguments)),
            split=arguments.split,
            column=arguments.column or "image",
            private=arguments.private,
            processes=Processes(rank, processes),
        )
    return status if processes == 1 else 0


def _store(
    results: Iterator[Any],
    folder: OutputFolder,
    done: list[Source],
    problems: dict[PurePosixPath, str],
    total: int,
    rank: int,
) -> None:
    """Write each photo's files as they are made, and record whether it is done or what is wrong."""
    from tqdm.auto import tqdm

    for outcome in tqdm(results, total=total, unit=" photos", disable=rank > 0):
        problem = outcome.error
        try:
            folder.store(outcome)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ConfigError(
                    f"The disk of {folder.path} is full. Free some space and run this again: finished photos are kept."
                ) from error
            problem = f"{outcome.source.name}: its files cannot be written ({error.strerror or error})."
        if problem:
            problems[outcome.source.files] = problem
        else:
            done.append(outcome.source)


def _processes() -> tuple[int, int]:
    """Return this process's number, and the number of processes."""
    rank, processes = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    if not (rank.isdecimal() and processes.isdecimal() and int(rank) < int(processes)):
        raise UsageError(
            f"RANK={rank} and WORLD_SIZE={processes} are not process numbers; unset them, or let accelerate launch "
            "set them."
        )
    return int(rank), int(processes)


def _device(processes: int) -> str | None:
    """Return a GPU for each process of this machine, as far as there are enough; None leaves the choice to the
    engine."""
    if processes == 1:
        return None
    import torch

    local = os.environ.get("LOCAL_RANK", "0")
    if not local.isdecimal():
        raise UsageError(f"LOCAL_RANK={local} is not a process number; unset it, or let accelerate launch set it.")
    return f"cuda:{int(local) % torch.cuda.device_count()}" if torch.cuda.is_available() else None


def _check(arguments: argparse.Namespace) -> None:
    """Check that the arguments fit together."""
    if arguments.dataset:
        if arguments.paths:
            raise UsageError("--dataset segments a data set, not photos: leave out PATH.")
        if bool(arguments.push_to_hub) == bool(arguments.out):
            raise UsageError(
                "--dataset needs --push_to_hub USER/OUT, the data set to push, or --out, the folder to write."
            )
        if arguments.max_side is not None:
            raise UsageError("--max_side cannot be used with --dataset, whose masks have the photos' own size.")
        if arguments.find:
            raise UsageError("--find cannot be used with --dataset, which gets masks of all classes.")
        if arguments.sort:
            raise UsageError("--sort cannot be used with --dataset, whose rows keep their order.")
        if arguments.watch:
            raise UsageError("--watch needs folders; it cannot be used with --dataset.")
        return
    alone = [name for name in ("split", "column", "push_to_hub", "private") if getattr(arguments, name)]
    if alone:
        raise UsageError(f"--{alone[0]} can only be used with --dataset.")
    if not arguments.paths or not arguments.out:
        raise UsageError("Give photos or folders as PATH, and an output folder as --out.")
    if arguments.watch:
        if arguments.zip or arguments.executor != EXECUTORS[0] or _processes()[1] > 1:
            raise UsageError("--watch cannot be used with --zip, --executor ray or several processes.")
        if any("://" not in str(path) and Path(path).is_file() for path in arguments.paths):
            raise UsageError("--watch needs folders, not single photos.")
    if arguments.packshot:
        chosen = [] if arguments.write is DEFAULT_WRITE else arguments.write
        arguments.write = [*chosen, *({"packshots"} - set(chosen))]
    if "packshots" not in arguments.write:
        _refuse_options(arguments, PackshotOptions, "packshots: add --packshot")
    if arguments.find and arguments.keep is not KEEP:
        raise UsageError("--find replaces --keep: give one of them.")
    if arguments.find and not set(CHOSEN) & set(arguments.write):
        raise UsageError(f"--find chooses what files contain: add one of {', '.join(CHOSEN)} to --write.")
    given = [name for name in CUTOUT if getattr(arguments, name)]
    if given and not {"cutouts", "masks", "packshots"} & set(arguments.write):
        where = "cutouts or masks" if given[0] in MASK_OPTIONS else "cutouts"
        raise UsageError(f"--{given[0]} is an option of cut-outs: add {where} to --write.")
    alone = [name for name in given if name not in MASK_OPTIONS]
    if alone and not {"cutouts", "packshots"} & set(arguments.write):
        raise UsageError(f"--{alone[0]} does not change masks, which have the photo's size: add cutouts to --write.")
    if "tryon" not in arguments.write:
        _refuse_options(arguments, TryonOptions, "try-on masks: add tryon to --write")
    if arguments.polygons and not {"coco", "label-studio", "cvat"} & set(arguments.write):
        raise UsageError("--polygons is an option of annotations: add coco, label-studio or cvat to --write.")
    if arguments.grey and "labels" not in arguments.write:
        raise UsageError("--grey is an option of label maps: add labels to --write.")


def _refuse_options(arguments: argparse.Namespace, cls: type[Checked], whose: str) -> None:
    for name, option in options_of(cls).items():
        if getattr(arguments, name) not in (None, option.default):
            raise UsageError(f"--{name} is an option of {whose}.")


def _ours(out: Path | Remote, paths: list[Path | Remote]) -> list[Path | Remote]:
    """Return the folders that this command writes to, which are not searched for photos."""
    if isinstance(out, Remote):
        inside = any(map(out.contains, paths))
        return [Remote(f"{out}/{kind}") for kind in (*KINDS, SUMMARIES)] if inside else [out]
    local = [path.resolve() for path in paths if isinstance(path, Path)]
    if any(path.is_relative_to(out.resolve()) for path in local):
        return [out / kind for kind in (*KINDS, SUMMARIES)]
    return [out]
