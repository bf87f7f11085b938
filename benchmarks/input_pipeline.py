"""Time for each photo in the training's input pipeline, compared with the usual implementation.

    python -m benchmarks.input_pipeline FOLDER [--size 512] [--rows 64] [--rounds 7] [--workers 0 2]

FOLDER contains train.parquet. Two implementations load the same rows at the same size with our augmentation: a
`set_transform` as in transformers' guide to semantic segmentation (`datasets` decodes with Pillow, the image processor
resizes and normalises), and ours. Ours passes bytes, which are normalised on the network's device: `ours` is the time
until the batch leaves the loader, which is the processor's whole work beside a GPU; `to floats` includes normalising,
for a network on the same processor. The guide's implementation normalises in the loader. Milliseconds are per photo,
from the fastest round: processor time in one process, wall time with workers. The ratios are to `ours`, of the fastest
rounds, and in brackets of the median round. Rounds alternate, so that other load affects both equally.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from datasets import Dataset, Image
from PIL import Image as PILImage
from torch.utils.data import DataLoader
from transformers import SegformerImageProcessorPil, default_data_collator

from clothseg.training.data.augmentation import augment
from clothseg.training.data.dataset import ParsingDataset
from clothseg.training.data.loading import load_splits
from clothseg.training.data.network_input import normalise
from clothseg.training.model import build_processor


BATCH = 8


def guide_rows(rows: Dataset, processor: SegformerImageProcessorPil, kind: str) -> Dataset:
    """Return rows as in transformers' guide to semantic segmentation: Pillow pictures, then the image processor."""
    rng = np.random.default_rng(0)

    def preprocess(batch: dict[str, list[Any]]) -> Any:
        changed = [
            augment(np.array(image.convert("RGB")), np.array(mask), rng, kind)
            for image, mask in zip(batch["image"], batch["mask"], strict=True)
        ]
        images = [PILImage.fromarray(image) for image, _ in changed]
        return processor(images, [PILImage.fromarray(mask) for _, mask in changed], return_tensors="pt")

    return _transformed(rows, preprocess)


def _transformed(rows: Dataset, preprocess: Callable[..., Any]) -> Dataset:
    decoded = rows.cast_column("image", Image()).cast_column("mask", Image())
    decoded.set_transform(preprocess)
    return decoded


def milliseconds(rows: Any, processor: SegformerImageProcessorPil | None, workers: int) -> float:
    """Return the time of one pass in batches, for each photo: processor time without workers, wall time with them.

    With a `processor`, it includes the time of converting ours to floats.
    """
    loader = DataLoader(
        rows,
        batch_size=BATCH,
        num_workers=workers,
        collate_fn=default_data_collator,
        persistent_workers=workers > 0,
    )
    if workers:
        for _ in loader:  # the first pass starts the workers
            pass
    clock = time.perf_counter if workers else time.process_time
    started = clock()
    for batch in loader:
        if processor and batch["pixel_values"].dtype == torch.uint8:
            batch = {"pixel_values": normalise(batch["pixel_values"], processor), "labels": batch["labels"].long()}
        assert batch["pixel_values"].shape[1] == 3
    return 1000 * (clock() - started) / len(rows)


def main(argv: list[str] | None = None) -> None:
    """Print a line for each augmentation and number of loader processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    arguments = parser.parse_args(argv)

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    rows = load_splits(arguments.folder, None, 0.1, 0).train.select_columns(["id", "image", "mask"])
    rows = rows.select(range(min(arguments.rows, len(rows))))
    processor = build_processor((arguments.size, arguments.size))
    print(
        f"{len(rows)} photos at {arguments.size}x{arguments.size}, {os.cpu_count()} cores, {arguments.rounds} rounds"
    )
    print(f"torch {torch.__version__}, OpenCV {cv2.__version__}\n")
    print(
        "| augmentation | workers | guide, ms | ours, ms | to floats, ms | guide : ours |\n|---|---|---|---|---|---|"
    )
    for kind in ("standard", "strong"):
        made = [make(rows, processor, kind) for make in (guide_rows, ParsingDataset)]
        ways = [*((way, None) for way in made), (made[1], processor)]
        for workers in arguments.workers:
            for way, to_floats in ways:
                milliseconds(way, to_floats, 0)  # what is read or built once
            rounds = np.array(
                [[milliseconds(way, to_floats, workers) for way, to_floats in ways] for _ in range(arguments.rounds)]
            )
            best, middle = rounds.min(axis=0), np.median(rounds / rounds[:, 1:2], axis=0)
            times = " | ".join(f"{one:.1f}" for one in best)
            ratio = f"{best[0] / best[1]:.2f} ({middle[0]:.2f})"
            print(f"| {kind} | {workers} | {times} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
