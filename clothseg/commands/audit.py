"""Look over a data set before training on it: sizes, class shares, bad rows, copies, wrong pairs, faults of masks."""

import argparse
import sys
from pathlib import Path

from clothseg.errors import ConfigError


HELP = "look over a data set before training on it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help="Hub id, folder or parquet file, as for training, with columns image and mask",
    )
    parser.add_argument("--revision", help="branch, tag or commit of a data set on the Hub")
    parser.add_argument("--out", type=Path, metavar="FILE.html", help="write a report with pictures to this file")
    parser.add_argument("--limit", type=int, metavar="N", help="look at the first N rows of each split only")
    parser.add_argument(
        "--examples", type=int, default=12, metavar="K", help="pictures of each finding in the report (default: 12)"
    )
    parser.add_argument(
        "--model",
        nargs="?",
        const="",
        metavar="NAME",
        help="also compare each mask's person with the one that a model sees, which takes longer: a Hub id or folder, "
        "or nothing for the model that ships with clothseg",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with status 1 if there are bad rows, pairs that do not match, near-duplicates across splits, or "
        "masks that do not seem to hold ATR's class ids",
    )


def run(arguments: argparse.Namespace) -> int:
    """Audit, print the tables and write the report.

    Returns:
        0, or 1 with `--strict` where there are findings that spoil a training or its figures.

    Raises:
        ClothsegError: the data set or the model cannot be loaded, or an option cannot be met.
    """
    out: Path | None = arguments.out
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise ConfigError(f"--out {out}: give a file in a folder that exists, such as audit.html.")
    for option in ("limit", "examples"):
        value = getattr(arguments, option)
        if value is not None and value < 1:
            raise ConfigError(f"--{option} {value}: give 1 or more.")

    from clothseg.segmenter import Segmenter
    from clothseg.training.data.audit import audit
    from clothseg.training.data.audit_report import text, write_html
    from clothseg.training.data.sources import load_parts

    rows, parts, commit = load_parts(arguments.dataset, arguments.revision)
    splits = {split: rows.select(numbers[: arguments.limit]) for split, numbers in parts.items()}
    segmenter = None if arguments.model is None else Segmenter.from_pretrained(arguments.model or None)
    found = audit(splits, segmenter)
    name = arguments.dataset + (f" at commit {commit}" if commit else "")
    sys.stdout.write(text(found, name))
    if out is not None:
        write_html(found, splits, name, out, arguments.examples)
        sys.stdout.write(f"\nThe report with pictures: {out}\n")
    return 1 if arguments.strict and not found.is_clean else 0
