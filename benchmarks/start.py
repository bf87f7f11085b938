"""Start and rest: how long commands and the app take to begin, and what the app uses while nobody uses it.

    python -m benchmarks.start [--rounds 5] [--idle 30]

Each round starts fresh processes, in turn: `import torch, transformers` and `import gradio`, for comparison; `import
clothseg`; `clothseg segment` of one photo; and the app. Models are converted before (CLOTHSEG_CACHE), and files are in
the system's cache. The photo is a paper doll of 0.3 megapixels (seed 0).

Seconds are the median and the fastest round, from the start of the process: wall time, and CPU time of the process
itself, which depends less on other load. For the app they count until the page is delivered, until the model is
ready, and until `/segment` has answered. The last column is the median of the rounds' ratios. The last lines are from
the last round's app: its resident memory after 15 s without requests, the peak of a request with a photo of 12
megapixels above that, twice in a row, and its CPU time over the next `--idle` seconds.
"""

import argparse
import base64
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from urllib.error import URLError


ROOT = Path(__file__).parents[1]

sys.path.insert(0, str(ROOT / "tests" / "support"))

from app_server import environment, free_port  # noqa: E402

from benchmarks.page import photo  # noqa: E402


IMPORTS = ("torch, transformers", "gradio", "clothseg")

REST_SECONDS = 15.0


class App:
    """The app in a process of its own, and when it was started."""

    def __init__(self, folder: Path) -> None:
        """Start the app with its files in `folder`."""
        port = free_port()
        settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder / "gradio")}
        self.url, self.started = f"http://127.0.0.1:{port}", time.perf_counter()
        with (folder / "app.log").open("w") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own app
                [sys.executable, str(ROOT / "app.py")], cwd=ROOT, env=environment(**settings), stdout=log, stderr=log
            )

    def waited(self) -> tuple[float, float]:
        """Return seconds and seconds of CPU time since the start."""
        return time.perf_counter() - self.started, self.cpu()

    def page(self) -> None:
        """Wait until the page is delivered."""
        while self.process.poll() is None:
            try:
                with urllib.request.urlopen(self.url, timeout=60) as answer:  # noqa: S310 - our own app
                    answer.read()
                    return
            except (URLError, ConnectionError):
                time.sleep(0.01)
        raise RuntimeError("The app has ended.")

    def model(self) -> None:
        """Wait until the model is ready."""
        while self._asked("run/health", {"data": []})["data"][0]["status"] != "ok":
            time.sleep(0.02)

    def segment(self, path: Path) -> None:
        """Segment a photo."""
        content = base64.b64encode(path.read_bytes()).decode()
        call = self._asked("call/segment", {"data": [{"url": f"data:image/jpeg;base64,{content}"}]})["event_id"]
        stream = f"{self.url}/gradio_api/call/segment/{call}"
        with urllib.request.urlopen(stream, timeout=120) as answer:  # noqa: S310 - our own app
            if b"event: complete" not in answer.read():
                raise RuntimeError("The photo was not segmented.")

    def _asked(self, path: str, question: dict[str, Any]) -> dict[str, Any]:
        data, kind = json.dumps(question).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/gradio_api/{path}", data, kind)  # noqa: S310
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found

    def cpu(self) -> float:
        """Return the seconds of CPU time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, kind: str) -> float:
        """Return the megabytes of a kind, such as VmRSS."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024

    def peak(self, path: Path) -> float:
        """Return the peak memory of a photo's request in megabytes, above that before."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")  # sets the peak back
        before = self.memory("VmRSS")
        self.segment(path)
        return self.memory("VmHWM") - before


@contextmanager
def started_app(folder: Path) -> Iterator[App]:
    """Start the app and end it afterwards."""
    app = App(folder)
    try:
        yield app
    finally:
        app.process.terminate()
        app.process.wait(60)


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command and return its seconds and its CPU time in seconds."""
    start = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - the interpreter with commands of this file
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} has failed.")
    return seconds, usage.ru_utime + usage.ru_stime


def main(argv: list[str] | None = None) -> None:
    """Print a table and three lines."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", type=float, default=30, metavar="SECONDS")
    options = parser.parse_args(argv)
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, large = photo(folder, 0, (450, 680)), photo(folder, 0, (3000, 4000))
        segment = [
            sys.executable,
            "-m",
            "clothseg",
            "segment",
            str(small),
            "--overwrite",
            "--out",
            str(folder / "out"),
        ]
        timed(segment)  # converts the model and fills the system's cache
        for number in range(options.rounds):
            for modules in IMPORTS:
                command = [sys.executable, "-c", f"import {modules}"]
                found.setdefault(f"`import {modules}`", []).append(timed(command))
            found.setdefault("`clothseg segment one.jpg`", []).append(timed(segment))
            with started_app(folder) as app:
                steps = {"page": app.page, "model ready": app.model, "first answer": partial(app.segment, small)}
                for step, wait in steps.items():
                    wait()
                    found.setdefault(f"app: {step}", []).append(app.waited())
                if number + 1 == options.rounds:
                    rest = _at_rest(app, large, options.idle)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {options.rounds} rounds.\n"
    )
    print("| | seconds | fastest | CPU seconds | fastest | CPU : `import gradio` |\n|---|---|---|---|---|---|")
    gradio = [cpu for _, cpu in found["`import gradio`"]]
    for name, rounds in found.items():
        columns = zip(*rounds, strict=True)
        times = " | ".join(f"{median(column):.2f} | {min(column):.2f}" for column in columns)
        ratio = median(cpu / other for (_, cpu), other in zip(rounds, gradio, strict=True))
        print(f"| {name} | {times} | {ratio:.2f} |")
    print(f"\n{rest}")


def _at_rest(app: App, large: Path, idle: float) -> str:
    time.sleep(REST_SECONDS)
    resident, peaks = app.memory("VmRSS"), list[float]()
    for _ in range(2):
        peaks.append(app.peak(large))
        time.sleep(REST_SECONDS)
    after, before, start = app.memory("VmRSS"), app.cpu(), time.perf_counter()
    time.sleep(idle)
    share = (app.cpu() - before) / (time.perf_counter() - start)
    return (
        f"The app at rest: {resident:.0f} MB resident, {after:.0f} MB after two photos of 12 megapixels.\n"
        f"Peak of a photo of 12 megapixels above that: {', '.join(f'{peak:.0f}' for peak in peaks)} MB.\n"
        f"CPU time at rest: {share:.2%} of a core over {idle:g} s."
    )


if __name__ == "__main__":
    main()
