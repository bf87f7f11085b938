"""Files that appear whole or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path to write to in place of `path`, which is put there when all went well.

    A reader never sees half a file, and a writer that fails or is killed leaves what was there before.
    """
    # Not tempfile: its files are readable by their owner alone, and would stay so. The suffix tells Pillow the format.
    temporary = path.with_name(f".{uuid.uuid4().hex}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
