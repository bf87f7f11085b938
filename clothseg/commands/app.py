"""Serve the page, the API and the MCP tools on this machine, as `python app.py` does in a clone.

Environment variables set the rest: CLOTHSEG_MODEL and CLOTHSEG_REVISION the model, GRADIO_SERVER_PORT the port;
docs/operations.md lists all.
"""

import argparse


HELP = "serve the page and the API in the browser"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("--self-check", action="store_true", help="compare the engine with PyTorch before serving")


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped.

    Raises:
        SystemExit: with the exit status, or with why the app cannot start.
    """
    from clothseg.app.launch import main

    main(["--self-check"] * arguments.self_check)
