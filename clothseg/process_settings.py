"""Two settings of a process that make networks on CPUs quicker; for our commands, not for programs that import us.

Threads: PyTorch splits its work among OpenMP threads, and one that has finished spins until the others have too. Where
anything else holds a core (a web server, another process), the work of the slowest waits for that core while spinning
threads take it: a forward pass then takes three to seven times as long. With OMP_WAIT_POLICY=passive they sleep.

Memory: glibc gives blocks of more than some MB back to the kernel when they are freed, and a network's temporaries are
all of that kind, so each forward pass has the kernel map and clear hundreds of MB anew: a third of its time. Kept
instead, in one heap for all threads, the process's memory stays at its peak between photos, and that peak is no
higher, for threads no longer hoard a heap each. A server's would still rise slowly, likely since photos of all sizes
leave gaps: so it calls `trim_heap` once a minute, which with the pages cleared anew costs 0.3 s for 400 MB.

CLOTHSEG_TUNING=0 turns both off; whoever sets OMP_WAIT_POLICY or one of glibc's MALLOC_ variables is left to it.
"""

import ctypes
import os
from collections.abc import MutableMapping


_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
"""From glibc's malloc.h."""

_kept = False
"""Whether memory is kept as said above."""


def tune(environment: MutableMapping[str, str] = os.environ) -> None:
    """Apply both settings to this process; to be called before torch and numpy are imported and threads started."""
    if environment.get("CLOTHSEG_TUNING") == "0":
        return
    global _kept
    environment.setdefault("OMP_WAIT_POLICY", "passive")
    # glibc reads its variables when the process starts, so they would come too late.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None and not any(name.startswith("MALLOC_") for name in environment):
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_ARENA_MAX, 1)
        _kept = True


def trim_heap() -> None:
    """Hand what is free of the heap back to the kernel, gaps included, if `tune` has had it kept."""
    if _kept:
        ctypes.CDLL(None).malloc_trim(0)
