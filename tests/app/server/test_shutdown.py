"""On SIGTERM, accepted requests are answered and later ones rejected with a clear message."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import forked
import httpx
import numpy as np
import pytest
from app_server import environment
from gradio_client import Client, handle_file
from paper_dolls import draw
from PIL import Image

from clothseg import Segmenter


ROOT = Path(__file__).parents[3]


class Process:
    """A process forked by another one, with the part of `subprocess.Popen`'s interface used here."""

    def __init__(self, parent: subprocess.Popen[str], given: dict[str, object]) -> None:
        self.parent, self.status = parent, None
        self.pid = self.ask(given)
        self.ended = os.pidfd_open(self.pid)

    def ask(self, question: object) -> int:
        """Let the parent fork a process, or return the exit status of one that has ended."""
        self.parent.stdin.write(f"{json.dumps(question)}\n")
        self.parent.stdin.flush()
        return int(self.parent.stdout.readline())

    def send_signal(self, signum: signal.Signals) -> None:
        if self.status is None:
            os.kill(self.pid, signum)

    def poll(self, seconds: float = 0) -> int | None:
        """The exit status, or None if it is still running after `seconds`."""
        if self.status is None and select.select([self.ended], [], [], seconds)[0]:
            self.status = self.ask(self.pid)
            os.close(self.ended)
        return self.status

    def wait(self, seconds: float) -> int:
        status = self.poll(seconds)
        assert status is not None, f"it is still running after {seconds:g} s"
        return status


class App:
    """A process that serves a slow model."""

    def __init__(self, parent: subprocess.Popen[str], folder: Path, port: int, seconds: float, limit: float) -> None:
        self.url, self.log = f"http://127.0.0.1:{port}/", folder / "app.log"
        files = {"folder": str(folder / "gradio"), "log": str(self.log)}
        self.process = Process(parent, {"port": port, "seconds": seconds, "limit": limit, **files})
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                httpx.get(f"{self.url}config", timeout=30)
                return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError(self.log.read_text())


Start = Callable[..., App]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(draw(1, 96, 64).image).save(path)
    return path


@pytest.fixture(scope="module")
def parent(tiny_model: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has imported everything that the apps need, and forks them."""
    with forked.Popen(
        [sys.executable, str(ROOT / "tests" / "support" / "slow_apps.py"), str(tiny_model)],
        cwd=ROOT, env=environment(PYTHONPATH=str(ROOT)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield process
        process.stdin.close()


@pytest.fixture
def start(parent: subprocess.Popen[str], tmp_path: Path, unused_port: int) -> Iterator[Start]:
    apps: list[App] = []

    def begin(seconds: float, limit: float) -> App:
        apps.append(App(parent, tmp_path, unused_port, seconds, limit))
        return apps[-1]

    yield begin
    for app in apps:
        app.process.send_signal(signal.SIGKILL)
        app.process.wait(30)


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_shutdown_answers_accepted_photos_and_rejects_new_ones(
    start: Start, photo: Path, tiny_model: Path, tmp_path: Path
) -> None:
    app = start(seconds=0.3, limit=60)
    client = Client(app.url, verbose=False, download_files=str(tmp_path / "got"))
    uploaded = httpx.post(f"{app.url}gradio_api/upload", files={"files": photo.read_bytes()}).json()[0]
    body = {"data": [{"path": uploaded, "meta": {"_type": "gradio.FileData"}}]}
    with ThreadPoolExecutor() as pool:
        answers = [pool.submit(client.predict, handle_file(str(photo)), api_name="/segment") for _ in range(3)]
        while httpx.get(f"{app.url}gradio_api/queue/status").json()["queue_size"] != 1:
            time.sleep(0.02)
        app.process.send_signal(signal.SIGTERM)
        while "SIGTERM" not in app.log.read_text():
            time.sleep(0.02)
        assert app.process.poll() is None
        for path, sent in (("upload", {"files": {"files": b""}}), ("call/segment", {"json": body})):
            refused = httpx.post(f"{app.url}gradio_api/{path}", **sent)
            assert refused.status_code == 503 and refused.headers["retry-after"] == "60"
            assert refused.json()["detail"].startswith("The app is being restarted and accepts no new photos")
        expected = Segmenter.from_pretrained(tiny_model)(photo).label_map
        for answer in answers:
            overlay, label_map, _ = answer.result(60)
            np.testing.assert_array_equal(np.asarray(Image.open(label_map)), expected)
            assert Image.open(overlay).size == (64, 96)
    assert app.process.wait(30) == 0
    said = app.log.read_text()
    assert "requests within 60 s, rejecting new ones." in said
    assert "All accepted requests were answered; 2 later ones were rejected." in said
    assert "Traceback" not in said


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_or_second_sigterm_ends_the_app_at_once(stop: signal.Signals, start: Start, photo: Path) -> None:
    """Even while a photo is being segmented."""
    app = start(seconds=600, limit=600)
    uploaded = httpx.post(f"{app.url}gradio_api/upload", files={"files": photo.read_bytes()}).json()[0]
    body = {"data": [{"path": uploaded, "meta": {"_type": "gradio.FileData"}}]}
    assert httpx.post(f"{app.url}gradio_api/call/segment", json=body).is_success
    app.process.send_signal(stop)
    if stop == signal.SIGTERM:
        while "SIGTERM" not in app.log.read_text():
            time.sleep(0.02)
        assert app.process.poll() is None
        app.process.send_signal(stop)
    assert app.process.wait(60) == 128 + stop
    said = app.log.read_text()
    assert "Traceback" not in said and ("Stopped." in said) == (stop == signal.SIGINT)


def test_shutdown_abandons_requests_after_the_limit(start: Start, photo: Path) -> None:
    app = start(seconds=600, limit=1)
    uploaded = httpx.post(f"{app.url}gradio_api/upload", files={"files": photo.read_bytes()}).json()[0]
    body = {"data": [{"path": uploaded, "meta": {"_type": "gradio.FileData"}}]}
    assert httpx.post(f"{app.url}gradio_api/call/segment", json=body).is_success
    app.process.send_signal(signal.SIGTERM)
    assert app.process.wait(60) == 143
    assert "Abandoned 1 requests after 1 s." in app.log.read_text()
