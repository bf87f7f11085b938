"""Arguments of the command `segment`, and the checks that they fit together."""

import argparse
import os
from pathlib import Path

from clothseg.batch.photo_files import CHOSEN, KINDS
from clothseg.batch.to_folder import SORTS
from clothseg.batch.worker_pool import MANY, MOST_WORKERS
from clothseg.commands.common import (
    CUTOUT,
    KEEP,
    add_cutout_options,
    add_keep,
    add_model,
    add_options,
    add_precision,
    add_segment_options,
)
from clothseg.errors import UsageError
from clothseg.options import MASK_OPTIONS, PackshotOptions, TryonOptions, options_of
from clothseg.options.declaration import Checked


EXECUTORS = ("local", "ray")

DEFAULT_WRITE = ["labels", "cutouts"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help="photo or folder of photos, on this machine or in storage: s3://bucket/photos",
    )
    parser.add_argument("--zip", action="store_true", help="also segment the photos in given ZIPs")
    parser.add_argument("--out", help="output folder, on this machine or in storage; photos in it are not segmented")
    add_model(parser)
    add_precision(parser)
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
        help='what to keep instead of --keep, in English or German words, such as "red dress", "black shoes of the '
        'person on the left" or "everything but the hair"; photos without a match get no cut-outs, masks or '
        "annotations",
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
        help="order of results.csv: photo (default), or uncertainty, the most uncertain photos first",
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
        help="where photos are segmented: local (default), or ray, on a Ray cluster, with one worker for each core or "
        "GPU, or as many as --workers says",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="segment new and changed photos of the folders as they come, until Ctrl+C",
    )
    parser.add_argument("--overwrite", action="store_true", help="segment photos again that are already done")
    add_cutout_options(parser)
    add_options(parser, TryonOptions, "try-on masks")
    parser.add_argument("--packshot", action="store_true", help="write packshots, like --write packshots")
    add_options(parser, PackshotOptions, "packshots")
    hub = parser.add_argument_group("a data set, instead of PATH")
    hub.add_argument(
        "--dataset",
        metavar="USER/NAME",
        help="data set to segment: a Hub id, or a folder or parquet file, on this machine or in storage",
    )
    hub.add_argument("--split", help="split of the data set (default: the only one of a folder, else train)")
    hub.add_argument("--column", help="column of photos (default: image)")
    hub.add_argument(
        "--push_to_hub",
        metavar="USER/OUT",
        help="data set on the Hub for photos and masks (columns image and mask), instead of --out",
    )
    hub.add_argument("--private", action="store_true", help="make the pushed data set private, if it is new")


def check(arguments: argparse.Namespace) -> None:
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
        if arguments.zip or arguments.executor != EXECUTORS[0] or rank_and_count()[1] > 1:
            raise UsageError("--watch cannot be used with --zip, --executor ray or several processes.")
        if any("://" not in str(path) and Path(path).is_file() for path in arguments.paths):
            raise UsageError("--watch needs folders, not single photos.")
    if arguments.packshot:
        chosen = [] if arguments.write is DEFAULT_WRITE else arguments.write
        arguments.write = [*chosen, *({"packshots"} - set(chosen))]
    if "packshots" not in arguments.write:
        _refuse_options(arguments, PackshotOptions, "packshots: add --packshot")
    if arguments.find is not None and not arguments.find.strip():
        raise UsageError('--find needs words, such as --find "red dress".')
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


def rank_and_count() -> tuple[int, int]:
    """Return this process's number, and the number of processes."""
    rank, processes = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    if not (rank.isdecimal() and processes.isdecimal() and int(rank) < int(processes)):
        raise UsageError(
            f"RANK={rank} and WORLD_SIZE={processes} are not process numbers; unset them, or let accelerate launch "
            "set them."
        )
    return int(rank), int(processes)


def _workers(text: str) -> int | None:
    """Parse the value of `--workers`: a number, or None for auto."""
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"give auto, or a number of at least 1, not {text}")
    return int(text)
