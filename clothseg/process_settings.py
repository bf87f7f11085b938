"""Two process settings that make networks on CPUs faster. Our commands apply them; `import clothseg` does not.

Threads: PyTorch splits its work among OpenMP threads, and a thread that has finished spins until the others are done.
If anything else uses a core (a web server, another process), the slowest thread waits for that core while spinning
threads occupy it, and a forward pass takes three to seven times as long. With OMP_WAIT_POLICY=passive they sleep
instead. NumPy's linear algebra library, OpenBLAS, has its own threads, which also spin, for some 20 ms after each
product of matrices: a correction by a click took two and a half times the processor time. They sleep at once, too.

Memory: glibc returns blocks of more than a few MB to the kernel when they are freed. A network's temporaries are of
that kind, so in each forward pass the kernel maps and clears hundreds of MB again, which takes a third of the time. If
freed memory is kept in one heap for all threads, the process's memory stays at its peak between photos. The peak is no
higher, since threads no longer keep a heap each. A server's memory would still rise slowly, probably because photos of
all sizes leave gaps, so it calls `trim_heap` once a minute; with the pages cleared again that costs 0.3 s for 400 MB.

CLOTHSEG_TUNING=0 turns both off. OMP_WAIT_POLICY, OPENBLAS_THREAD_TIMEOUT and glibc's MALLOC_ variables take
precedence if they are set.
"""

import ctypes
import os
from collections.abc import MutableMapping


_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
"""Constants of glibc's malloc.h."""

_SHORTEST = "4"
"""OpenBLAS's threads sleep after 2**4 cycles instead of 2**26; it takes nothing smaller."""

_kept = False
"""Whether freed memory is kept as described above."""


def tune(environment: MutableMapping[str, str] = os.environ) -> None:
    """Apply both settings to this process. Call it before torch and numpy are imported and before threads are
    started."""
    if environment.get("CLOTHSEG_TUNING") == "0":
        return
    global _kept
    environment.setdefault("OMP_WAIT_POLICY", "passive")
    environment.setdefault("OPENBLAS_THREAD_TIMEOUT", _SHORTEST)
    # glibc reads its variables when the process starts, so they would come too late.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None and not any(name.startswith("MALLOC_") for name in environment):
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_ARENA_MAX, 1)
        _kept = True


def trim_heap() -> None:
    """Return the free parts of the heap to the kernel, if `tune` keeps freed memory."""
    if _kept:
        ctypes.CDLL(None).malloc_trim(0)
