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
from clothseg.batch.photo_files import KINDS, Outcome, OutputSpec, outcomes
from clothseg.batch.ray_pool import RayPool
from clothseg.batch.to_folder import SUMMARIES, OutputFolder
from clothseg.batch.worker_pool import WorkerPool, paying_workers
from clothseg.commands.common import as_usage, cutout_options, labels_of, read_options, segment_options
from clothseg.commands.segment_arguments import add_arguments, check, rank_and_count
from clothseg.errors import ConfigError, UsageError
from clothseg.images.remote import Remote, location
from clothseg.images.sources import Source, collected
from clothseg.options import PackshotOptions, TryonOptions
from clothseg.outputs.find.reader import read_query
from clothseg.postprocess.requirements import missing_rules


if TYPE_CHECKING:
    from clothseg.models.loading import LoadedModel
    from clothseg.segmenter import Segmenter


__all__ = ["HELP", "add_arguments", "run"]

HELP = "segment photos, folders and ZIPs of photos, or a data set"


def run(arguments: argparse.Namespace) -> int:
    """Segment photos that are not done yet, and write results.csv for all photos.

    A photo is done again if the photo, the model, an option or clothseg itself has changed. Several processes, started
    by `accelerate launch -m clothseg segment ...` or torchrun, share the photos; each writes its own table, and the
    last one to finish merges them.

    Returns:
        0, or 1 if photos could not be used: the table lists them with the reason. With several processes each returns
        0, since the launcher treats other values as a crash and ends all processes.

    Raises:
        UsageError: no photos, an unknown class or value, or a folder that cannot be written.
        ConfigError: the disk is full; the table lists the finished photos.
        ClothsegError: the model cannot be loaded, or the Hub rejects a request.
    """
    rank, processes = rank_and_count()
    check(arguments)
    if arguments.executor == "ray" and processes > 1:
        raise UsageError(
            "--executor ray distributes the photos itself: start it once, without accelerate or torchrun."
        )
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
                arguments.find or "",
            )
            if rank == 0 and arguments.find:
                sys.stderr.writelines(f"{note}\n" for note in read_query(arguments.find, labels).notes)
            leave_out = _ours(arguments.out, arguments.paths)
            if arguments.watch:
                return _watch(arguments, wanted, partial(collected, arguments.paths, leave_out=leave_out))
            photos = stack.enter_context(collected(arguments.paths, leave_out=leave_out, unpack=arguments.zip))
        return _segment(arguments, wanted, photos[rank::processes], rank, processes)


@contextmanager
def _segmenter(
    arguments: argparse.Namespace, loaded: "LoadedModel", photos: int | None, processes: int
) -> "Iterator[Segmenter | WorkerPool | RayPool]":
    """Load the model, in the requested number of workers or in as many as pay for the photos; None means many."""
    from clothseg.segmenter import Segmenter

    if arguments.executor == "ray":
        revision = loaded.revision or arguments.revision
        with RayPool(arguments.workers, arguments.model, revision=revision, precision=arguments.precision) as cluster:
            yield cluster
        return
    workers = arguments.workers or (1 if processes > 1 else paying_workers(loaded, photos))
    options: dict[str, Any] = {"revision": loaded.revision or arguments.revision, "device": _device(processes)}
    options["precision"] = arguments.precision
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
    matches: list[Outcome] = []
    problems: dict[PurePosixPath, str] = {}
    stopped: BaseException | None = None
    if todo:
        with _segmenter(arguments, loaded, len(todo), processes) as segmenter:
            try:
                with closing(outcomes(segmenter, todo, wanted, options)) as results:
                    _store(results, folder, done, problems, len(todo), rank, matches)
            except (ConfigError, KeyboardInterrupt) as error:  # finished photos are still written to the table
                stopped = error
    try:
        table = folder.write_table(photos, problems, rank, processes)
    except OSError as error:
        raise ConfigError(f"The table in {folder.path} cannot be written: {error.strerror or error}.") from error
    sys.stderr.writelines(f"{problem}\n" for problem in problems.values())
    skipped = f", {len(photos) - len(todo)} were done already" if len(todo) < len(photos) else ""
    found = _found(matches) if wanted.find and done else ""
    sys.stdout.write(f"{len(done)} of {len(todo)} photos segmented{skipped}. Written to {table}.{found}\n")
    if stopped:
        raise stopped
    return 1 if problems and processes == 1 else 0


def _found(matches: list[Outcome]) -> str:
    """Return the sentence about the photos in which the search found something."""
    partly = sum(bool(outcome.summary["missing"]) for outcome in matches)
    if not partly:
        return f" Found in {len(matches)} of them: column found."
    return f" Found in {len(matches)} of them, in {partly} only parts of the search: columns found and missing."


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
    matches: list[Outcome] | None = None,
) -> None:
    """Write each photo's files as they are made, and record whether it is done, or what is wrong, and whether the
    search found something in it."""
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
            if matches is not None and outcome.summary.get("found"):
                matches.append(outcome)


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


def _ours(out: Path | Remote, paths: list[Path | Remote]) -> list[Path | Remote]:
    """Return the folders that this command writes to, which are not searched for photos."""
    if isinstance(out, Remote):
        inside = any(map(out.contains, paths))
        return [Remote(f"{out}/{kind}") for kind in (*KINDS, SUMMARIES)] if inside else [out]
    local = [path.resolve() for path in paths if isinstance(path, Path)]
    if any(path.is_relative_to(out.resolve()) for path in local):
        return [out / kind for kind in (*KINDS, SUMMARIES)]
    return [out]
