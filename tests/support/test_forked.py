"""Forked programs behave as processes from scratch: arguments, environment, streams, status and signals."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import forked
import pytest


ARGUMENTS = """
import json, os, sys
print(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ), sys.stdin.read(), __name__]))
print("clothseg" in sys.modules, file=sys.stderr)
sys.exit(3)
"""


def test_program_gets_its_arguments_environment_folder_and_streams(tmp_path: Path) -> None:
    with forked.Popen(
        [sys.executable, "-c", ARGUMENTS, "a", "b c"],
        cwd=tmp_path, env={"ONLY": "this"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        out, err = process.communicate("given", timeout=60)
    assert (process.returncode, err) == (3, "False\n")
    assert json.loads(out) == [["a", "b c"], str(tmp_path), {"ONLY": "this"}, "given", "__main__"]


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("import atexit; atexit.register(print, 'end')", 0, "end\n"),
        ("import sys; sys.exit('why')", 1, "why\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM, ""),
        ("raise KeyboardInterrupt", -signal.SIGINT, "KeyboardInterrupt\n"),
    ],
)
def test_exit_status_and_messages(code: str, status: int, said: str) -> None:
    for start in (forked.run, subprocess.run):
        done = start([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == status and (done.stdout + done.stderr).endswith(said)


def test_signals_reach_the_program_and_its_session() -> None:
    code = "import time; print(1, flush=True); time.sleep(60)"
    for stop, status in ((signal.SIGINT, -signal.SIGINT), (signal.SIGKILL, -signal.SIGKILL)):
        process = forked.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        with process:
            assert process.stdout.readline() == b"1\n" and process.poll() is None
            assert os.getsid(process.pid) == process.pid
            os.killpg(process.pid, stop)
            assert process.wait(30) == status


def test_settings_of_the_hub_and_gradio_are_read_again(tmp_path: Path) -> None:
    code = (
        "import datasets, huggingface_hub, gradio.routes, tempfile\n"
        "from huggingface_hub import constants\n"
        "print(huggingface_hub.HfApi().endpoint, huggingface_hub.hf_api.api.endpoint, datasets.config.HF_ENDPOINT,\n"
        "constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE, gradio.routes.DEFAULT_TEMP_DIR, tempfile.gettempdir())"
    )
    hub = "http://localhost:1"
    env = {"HF_ENDPOINT": hub, "HF_HOME": "/home", "GRADIO_TEMP_DIR": "/files", "TMPDIR": str(tmp_path)}
    done = forked.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [hub, hub, hub, "/home/hub", "False", "/files", str(tmp_path)], done.stderr
