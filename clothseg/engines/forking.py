"""Keep torch from waiting forever in forked processes, which `multiprocessing` starts on Linux.

A forked process has one thread and the parent's memory. Two parts of torch may wait there for threads that do not
exist:

- OpenMP. One thread needs no others, so forked processes get one, as torch's own DataLoader has it.
- Intel's MKL, whose allocator keeps lists of buffers for each thread, and in a forked process may look through them
  without end. It keeps none when its unused buffers are freed before the fork. MKL offers that as
  `mkl_free_buffers`; in torch's library it has the name below, and where it is missing nothing is done.
"""

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path


_FREE_BUFFERS = "mkl_serv_free_buffers"
_LIBRARY = "lib/libtorch_cpu.so"


def _before() -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        with suppress(OSError, AttributeError, TypeError):  # torch is being imported, or has no MKL
            getattr(ctypes.CDLL(str(Path(str(torch.__file__)).parent / _LIBRARY)), _FREE_BUFFERS)()


def _after_in_child() -> None:
    set_threads = getattr(sys.modules.get("torch"), "set_num_threads", None)
    if set_threads is not None:
        set_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_child=_after_in_child)
