"""Serve the page, the API and the MCP tools on this machine, like `python app.py` in a clone.

Other settings are environment variables, such as CLOTHSEG_MODEL, CLOTHSEG_REVISION and GRADIO_SERVER_PORT;
docs/operations.md lists all of them.
"""

import argparse


HELP = "serve the page and the API in the browser"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("--self-check", action="store_true", help="compare the engine with PyTorch before serving")
    parser.add_argument(
        "--save_corrections",
        metavar="FOLDER",
        help="save corrected photos with their masks as rows to train on: all that /refine corrects, and those that "
        "visitors of the page choose to save; off by default",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped.

    Raises:
        SystemExit: with the exit status, or with the reason why the app cannot start.
    """
    from clothseg.app.launch import main

    saved = ["--save_corrections", arguments.save_corrections] if arguments.save_corrections else []
    main(["--self-check"] * arguments.self_check + saved)
