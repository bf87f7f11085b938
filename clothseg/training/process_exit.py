"""End a process that trained together with others."""

import ctypes
import os
import sys
from typing import Any, NoReturn


def keep_for_good(trainer: Any) -> None:
    """Never collect a trainer of several processes, not even at the interpreter's end.

    The destructor of its gloo group may wait forever: it holds the interpreter's lock, which a thread of the group
    needs. The process would hang, and so would the launcher.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(trainer))


def leave(status: int) -> NoReturn:
    """End the process; one of several skips the clean-up of interpreter and libraries.

    A thread of torch's communication may still run when global objects are destroyed, and would then abort the process
    ("terminate called without an active exception"), so that the launcher reports a failed training although it was
    saved and pushed.

    Args:
        status: exit status.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # set by accelerate launch and torchrun
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
