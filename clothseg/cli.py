"""The command line: `clothseg COMMAND ...` or `python -m clothseg COMMAND ...`. Each command is a module of
`clothseg.commands`."""

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

from clothseg.commands import app, audit, check, convert, deploy, evaluate, export, segment, video
from clothseg.errors import ClothsegError, UsageError, needs_extra
from clothseg.images.atomic_files import disk_trouble
from clothseg.images.file_names import tolerate_any_name


COMMANDS = {
    "segment": segment,
    "video": video,
    "evaluate": evaluate,
    "audit": audit,
    "convert": convert,
    "export": export,
    "check": check,
    "app": app,
    "deploy": deploy,
}

NEEDS = {"app": "app", "video": "video", "evaluate": "train", "audit": "train", "convert": "train", "export": "onnx"}
"""Commands that need more than the core package, and the extra that each needs."""

EXIT_STATUS = (
    "Exit status: 0 if all went well; 1 if something failed, see the messages on stderr; 2 for wrong arguments; 130 "
    "after Ctrl+C."
)


def main(argv: list[str] | None = None) -> int:
    """Run a command line.

    Returns:
        Exit status: the command's (0 on success), 1 after a `ClothsegError` or an error of the file system, with one
            sentence on stderr, 2 after wrong arguments, 130 after Ctrl+C.
    """
    tolerate_any_name()
    parser = argparse.ArgumentParser(
        prog="clothseg" if Path(sys.argv[0]).stem == "clothseg" else "python -m clothseg",
        description="Clothes segmentation of photos.",
        epilog=EXIT_STATUS,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        command.add_arguments(
            commands.add_parser(name, help=command.HELP, description=command.__doc__, epilog=EXIT_STATUS)
        )
    argv = sys.argv[1:] if argv is None else argv
    if argv.count("--") > 1:  # argparse before Python 3.13 returns an empty list for some of these
        parser.error("-- can be given once, before names that begin with a dash")
    arguments = parser.parse_args(argv)
    try:
        extra = NEEDS.get(arguments.command)
        with needs_extra(f"clothseg {arguments.command}", extra) if extra else nullcontext():
            return COMMANDS[arguments.command].run(arguments)
    except ClothsegError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, UsageError) else 1
    except OSError as error:  # a full disk, a name that is too long, a read-only folder
        named = f"{str(error.filename or 'System error')[:200]}: {error.strerror or error}."
        sys.stderr.write(f"error: {disk_trouble(error) or named}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        return 130
