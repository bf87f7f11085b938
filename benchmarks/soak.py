"""Many clients at once on the real app, for minutes: whether answers are wrong, swapped or missing, and memory growth.

    python -m benchmarks.soak [--clients 32] [--minutes 10] [--alone 60] [--bad 0.125] [--left 0] [--seed 0]

`python app.py` runs in its own process on this machine. Each client uploads a photo of 0.3 to 12 megapixels over plain
HTTP, or in one of eight cases (--bad) a file that is not a photo, waits for the answer and fetches the label map,
which must equal the library's byte by byte; an invalid file must be rejected with a message. A client that is told
that the queue is full tries again; with --left, this share of the calls does not wait for the answer. First a single
client runs, for comparison; and before the app starts, the library processes the same photos without it, in one thread
and in one thread per core, which shows what the cores allow. At the end SIGTERM is sent during the load: accepted
requests must be answered, and the exit status must be 0.
"""

import argparse
import os
import platform
import random
import signal
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
from benchmarks.contenders import write_photos
from benchmarks.soak_calls import App, Stopping, judge, leave
from benchmarks.soak_photos import bad_files, digests, within_reach


MEGAPIXELS = (0.3, 1, 3, 12)
PATIENCE = 300.0
"""Seconds after which an answer counts as missing."""


@dataclass
class Tally:
    """Counts of the clients' results."""

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


def work(
    app: App,
    seed: int,
    until: threading.Event,
    tally: Tally,
    expected: dict[bytes, str],
    bad: dict[str, bytes],
    shares: tuple[float, float],
) -> None:
    """Run one client: send requests one after the other until the time is up or the app stops.

    Args:
        app: the app.
        seed: of the client's choices.
        until: time at which to stop.
        tally: collects the results.
        expected: digest of each photo's label map.
        bad: invalid files.
        shares: 0..1, of invalid files, and of calls that are left.
    """
    rng, photos, kinds = random.Random(seed), list(expected), list(bad)  # noqa: S311
    with httpx.Client(base_url=app.url, timeout=PATIENCE) as client:
        while not until.is_set():
            kind = rng.choice(kinds) if rng.random() < shares[0] else None
            data, started = bad[kind] if kind else rng.choice(photos), time.monotonic()
            try:
                if rng.random() < shares[1]:
                    outcome, said = leave(client, data, rng.random() < 0.5), ""
                else:
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
    """Run `count` clients for some seconds; return their results, and about every second the number of answers and the
    app's MB.

    Args:
        app: the app.
        count: number of clients.
        seed: of the clients' choices.
        seconds: duration.
        end: end the app by SIGTERM while the clients work, instead of ending the clients.
        files: `expected`, `bad` and `shares` of `work`.
    """
    tally, until = Tally(), threading.Event()
    clients = [
        threading.Thread(target=work, args=(app, 1000 * seed + number, until, tally, *files))
        for number in range(count)
    ]
    for client in clients:
        client.start()
    memory, deadline = [], time.monotonic() + seconds
    while time.monotonic() < deadline:
        memory.append((sum(tally.counts[key] for key in ("right", "refused", "left")), app.megabytes()))
        time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
    if end:
        app.process.send_signal(signal.SIGTERM)
    else:
        until.set()
    for client in clients:
        client.join()
    return tally, memory


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Run the soak and print the results.

    Returns:
        The number of answers that were `right`, `wrong`, `crossed` and `lost`, and the app's `status`.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--alone", type=float, default=60, help="seconds for the single client before")
    parser.add_argument("--library", type=float, default=30, help="seconds for the library without the app, each way")
    parser.add_argument("--megapixels", type=float, nargs="+", default=MEGAPIXELS)
    parser.add_argument("--bad", type=float, default=1 / 8, help="share of files that are no photos")
    parser.add_argument("--left", type=float, default=0, help="share of calls whose answer is not waited for")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="clothseg-soak-") as name:
        folder = Path(name)
        paths = [write_photos(folder / f"{size:g}", 0, round(size * 1e6)) for size in options.megapixels]
        photos = [Path(path).read_bytes() for sized in paths for path in sized]
        files = digests(photos), bad_files(photos[0]), (options.bad, options.left)
        print(
            f"{options.clients} clients for {options.minutes:g} minutes, {len(photos)} photos of "
            f"{', '.join(f'{size:g}' for size in options.megapixels)} MP, {options.bad:.1%} bad files, "
            f"{options.left:.0%} left; seed {options.seed}; "
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
    for key in ("right", "refused", "busy", "left", "wrong", "crossed", "lost"):
        print(f"| {key} | {alone.counts[key]} | {tally.counts[key]} |")
    print(f"| photos per second | {rates[0]:.2f} | {rates[1]:.2f} |")
    for quantile in (0.5, 0.95):
        cells = [f"{np.quantile(found.seconds, quantile):.1f}" if found.seconds else "" for found in tallies]
        print(f"| seconds, quantile {quantile:g} | {' | '.join(cells)} |")
    answered = sum(found.counts[key] for found in tallies for key in ("right", "refused", "left"))
    print(
        f"\n{soak_memory.report(memory)}\n"
        f"Temporary files: {files[0]}, {files[1]:.0f} MB, {files[1] / max(1, answered):.1f} MB an answer."
    )
    told = alone.told + tally.told
    print("What was said:\n" + "\n".join(f"- {count} x {said}" for said, count in sorted(told.items())))


def _print_reach(one: float, together: float, reach: list[float]) -> None:
    gain = reach[1] / reach[0]
    print(
        f"The library alone: {reach[0]:.2f} photos per second in one thread, {reach[1]:.2f} in {os.cpu_count()}; so "
        f"the cores allow {gain:.2f} times one.\n"
        f"Throughput together: {together / max(one, 1e-9):.2f} times the single client's, "
        f"{together / max(one * gain, 1e-9):.0%} of what the cores allow, {together / reach[1]:.0%} of the library's."
    )


if __name__ == "__main__":
    main()
