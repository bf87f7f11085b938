"""Many clients at once on the real app, for minutes: is any answer wrong, another's, or missing, and does memory grow?

    python -m benchmarks.soak [--clients 32] [--minutes 10] [--alone 60] [--seed 0]

`python app.py` is started in a process of its own on this machine. Each client uploads a photo of 0.3 to 12
megapixels, or in one of eight cases a file that is none, over plain HTTP, waits for the answer and fetches the label
map, which must be to the byte the one that the library makes of that photo; a bad file must be refused in words. A
client that is told that the queue is full comes again. First a single client works alone, for the rate to compare
with; and before the app is started the library does the same photos without it, in one thread and in as many as there
are cores: that is what the cores allow. At the end SIGTERM comes in the middle of the work: what was accepted must be
answered, and the app's status must be 0.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks import soak_memory
from benchmarks.soak_photos import bad_files, digests, within_reach
from benchmarks.ways import write_photos


ROOT = Path(__file__).parents[1]
MEGAPIXELS = (0.3, 1, 3, 12)
BAD_SHARE = 1 / 8
PATIENCE = 300.0
"""Seconds after which an answer counts as lost."""


@dataclass
class Tally:
    """What the clients saw."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: str, seconds: float = 0.0, said: str = "") -> None:
        """Count one request."""
        with self.lock:
            self.counts[outcome] += 1
            if outcome == "right":
                self.seconds.append(seconds)
            if said:
                self.told[said] += 1


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


def ask(client: httpx.Client, data: bytes) -> tuple[str, Any]:
    """Send a file to /segment; "complete" and the answer's parts, "error" and its message, or "busy".

    Raises:
        Stopping: the app refused it, or is gone, before it was accepted.
        httpx.TransportError: it went away after that.
    """
    try:
        sent = client.post("/gradio_api/upload", files={"files": ("photo.jpg", data)})
        _open(sent)
        file = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
        joined = client.post("/gradio_api/call/segment", json={"data": [file]})
        if joined.status_code == 503 and "full" in joined.text:
            return "busy", None
        _open(joined)
    except httpx.TransportError as error:
        raise Stopping from error
    event = ""
    with client.stream("GET", f"/gradio_api/call/segment/{joined.json()['event_id']}") as answer:
        for line in answer.iter_lines():
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: ") and event in ("complete", "error"):
                return event, json.loads(line[6:])
    return "nothing", None


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


def work(
    app: App, seed: int, until: threading.Event, expected: dict[bytes, str], bad: dict[str, bytes], tally: Tally
) -> None:
    """One client: a request after the other until it is told to stop, or the app stops."""
    rng, photos, kinds = random.Random(seed), list(expected), list(bad)  # noqa: S311
    with httpx.Client(base_url=app.url, timeout=PATIENCE) as client:
        while not until.is_set():
            kind = rng.choice(kinds) if rng.random() < BAD_SHARE else None
            data, started = bad[kind] if kind else rng.choice(photos), time.monotonic()
            try:
                outcome, said = judge(client, data, kind, expected)
            except Stopping:
                return
            except (httpx.HTTPError, ValueError) as error:
                outcome, said = "lost", f"lost: {type(error).__name__} {error}"
            tally.add(outcome, time.monotonic() - started, said)
            if outcome == "busy":
                time.sleep(rng.uniform(0.2, 1))


