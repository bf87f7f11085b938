"""The app as users start it: `python app.py` in its own process, on a free port of this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import forked


ROOT = Path(__file__).parents[2]

SECRET = "hf_" + "KeepThisToYourself" * 2
"""A token that the app must not reveal."""

WATCH_SOCKETS = """
import os, sys

def note(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        with open(os.environ["SOCKET_LOG"], "a") as log:
            log.write(f"{event} {args if event == 'socket.getaddrinfo' else args[1:]!r}\\n")

sys.addaudithook(note)
"""
"""Content of a sitecustomize.py that writes each connection and each name look-up to SOCKET_LOG."""


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without a developer's settings of the app, and with `settings`."""
    foreign = ("CLOTHSEG_", "GRADIO_", "SPACE_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign) or k == "CLOTHSEG_CACHE"}
    return inherited | {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"} | settings


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running_app(
    folder: Path, root: Path = ROOT, port: int | None = None, fork: bool = True, **settings: str
) -> Iterator[str]:
    """Start the app of `root` and yield its address; its temporary files and its log are in `folder`.

    Without `fork`, it runs in a new process, as users start it.
    """
    port = port or free_port()
    log = folder / "app.log"
    env = environment(**settings | {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder / "gradio")})
    with log.open("w") as output:
        process = (forked if fork else subprocess).Popen(
            [sys.executable, str(root / "app.py")], cwd=root, env=env, stdout=output, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 240
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The app did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # after SIGTERM, it would wait a second for more requests
        try:
            process.wait(120)  # the app itself gives up after 25 s, unless a busy machine lets it wait for its turn
        finally:
            process.kill()
            process.wait()


def await_model(url: str) -> None:
    """Wait until an app has loaded its model, which may happen after it starts serving."""
    deadline = time.monotonic() + 240
    question = Request(f"{url}/gradio_api/run/health", b'{"data": []}', {"Content-Type": "application/json"})
    while True:
        with urlopen(question, timeout=240) as answer:
            status = json.load(answer)["data"][0]["status"]
        if status == "ok":
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"The app has no model: {status}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/config", timeout=5):
            return True
    except (URLError, TimeoutError, ConnectionError):
        return False
