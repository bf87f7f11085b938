"""Fuzz the loader, the data set's decoder, the command lines and the app's endpoints, for any length of time.

    python benchmarks/fuzz.py --seconds 60 --seed 1
    python benchmarks/fuzz.py --targets loader row --seconds 600

Each target gets `--seconds`. Inputs are derived from valid ones by `tests/support/fuzzing.py` and
`tests/support/fuzzing_words.py`. Each has its own seed, so that one can be sent again: `--targets loader --only SEED`.
They run in a child process, so that a crash of a decoder is noticed; its peak memory is reset before each input. The
script prints the number of inputs and their outcomes. Outcomes that are not allowed, crashes, and inputs that take
more than ten seconds or more memory than `--megabytes` are printed with their seeds, and the exit status is 1.
"""

import argparse
import contextlib
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import PIL


ROOT = Path(__file__).parents[1]
TARGETS = ("loader", "row", "command", "training", "endpoints")
os.environ |= {"HF_HUB_OFFLINE": "1", "NO_ALBUMENTATIONS_UPDATE": "1", "GRADIO_ANALYTICS_ENABLED": "0"}


def main() -> int:
    """Fuzz each target in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--megabytes", type=int, default=1024, help="that one input may take")
    parser.add_argument("--only", type=int, help="send this input's seed alone, and show what happens")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return child(arguments)
    if arguments.only is not None:
        with prepared(arguments.targets[0]) as send:
            print(send(arguments.only))
        return 0
    print(f"seed {arguments.seed}, {arguments.seconds:g} s a target, at most {arguments.megabytes} MB an input")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, Pillow {PIL.__version__}"
    )
    return max([watched(target, arguments) for target in arguments.targets])


def watched(target: str, arguments: argparse.Namespace) -> int:
    """Run a target's child process, restarting it after an input that killed it; return 1 if anything was wrong."""
    begun, first, outcomes, wrong, slowest, highest = time.monotonic(), arguments.seed * 10**9, Counter(), [], 0.0, 0
    while (left := arguments.seconds - (time.monotonic() - begun)) > 0:
        command = [sys.executable, "-W", "ignore", __file__, "--child", "--targets", target, "--only", str(first)]
        command += ["--seconds", str(left), "--megabytes", str(arguments.megabytes)]
        # The output of decoders is ignored.
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603 - ourselves
        for line in process.stdout or ():
            number, seconds, megabytes, outcome = line.rstrip("\n").split("\t", 3)
            if outcome == "begun":
                first = int(number) + 1
                continue
            outcomes[outcome.removeprefix("WRONG ").partition(":")[0]] += 1
            slowest, highest = max(slowest, float(seconds)), max(highest, int(megabytes))
            if outcome.startswith("WRONG"):
                wrong.append(f"{number}: {outcome.removeprefix('WRONG ')[:300]}")
        if process.wait() == 0:
            break
        outcomes["crash"] += 1
        wrong.append(f"{first - 1}: the process ended with {process.returncode}")
        if not outcomes.total() > outcomes["crash"]:
            break  # the process does not start
    print(f"\n{target}: {outcomes.total():,} inputs in {time.monotonic() - begun:.0f} s; slowest {slowest:.1f} s")
    if target != "endpoints":  # whose memory is the app's
        print(f"  most memory {highest} MB")
    for outcome, count in outcomes.most_common():
        print(f"  {count:,} {outcome}")
    for each in wrong[:20]:
        print(f"  WRONG {each}")
    sys.stdout.flush()
    return int(bool(wrong))


def child(arguments: argparse.Namespace) -> int:
    """Send inputs until the time is up; print a line before and after each."""
    out = os.fdopen(os.dup(1), "w", buffering=1, errors="backslashreplace")  # commands under test also print

    def late(*_: object) -> None:
        raise TimeoutError("more than 10 s")

    signal.signal(signal.SIGALRM, late)
    with prepared(arguments.targets[0]) as send:
        for number in range(20):  # imports are not counted for any input
            with contextlib.suppress(BaseException):
                send(number)
        end, number = time.monotonic() + arguments.seconds, arguments.only
        while time.monotonic() < end:
            out.write(f"{number}\t0\t0\tbegun\n")
            Path("/proc/self/clear_refs").write_text("5")  # resets the peak
            before, begun = memory("VmRSS"), time.monotonic()
            signal.alarm(20)  # ends hanging calls; decoders cannot be interrupted, so their time is measured
            try:
                outcome = send(number)
            except BaseException as error:
                outcome = f"WRONG {type(error).__name__}: {' '.join(str(error).split())}"
            signal.alarm(0)
            seconds, taken = time.monotonic() - begun, memory("VmHWM") - before
            if seconds > 10:
                outcome = f"WRONG slow: {outcome}"
            elif taken > arguments.megabytes:
                outcome = f"WRONG memory: {taken} MB, {outcome}"
            out.write(f"{number}\t{seconds:.3f}\t{taken}\t{outcome}\n")
            number += 1
    return 0


def memory(kind: str) -> int:
    """Return VmRSS or VmHWM of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) // 1024


class prepared:
    """Context in which a target accepts inputs: gives a function that sends the input of a seed and returns its
    outcome."""

    def __init__(self, target: str) -> None:
        """Import what the target needs."""
        sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
        self.target = target
        self.folder = tempfile.TemporaryDirectory(prefix="clothseg-fuzz-")
        self.app: Any = None

    def __enter__(self) -> Callable[[int], str]:
        """Start the app, where it is the target."""
        import fuzzing
        import fuzzing_words

        folder = Path(self.folder.name)
        if self.target in ("loader", "row"):
            seeds = fuzzing.seeds() if self.target == "loader" else fuzzing.row_seeds()
            fuzz = fuzzing.fuzz_loader if self.target == "loader" else fuzzing.fuzz_row

            def send(seed: int) -> str:
                random = Random(seed)  # noqa: S311
                return fuzz(fuzzing.mutated(seeds, random), random)

            return send
        if self.target == "command":
            import clothseg.segmenter
            import clothseg.training.run  # noqa: F401 - heavy, and nobody's time

            return lambda seed: fuzzing_words.fuzz_command(fuzzing_words.command(Random(seed)), folder)  # noqa: S311
        if self.target == "training":
            return lambda seed: fuzzing_words.fuzz_training(fuzzing_words.training(Random(seed)), folder)  # noqa: S311
        from app_server import running_app
        from paper_dolls import draw
        from pictures import encoded
        from PIL import Image

        self.app = running_app(folder)
        photo = encoded(Image.fromarray(draw(1, 96, 64).image), "PNG")
        endpoints = fuzzing_words.Endpoints(self.app.__enter__(), photo)
        return lambda seed: endpoints.fuzz(*endpoints.request(Random(seed)))  # noqa: S311

    def __exit__(self, *_: object) -> None:
        """Stop the app, and remove what was written."""
        if self.app is not None:
            self.app.__exit__(None, None, None)
        self.folder.cleanup()


if __name__ == "__main__":
    sys.exit(main())
