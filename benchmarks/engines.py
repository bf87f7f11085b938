"""Compare the engines on the same weights and photos: agreement, time of the network, and time until ready.

    python -m benchmarks.engines FOLDER [--model NAME_OR_PATH] [--photos 100] [--rounds 9]

FOLDER contains validation.parquet. Agreement is the share of a photo's pixels with the class of the torch engine in
float32, at the photo's own size. Network: how many times as fast as that engine a photo passes; rounds alternate, so
that other load affects all engines equally, and the figure is the ratio of medians, in brackets that of the fastest
rounds. Ready: from the start of Python to the first label map, in a process of its own, with an empty cache (the
network is converted) and with the cache of that run, as a multiple of the torch engine's time; the best of three each.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version

import numpy as np
from PIL import Image

from clothseg import Segmenter
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits


WAYS = (("torch", "exact"), ("torch", "fast"), ("onnx", "exact"), ("openvino", "exact"), ("openvino", "fast"))

FIRST_RESULT = """
import sys
import numpy as np
from clothseg import Segmenter
model, engine, precision = sys.argv[1:]
Segmenter.from_pretrained(model or None, engine=engine, precision=precision, device="cpu")(
    np.full((640, 426, 3), 128, np.uint8)
)
"""


def seconds_until_ready(model: str, way: tuple[str, str], cache: str) -> float:
    """Return the wall time of a process that segments one photo."""
    started = time.perf_counter()
    environment = os.environ | {"CLOTHSEG_CACHE": cache}
    subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-c", FIRST_RESULT, model, *way], env=environment, check=True, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - started


def ready(model: str, way: tuple[str, str]) -> tuple[float, float]:
    """Return the best of three times with an empty cache, and with a filled one."""
    cold, warm = [], []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(seconds_until_ready(model, way, cache))
            warm.append(seconds_until_ready(model, way, cache))
    return min(cold), min(warm)


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--model", default="", help="default: the embedded one")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(argv)

    rows = load_splits(options.folder, None, 0.1, 0).validation
    photos = [Image.fromarray(decode_row(row)[0]) for row in rows.select(range(min(options.photos, len(rows))))]
    segmenters = [
        Segmenter.from_pretrained(options.model or None, engine=engine, precision=precision, device="cpu")
        for engine, precision in WAYS
    ]
    shares = np.empty((len(WAYS), len(photos)))
    for index, photo in enumerate(photos):
        maps = [segmenter(photo, edges="plain", zoom="off").label_map for segmenter in segmenters]
        shares[:, index] = [(found == maps[0]).mean() for found in maps]

    pixels = segmenters[0].pixels(photos[:1])
    times = np.empty((options.rounds, len(WAYS)))
    for row in times:
        for index, segmenter in enumerate(segmenters):
            started = time.perf_counter()
            segmenter.engine(pixels)
            row[index] = time.perf_counter() - started

    starts = np.array([ready(options.model, way) for way in WAYS])
    height, width = segmenters[0].image_size
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(f"{segmenters[0].name} at {height}x{width}, {len(photos)} photos; {machine};")
    print(", ".join(f"{name} {version(name)}" for name in ("torch", "openvino", "onnxruntime")))
    print("| engine | precision | mean agreement | least | network | ready, empty cache | ready, filled |")
    print("|---|---|---|---|---|---|---|")
    for index, (engine, precision) in enumerate(WAYS):
        median, best = (f(times[:, 0]) / f(times[:, index]) for f in (np.median, np.min))
        told = (f"{start / starts[0, 1]:.2f}" for start in starts[index])
        print(
            f"| {engine} | {precision} | {shares[index].mean():.5f} | {shares[index].min():.5f} "
            f"| {median:.2f} ({best:.2f}) | {' | '.join(told)} |"
        )


if __name__ == "__main__":
    main()
