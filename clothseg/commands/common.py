"""Arguments that commands share."""

import argparse

from clothseg.labels import GROUPS


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add `--model` and `--revision`: the model that does the work."""
    parser.add_argument("--model", help="Hub id or folder; default: the model that ships with us")
    parser.add_argument("--revision", help="branch, tag or commit of the model on the Hub")


def add_keep(parser: argparse.ArgumentParser, of: str) -> None:
    """Add `--keep`: the classes, or groups of them, `of` what is written."""
    parser.add_argument(
        "--keep",
        nargs="+",
        metavar="CLASS",
        default=["All garments"],
        help=f"classes of {of}, or groups of them ({', '.join(GROUPS)}); default: All garments",
    )
