"""Serve the page, the API and the MCP tools on this machine, as `python app.py` does in a clone.

Environment variables set the rest: CLOTHSEG_MODEL and CLOTHSEG_REVISION the model, GRADIO_SERVER_PORT the port;
docs/operations.md lists all.
"""

import argparse


HELP = "serve the page and the API in the browser"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("--self-check", action="store_true", help="compare the engine with PyTorch before serving")
    parser.add_argument(
        "--save_corrections",
        metavar="FOLDER",
        help="write photos that /refine corrected, with their masks, as rows to train on; off by default",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped.

    Raises:
        SystemExit: with the exit status, or with why the app cannot start.
    """
    from clothseg.app.launch import main

    saved = ["--save_corrections", arguments.save_corrections] if arguments.save_corrections else []
    main(["--self-check"] * arguments.self_check + saved)
