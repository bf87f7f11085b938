"""How a process that trained together with others ends."""

import ctypes
import os
import sys
from typing import Any, NoReturn


def keep_for_good(trainer: Any) -> None:
    """Never collect a trainer of several processes, not even when the interpreter ends.

    The gloo group that its wrapped model holds may wait for ever in its destructor: that has the interpreter's lock,
    which a thread of the group asks for. A rank would hang at its end, and the launcher with it.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(trainer))


def leave(status: int) -> NoReturn:
    """End the process; one of several without the interpreter's and the libraries' own tidying up.

    A thread of torch's communication may still run when global objects are destroyed, and then aborts the process
    ("terminate called without an active exception"): the launcher calls a training failed that was saved and pushed.

    Args:
        status: exit status.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # as accelerate launch and torchrun set it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
