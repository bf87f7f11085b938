"""Functions that tests send to worker processes, and checks whether such a process is alive."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

from clothseg import Segmenter, WorkerPool
from clothseg.batch.photo_files import OutputSpec
from clothseg.batch.worker_process import Worker


def unreadable() -> None:
    raise ValueError("unreadable")


class Unreadable:
    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return unreadable, ()


def process_of(segmenter: Segmenter) -> int:
    return os.getpid()


def kill_own_process(segmenter: Segmenter) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def name_of(segmenter: Segmenter, *_: object) -> str:
    return segmenter.name


def slow_at_first(segmenter: Segmenter, path: str) -> str:
    """Take long and write this process's id to a new file; return at once if the file exists."""
    if os.path.exists(path):
        return segmenter.name
    with open(f"{path}.new", "w") as file:
        file.write(str(os.getpid()))
    os.replace(f"{path}.new", path)
    time.sleep(60)
    return "it was not killed"


def kill_oneself(_: Segmenter) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_by_three(
    wanted: OutputSpec, options: dict[str, Any], segmenter: Segmenter, photo: Path, name: PurePath
) -> Any:
    if name.name == "3.png":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"labels": b"x"}, {}


def pids(workers: WorkerPool) -> set[int]:
    hired: list[Worker] = list(workers._hired.values())
    return {worker._process.pid for worker in hired}


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def children(pid: int) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.add(int(path.parent.name))
    return found


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def when_there(path: Path, then: Callable[[str], object]) -> None:
    until(path.exists)
    then(path.read_text())
