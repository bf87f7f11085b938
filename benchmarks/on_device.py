"""Photos prepared and label maps drawn on the network's device, against the same done by the CPU: do they agree?

    python -m benchmarks.on_device FOLDER [--photos 100] [--enlarge 3] [--device auto]

FOLDER holds validation.parquet. The same logits go both ways, for each photo as it is and for every tenth one
enlarged. Equal is the share of values that are: of the network's input to the bit, of the photo's pixels by their
class, of the grid of probabilities by their 255th. Time is the median over the photos of the device's, with the copies
there and back, as a multiple of the CPU's on one core; on a CPU it is far above 1, for these ways are made for GPUs.
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
from clothseg.postprocess.upsample import label_pixels, winning_probability
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits


STEPS = ("pixels", "plain edges", "guided edges", "probabilities")

Step = Callable[[], Any]


def steps(segmenter: Segmenter, photo: Image.Image, device: torch.device) -> list[tuple[Step, Step]]:
    """Preparing, drawing with plain and with guided edges: by the CPU, and on the device."""
    size, bytes_of = (photo.height, photo.width), np.array(photo)
    (logits,) = segmenter.logits([photo])
    ruled = swap_sides_if_back_view(without_legs(logits))
    lying, ruled_lying = (there.upload(each, device) for each in (logits, ruled))
    see = partial(
        there.preprocess, photo, segmenter.image_size, segmenter._input.resample, segmenter._input.values, device
    )
    return [
        (lambda: segmenter.pixels([photo]), lambda: see().cpu().numpy()),
        (lambda: label_pixels(logits, size)[0], lambda: on_gpu.label_pixels(lying, size)[0]),
        (
            lambda: follow_edges(ruled, bytes_of),
            lambda: on_gpu.follow_edges(ruled_lying, there.upload(bytes_of, device)),
        ),
        (lambda: winning_probability(logits, size), lambda: on_gpu.winning_probability(lying, size)),
    ]


def compare(pair: tuple[Step, Step]) -> tuple[float, float, float]:
    """Share of equal values, and seconds by the CPU and on the device."""
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
    print("| photos | step | equal, mean | least | time, of the CPU's |")
    print("|---|---|---|---|---|")
    for name, group in (("as they are", photos), (f"{options.enlarge} times as large", larger)):
        found = np.array([[compare(pair) for pair in steps(segmenter, photo, options.device)] for photo in group])
        for step, (equal, usual, ours) in zip(STEPS, found.transpose(1, 2, 0), strict=True):
            ratio = np.median(ours / usual)
            print(f"| {name} | {step} | {equal.mean():.6f} | {equal.min():.6f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
