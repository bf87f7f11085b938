"""Call a function of the package in a process of its own, so that the libraries it needs end with that process."""

import os
import subprocess
import sys
from pathlib import Path


LIMIT_SECONDS = 600
"""Time after which the process is ended."""


def call_in_subprocess(module: str, function: str, *arguments: str) -> bool:
    """Call `module.function(*arguments)` in a new process and return whether it ended without an error.

    What the process prints is dropped: to tell an error to the user, call the function again in this process.
    """
    places = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    code = f"import sys; from {module} import {function}; {function}(*sys.argv[1:])"
    try:
        done = subprocess.run(  # noqa: S603 - our own code; the arguments are data
            [sys.executable, "-P", "-c", code, *arguments],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
