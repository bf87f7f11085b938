"""Process settings take effect, measured in page faults and processor time, and can be turned off."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import clothseg
from clothseg.process_settings import tune


ROOT = Path(clothseg.__file__).parents[1]
CODE = """
import resource
from clothseg.process_settings import tune
tune()
import os
import platform
import time
import numpy as np
def work():
    for _ in range(8):
        np.ones(15_000_000, np.float32)
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
square = np.ones((400, 400), np.float32)
square @ square
start = time.process_time()
time.sleep(0.1)
print(faults, os.environ.get("OMP_WAIT_POLICY"), time.process_time() - start)
"""


def run(**settings: str) -> tuple[int, str, float]:
    ours = ("MALLOC_", "OMP_WAIT", "OPENBLAS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=kept | settings,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    faults, policy, spun = done.stdout.split()
    return int(faults), policy, float(spun)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_settings_keep_memory_and_let_threads_sleep() -> None:
    faults, policy, spun = run()
    assert faults < 100
    assert policy == "passive"
    assert spun < 0.005, "threads of the linear algebra library sleep after their work"


@pytest.mark.parametrize(
    ("settings", "policy"),
    [
        ({"CLOTHSEG_TUNING": "0"}, "None"),
        ({"CLOTHSEG_TUNING": "0", "OMP_WAIT_POLICY": "active"}, "active"),
        ({"MALLOC_MMAP_THRESHOLD_": "65536"}, "passive"),
    ],
)
def test_settings_can_be_turned_off(settings: dict[str, str], policy: str) -> None:
    faults, found, _ = run(**settings)
    assert faults > 1000
    assert found == policy


def test_explicit_wait_policy_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"OMP_WAIT_POLICY": "active", "OPENBLAS_THREAD_TIMEOUT": "20", "MALLOC_ARENA_MAX": "4"}
    tune(environment)
    assert environment["OMP_WAIT_POLICY"] == "active" and environment["OPENBLAS_THREAD_TIMEOUT"] == "20"


GAPS = """
from clothseg.process_settings import trim_heap, tune
tune()
from pathlib import Path
import numpy as np
def resident():
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) // 1024
blocks = [np.ones(1_000_000, np.uint8) for _ in range(200)]
del blocks[:-1]  # the remaining block keeps the heap from shrinking
before = resident()
trim_heap()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_trim_heap_returns_memory() -> None:
    done = subprocess.run([sys.executable, "-c", GAPS], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(done.stdout) > 150, "megabytes"
