"""Run the app in its own process, call it over plain HTTP, and judge each answer."""

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
    """The app accepts no more requests."""


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
    """Send a file to /segment, and return the name of the call; None if the queue is full.

    Raises:
        Stopping: the app rejected it, or has ended.
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
    """Send a file to /segment; return "complete" and the answer's parts, "error" and its message, or "busy".

    Raises:
        Stopping: the app rejected it, or ended before it was accepted.
        httpx.TransportError: the app ended after that.
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
    """Send a file to /segment and disconnect, if `listen` in the middle of the answer; return "left" or "busy"."""
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
    """Make one request, and return its outcome and the message.

    Args:
        client: HTTP client.
        data: the file.
        kind: what is wrong with the file, or None for a valid photo.
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
