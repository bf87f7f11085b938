"""SIGTERM: what the app has accepted is answered, whoever comes later is refused in clear words."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from app_server import environment
from gradio_client import Client, handle_file
from paper_dolls import draw
from PIL import Image

from clothseg import Segmenter


ROOT = Path(__file__).parents[3]
SLOW = """
import sys, time
from clothseg import Segmenter
from clothseg.app.server.shutdown import serve
from clothseg.app.blocks import build, launch_options

segmenter = Segmenter.from_pretrained(sys.argv[1])
engine = segmenter.engine
def slowly(pixels):
    time.sleep(float(sys.argv[2]))
    return engine(pixels)
segmenter.engine = slowly
page = build(segmenter)
page.queue(max_size=32)
sys.exit(serve(page, limit=float(sys.argv[3]), server_port=int(sys.argv[4]), quiet=True, **launch_options()))
"""
"""The app, with an engine that takes its time."""


class App:
    """A process that serves a slow model."""

    def __init__(self, model: Path, folder: Path, port: int, seconds: float, limit: float) -> None:
        self.url, self.log = f"http://127.0.0.1:{port}/", folder / "app.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SLOW, str(model), str(seconds), str(limit), str(port)],
                cwd=ROOT, env=environment(GRADIO_TEMP_DIR=str(folder / "gradio")), stdout=log, stderr=log,
            )  # fmt: skip
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


@pytest.fixture
def start(tiny_model: Path, tmp_path: Path, unused_port: int) -> Iterator[Start]:
    apps: list[App] = []

    def begin(seconds: float, limit: float) -> App:
        apps.append(App(tiny_model, tmp_path, unused_port, seconds, limit))
        return apps[-1]

    yield begin
    for app in apps:
        app.process.kill()
        app.process.wait()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_accepted_photos_are_answered_and_new_ones_refused(
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
def test_who_cannot_wait(stop: signal.Signals, start: Start, photo: Path) -> None:
    """Ctrl-C ends the app at once, and so does a second SIGTERM, whatever is being computed."""
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


def test_an_end_that_takes_too_long(start: Start, photo: Path) -> None:
    app = start(seconds=600, limit=1)
    uploaded = httpx.post(f"{app.url}gradio_api/upload", files={"files": photo.read_bytes()}).json()[0]
    body = {"data": [{"path": uploaded, "meta": {"_type": "gradio.FileData"}}]}
    assert httpx.post(f"{app.url}gradio_api/call/segment", json=body).is_success
    app.process.send_signal(signal.SIGTERM)
    assert app.process.wait(60) == 143
    assert "Abandoned 1 requests after 1 s." in app.log.read_text()
