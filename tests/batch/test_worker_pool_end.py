"""Worker processes end with their pool and with its process.

Covers `clothseg.batch.worker_process`.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from paper_dolls import draw
from PIL import Image
from worker_jobs import alive, children, pids, slow_at_first, until, when_there

from clothseg import ConfigError, WorkerPool


ROOT = Path(__file__).parents[2]


def test_closing_ends_busy_workers(tiny_model: Path, tmp_path: Path) -> None:
    with WorkerPool(1, tiny_model) as short:
        found = pids(short)
        caught: list[Exception] = []

        def ask() -> None:
            try:
                short.run(slow_at_first, str(tmp_path / "begun"))
            except ConfigError as error:
                caught.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        when_there(tmp_path / "begun", lambda _: None)
    asking.join(10)
    assert not any(map(alive, found)) and "worker pool is closed" in str(caught[0])
    with pytest.raises(ConfigError, match="closed"):
        short.batch([tmp_path / "a.png"])


KILLED = """
import sys, threading
from clothseg import WorkerPool
from worker_jobs import pids, slow_at_first
pool = WorkerPool(2, sys.argv[1])
print(*pids(pool), flush=True)
threads = [threading.Thread(target=pool.run, args=(slow_at_first, f"{sys.argv[2]}-{number}")) for number in (0, 1)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
"""Workers must also start from a script without `if __name__ == "__main__"`."""


def test_workers_end_when_their_parent_is_killed(tiny_model: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests" / "support")))
    argv = [sys.executable, str(script), str(tiny_model), str(tmp_path / "begun")]
    parent = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})
    assert parent.stdout is not None
    found = set(map(int, parent.stdout.readline().split()))
    for number in (0, 1):
        when_there(tmp_path / f"begun-{number}", lambda _: None)
    assert len(found) == 2 and all(map(alive, found))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not any(map(alive, found)))


def test_ctrl_c_and_sigterm_leave_no_worker_and_no_traceback(tiny_model: Path, tmp_path: Path) -> None:
    """Signals the whole process group, as a terminal does."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(draw(1, 700, 500).image).save(folder / "0.bmp")
    for number in range(1, 400):
        os.link(folder / "0.bmp", folder / f"{number}.bmp")
    for number, (stop, status, said) in enumerate(
        ((signal.SIGINT, 130, ["Stopped."]), (signal.SIGTERM, -signal.SIGTERM, []))
    ):
        out = tmp_path / str(number)
        argv = [sys.executable, "-m", "clothseg", "segment", str(folder), "--out", str(out), "--workers", "2"]
        parent = subprocess.Popen(
            [*argv, "--model", str(tiny_model)], cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True
        )
        until(lambda out=out: (out / "summaries").is_dir() and len(list((out / "summaries").iterdir())) > 4)
        found = children(parent.pid)
        os.killpg(parent.pid, stop)
        _, err = parent.communicate(timeout=100)
        assert parent.returncode == status and "Traceback" not in err
        assert [line for line in err.splitlines() if line and "photos" not in line and "it/s]" not in line] == said
        assert len(found) == 2
        until(lambda found=found: not any(map(alive, found)))
        assert (out / "results.csv").exists() == (stop == signal.SIGINT)
