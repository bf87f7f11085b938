"""A disk that takes no more, for tests."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes: what goes beyond cannot be written, as on a full disk.

    Not a fixture: pytest tells of a test before its fixtures end, and its own output may be such a file.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