def crowd(
    app: App, count: int, seed: int, seconds: float, *files: Any, end: bool = False
) -> tuple[Tally, list[tuple[int, float]]]:
    """`count` clients for so many seconds; what they saw, and about every second the answers so far and the app's MB.

    Args:
        files: `expected` and `bad` of `work`.
        end: end the app by SIGTERM while they work, not the clients.
    """
    tally, until = Tally(), threading.Event()
    clients = [
        threading.Thread(target=work, args=(app, 1000 * seed + number, until, *files, tally))
        for number in range(count)
    ]
    for client in clients:
        client.start()
    memory, deadline = [], time.monotonic() + seconds
    while time.monotonic() < deadline:
        memory.append((tally.counts["right"] + tally.counts["refused"], app.megabytes()))
        time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
    if end:
        app.process.send_signal(signal.SIGTERM)
    else:
        until.set()
    for client in clients:
        client.join()
    return tally, memory


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Run the soak and print what came of it.

    Returns:
        How many answers were `right`, `wrong`, `crossed` and `lost`, and the app's `status`.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--alone", type=float, default=60, help="seconds for the single client before")
    parser.add_argument("--library", type=float, default=30, help="seconds for the library without the app, each way")
    parser.add_argument("--megapixels", type=float, nargs="+", default=MEGAPIXELS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="clothseg-soak-") as name:
        folder = Path(name)
        paths = [write_photos(folder / f"{size:g}", 0, round(size * 1e6)) for size in options.megapixels]
        photos = [Path(path).read_bytes() for sized in paths for path in sized]
        files = digests(photos), bad_files(photos[0])
        print(
            f"{options.clients} clients for {options.minutes:g} minutes, {len(photos)} photos of "
            f"{', '.join(f'{size:g}' for size in options.megapixels)} MP, one file in eight bad; seed {options.seed}; "
            f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before."
        )
        reach = [within_reach(photos, threads, options.library, options.seed) for threads in (1, os.cpu_count() or 1)]
        app = App(folder)
        try:
            crowd(app, 1, options.seed + 1, options.alone / 6, *files)
            alone, _ = crowd(app, 1, options.seed, options.alone, *files)
            one, started = len(alone.seconds) / options.alone, time.monotonic()
            tally, memory = crowd(app, options.clients, options.seed + 2, 60 * options.minutes, *files, end=True)
            took = time.monotonic() - started
            stored = app.stored()
            status = app.process.wait(60)
            _print((alone, tally), (one, len(tally.seconds) / took), memory, stored)
            _print_reach(one, len(tally.seconds) / took, reach)
            print(f"SIGTERM at the end: status {status}. {app.log.read_text().splitlines()[-1]}")
        finally:
            app.process.kill()
            app.process.wait()
    counts = {key: float(tally.counts[key] + alone.counts[key]) for key in ("right", "wrong", "crossed", "lost")}
    return {**counts, "status": float(status)}


def _print(
    tallies: tuple[Tally, Tally],
    rates: tuple[float, float],
    memory: list[tuple[int, float]],
    files: tuple[int, float],
) -> None:
    alone, tally = tallies
    print("\n| | alone | together |\n|---|---|---|")
    for key in ("right", "refused", "busy", "wrong", "crossed", "lost"):
        print(f"| {key} | {alone.counts[key]} | {tally.counts[key]} |")
    print(f"| photos a second | {rates[0]:.2f} | {rates[1]:.2f} |")
    for quantile in (0.5, 0.95):
        cells = [f"{np.quantile(found.seconds, quantile):.1f}" if found.seconds else "" for found in tallies]
        print(f"| seconds, quantile {quantile:g} | {' | '.join(cells)} |")
    answered = sum(found.counts[key] for found in tallies for key in ("right", "refused"))
    print(
        f"\n{soak_memory.report(memory)}\n"
        f"Temporary files: {files[0]}, {files[1]:.0f} MB, {files[1] / max(1, answered):.1f} MB an answer."
    )
    told = alone.told + tally.told
    print("What was said:\n" + "\n".join(f"- {count} x {said}" for said, count in sorted(told.items())))


def _print_reach(one: float, together: float, reach: list[float]) -> None:
    gain = reach[1] / reach[0]
    print(
        f"The library alone: {reach[0]:.2f} photos a second in one thread, {reach[1]:.2f} in {os.cpu_count()}; so the "
        f"cores allow {gain:.2f} times one.\n"
        f"Throughput together: {together / max(one, 1e-9):.2f} times the single client's, "
        f"{together / max(one * gain, 1e-9):.0%} of what the cores allow, {together / reach[1]:.0%} of the library's."
    )


if __name__ == "__main__":
    main()
