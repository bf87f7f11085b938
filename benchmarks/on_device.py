"""Compare preparing photos and drawing label maps on the network's device with the same steps on the CPU.

    python -m benchmarks.on_device FOLDER [--photos 100] [--enlarge 3] [--device auto]

FOLDER contains validation.parquet. Both get the same logits, for each photo and, in addition, for every tenth one
enlarged. The share of equal values is exact for the network's input, by class for the photo's pixels, and in steps of
1/255 for the grid of probabilities. Time is the median over the photos on the device, including the copies to it and
back, as a multiple of one CPU core's; on a CPU it is far above 1, since these functions are made for GPUs.
"""

import argparse
import platform
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from clothseg import Segmenter
from clothseg.engines import device as there
from clothseg.engines.torch_engine import pick_device
from clothseg.postprocess import on_gpu
from clothseg.postprocess.back_view import swap_sides_if_back_view
from clothseg.postprocess.cleanup import without_legs
from clothseg.postprocess.guided_edges import follow_edges
from clothseg.postprocess.upsample import winners, winning_probability
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits


STEPS = ("pixels", "plain edges", "guided edges", "probabilities")

Step = Callable[[], Any]


def steps(segmenter: Segmenter, photo: Image.Image, device: torch.device) -> list[tuple[Step, Step]]:
    """Return functions that prepare, and draw with plain and with guided edges, on the CPU and on the device."""
    size, bytes_of = (photo.height, photo.width), np.array(photo)
    (logits,) = segmenter.logits([photo])
    ruled = swap_sides_if_back_view(without_legs(logits))
    lying, ruled_lying = (there.upload(each, device) for each in (logits, ruled))
    see = partial(
        there.preprocess, photo, segmenter.image_size, segmenter._input.resample, segmenter._input.values, device
    )
    return [
        (lambda: segmenter.pixels([photo]), lambda: see().cpu().numpy()),
        (lambda: winners(logits, size), lambda: on_gpu.winners(lying, size)),
        (
            lambda: follow_edges(ruled, bytes_of),
            lambda: on_gpu.follow_edges(ruled_lying, there.upload(bytes_of, device)),
        ),
        (lambda: winning_probability(logits, size), lambda: on_gpu.winning_probability(lying, size)),
    ]


def compare(pair: tuple[Step, Step]) -> tuple[float, float, float]:
    """Return the share of equal values, and seconds on the CPU and on the device."""
    seconds, found = [], []
    for step in pair:
        started = time.perf_counter()
        found.append(step())
        seconds.append(time.perf_counter() - started)
    return float((found[0] == found[1]).mean()), seconds[0], seconds[1]


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--model", default=None, help="default: the embedded one")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--enlarge", type=int, default=3)
    parser.add_argument("--device", type=pick_device, default="auto")
    options = parser.parse_args(argv)

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    rows = load_splits(options.folder, None, 0.1, 0).validation
    photos = [Image.fromarray(decode_row(row)[0]) for row in rows.select(range(min(options.photos, len(rows))))]
    larger = [photo.resize((photo.width * options.enlarge, photo.height * options.enlarge)) for photo in photos[::10]]
    segmenter = Segmenter.from_pretrained(options.model, engine="torch", device=str(options.device))
    print(f"{segmenter.name}, {len(photos)} photos; {options.device}, {platform.machine()}, torch {torch.__version__}")
    print("| photos | step | equal, mean | smallest | time relative to the CPU |")
    print("|---|---|---|---|---|")
    for name, group in (("as they are", photos), (f"{options.enlarge} times as large", larger)):
        found = np.array([[compare(pair) for pair in steps(segmenter, photo, options.device)] for photo in group])
        for step, (equal, usual, ours) in zip(STEPS, found.transpose(1, 2, 0), strict=True):
            ratio = np.median(ours / usual)
            print(f"| {name} | {step} | {equal.mean():.6f} | {equal.min():.6f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
