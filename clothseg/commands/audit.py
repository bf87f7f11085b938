"""Check a data set before training: sizes, class shares, unusable rows, near-duplicates, mismatched pairs, mask
faults."""

import argparse
import sys
from pathlib import Path

from clothseg.commands.common import add_layout, layout_of
from clothseg.commands.numbers import number
from clothseg.errors import ConfigError


HELP = "check a data set before training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help="Hub id, folder or parquet file with columns image and mask, as for training",
    )
    parser.add_argument("--revision", help="branch, tag or commit of a data set on the Hub")
    add_layout(parser)
    parser.add_argument("--out", type=Path, metavar="FILE.html", help="write a report with pictures to this file")
    parser.add_argument("--limit", type=number(int, 1), metavar="N", help="check only the first N rows of each split")
    parser.add_argument(
        "--examples",
        type=number(int, 1),
        default=12,
        metavar="K",
        help="pictures per finding in the report (default: 12)",
    )
    parser.add_argument(
        "--model",
        nargs="?",
        const="",
        metavar="NAME",
        help="also compare each mask with the person that a model finds, which takes longer: a Hub id or a folder, "
        "or no value for the model that comes with clothseg",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with status 1 if there are unusable rows, mismatched pairs, near-duplicates across splits, or "
        "masks that do not seem to contain the class ids",
    )


def run(arguments: argparse.Namespace) -> int:
    """Audit, print the tables and write the report.

    Returns:
        0, or 1 with `--strict` if there are findings that harm a training or its figures.

    Raises:
        ClothsegError: the data set or the model cannot be loaded, or an option is wrong.
    """
    out: Path | None = arguments.out
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise ConfigError(f"--out {out}: give a file in an existing folder, such as audit.html.")

    from clothseg.segmenter import Segmenter
    from clothseg.training.data.audit import audit
    from clothseg.training.data.audit_report import text, write_html
    from clothseg.training.data.sources import load_parts

    rows, parts, commit, classes = load_parts(arguments.dataset, arguments.revision, layout=layout_of(arguments))
    splits = {split: rows.select(numbers[: arguments.limit]) for split, numbers in parts.items()}
    segmenter = None if arguments.model is None else Segmenter.from_pretrained(arguments.model or None)
    found = audit(splits, segmenter, classes)
    name = arguments.dataset + (f" at commit {commit}" if commit else "")
    sys.stdout.write(text(found, name))
    if out is not None:
        write_html(found, splits, name, out, arguments.examples)
        sys.stdout.write(f"\nReport with pictures: {out}\n")
    return 1 if arguments.strict and not found.is_clean else 0
