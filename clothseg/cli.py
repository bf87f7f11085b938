"""The command line: `python -m clothseg COMMAND ...`; each command is a module of `clothseg.commands`."""

import argparse
import sys

from clothseg.commands import audit, deploy, evaluate, export, segment
from clothseg.errors import ClothsegError


COMMANDS = {"segment": segment, "evaluate": evaluate, "audit": audit, "export": export, "deploy": deploy}


def main(argv: list[str] | None = None) -> int:
    """Run a command line.

    Returns:
        Exit status: what the command returns (0 if all went well), 1 with one sentence on stderr on an error of
        ours or of the file system, 130 after Ctrl+C. Wrong arguments exit with 2, as argparse does.
    """
    parser = argparse.ArgumentParser(prog="python -m clothseg", description="Clothes segmentation of photos.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        command.add_arguments(commands.add_parser(name, help=command.HELP, description=command.__doc__))
    arguments = parser.parse_args(argv)
    try:
        return COMMANDS[arguments.command].run(arguments)
    except ClothsegError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except OSError as error:  # a full disk, a name too long, a folder that nobody may write to
        sys.stderr.write(f"error: {str(error.filename or 'The system says')[:200]}: {error.strerror or error}.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        return 130
