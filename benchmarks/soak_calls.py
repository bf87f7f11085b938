"""The app in a process of its own, and calls of it over plain HTTP, each judged by what comes of it."""

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx


ROOT = Path(__file__).parents[1]


class Stopping(Exception):
    """The app takes no more."""


class App:
    """The app in a process of its own."""

    def __init__(self, folder: Path, script: Path = ROOT / "app.py", **settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self.files, self.log = f"http://127.0.0.1:{port}", folder / "gradio", folder / "app.log"
        env = os.environ | {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(self.files)} | settings
        with self.log.open("w") as log:
            self.process = subprocess.Popen(  # noqa: S603 - this very app
                [sys.executable, str(script)], cwd=ROOT, env=env, stdout=log, stderr=log
            )
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.url}/config", timeout=10).raise_for_status()
                return
            if self.process.poll() is not None:
                raise RuntimeError(f"The app did not start:\n{self.log.read_text()}")
            time.sleep(0.2)

    def megabytes(self) -> float:
        """Its resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def stored(self) -> tuple[int, float]:
        """Number and megabytes of its temporary files."""
        sizes = [path.stat().st_size for path in self.files.rglob("*") if path.is_file()]
        return len(sizes), sum(sizes) / 1e6


def join(client: httpx.Client, data: bytes) -> str | None:
    """Send a file to /segment, and give the name of the call; None where the queue is full.

    Raises:
        Stopping: the app refused it, or is gone.
    """
    try:
        sent = client.post("/gradio_api/upload", files={"files": ("photo.jpg", data)})
        _open(sent)
        file = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
        joined = client.post("/gradio_api/call/segment", json={"data": [file]})
        if joined.status_code == 503 and "full" in joined.text:
            return None
        _open(joined)
    except httpx.TransportError as error:
        raise Stopping from error
    return joined.json()["event_id"]


def ask(client: httpx.Client, data: bytes) -> tuple[str, Any]:
    """Send a file to /segment; "complete" and the answer's parts, "error" and its message, or "busy".

    Raises:
        Stopping: the app refused it, or is gone, before it was accepted.
        httpx.TransportError: it went away after that.
    """
    if (call := join(client, data)) is None:
        return "busy", None
    event = ""
    with client.stream("GET", f"/gradio_api/call/segment/{call}") as answer:
        for line in answer.iter_lines():
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: ") and event in ("complete", "error"):
                return event, json.loads(line[6:])
    return "nothing", None


def leave(client: httpx.Client, data: bytes, listen: bool) -> str:
    """Send a file to /segment and go, where asked to in the middle of the answer; "left" or "busy"."""
    if (call := join(client, data)) is None:
        return "busy"
    if listen:
        with client.stream("GET", f"/gradio_api/call/segment/{call}"):
            pass
    return "left"


def _open(answer: httpx.Response) -> None:
    if answer.status_code == 503 and "being restarted" in answer.text:
        raise Stopping
    answer.raise_for_status()


def judge(client: httpx.Client, data: bytes, kind: str | None, expected: dict[bytes, str]) -> tuple[str, str]:
    """Make one request, and tell its outcome and what was said.

    Args:
        kind: what is wrong with the file, or None for one of the photos.
        expected: each photo's digest.
    """
    event, answer = ask(client, data)
    if event in ("busy", "nothing"):
        return ("busy", "") if event == "busy" else ("lost", "lost: the answer was empty")
    if kind:
        said = str(answer.get("error") if isinstance(answer, dict) else answer)
        refused = event == "error" and len(said) > 10 and "Traceback" not in said
        return "refused" if refused else "wrong", f"{kind}: {said}"
    if event == "error":
        return "wrong", f"photo: {answer}"
    found = client.get(answer[1]["url"])
    digest = hashlib.sha256(found.content).hexdigest()
    if digest == expected[data]:
        return "right", ""
    outcome = "crossed" if digest in expected.values() else "wrong"
    return outcome, f"photo: status {found.status_code}, {outcome} label map"
