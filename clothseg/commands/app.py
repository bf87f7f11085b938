"""Serve the page, the API and the MCP tools on this machine, like `python app.py` in a clone.

Other settings are environment variables, such as CLOTHSEG_MODEL and CLOTHSEG_REVISION; docs/operations.md lists all of
them.
"""

import argparse
import gc
from pathlib import Path
from typing import NoReturn

from clothseg.commands.numbers import number


HELP = "serve the page and the API in the browser"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command, and of the Space's `app.py`, to a parser."""
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help="address to listen at: 127.0.0.1 (default) for this machine only, 0.0.0.0 for all networks",
    )
    parser.add_argument(
        "--port",
        type=number(int, 1, 65535),
        metavar="N",
        help="port to listen at (default: the first free one from 7860 on)",
    )
    parser.add_argument("--self-check", action="store_true", help="compare the engine with PyTorch before serving")
    parser.add_argument(
        "--save_corrections",
        type=Path,
        metavar="FOLDER",
        help="save corrected photos with their masks as rows to train on: all that /refine corrects, and those that "
        "visitors of the page choose to save; off by default",
    )


def run(arguments: argparse.Namespace, examples: Path | None = None) -> NoReturn:
    """Serve until stopped.

    Args:
        arguments: what `add_arguments` reads.
        examples: folder of the example photos, which the package does not hold.

    Raises:
        SystemExit: with the exit status, or with the reason why the app cannot start.
    """
    # Imports create a million permanent objects: garbage collection of these takes a tenth of the start.
    gc.disable()
    from clothseg.app.launch import main

    main(arguments.self_check, arguments.save_corrections, examples, arguments.host, arguments.port)
