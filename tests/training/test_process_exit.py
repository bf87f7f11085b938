"""How training processes exit."""

import subprocess
import sys

import pytest


SCRIPT = """
import atexit
from clothseg.training.process_exit import leave
atexit.register(print, "tidied up")
print("done")
leave(3)
"""


@pytest.mark.parametrize(("processes", "expected"), [("1", "done\ntidied up\n"), ("2", "done\n")])
def test_distributed_process_exits_at_once_with_status_and_output(
    processes: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", processes)
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, expected, "")
