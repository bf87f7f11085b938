"""How often one garment is listed as one item, and the time of refined cut-outs and items compared with a plain
cut-out.

    python -m benchmarks.items FOLDER [--rounds N]

FOLDER contains validation.parquet with photos of one person each. For each class, items are counted in the photos'
true masks and in the embedded model's results; "split" counts the photos with more than one item although nobody wears
two. Times are for the largest photo, resized to 2 megapixels, with its true mask: medians of interleaved rounds in
this process, as ratios to the plain cut-out of all garments.
"""

import argparse
import platform
import statistics
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from clothseg import CutoutOptions, Segmentation, Segmenter
from clothseg.labels import BACKGROUND, GROUPS, IGNORE
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits


GARMENTS = GROUPS["All garments"]


def counted(results: list[Segmentation]) -> tuple[Counter[str], Counter[str]]:
    """Return in how many photos each class has an item, and in how many more than one."""
    there: Counter[str] = Counter()
    split: Counter[str] = Counter()
    for result in results:
        of_class = Counter(item.name for item in result.items())
        there.update(of_class.keys())
        split.update(name for name, count in of_class.items() if count > 1)
    return there, split


def print_times(result: Segmentation, rounds: int) -> None:
    """Print a line for each set of options, as a ratio to the plain cut-out."""
    settings: dict[str, dict[str, Any]] = {
        "plain": {},
        "soft edges": {"soft_edges": True},
        "feather 8": {"feather": 8},
        "grow 8": {"grow": 8},
        "fill holes, drop specks": {"fill_holes": True, "drop_specks": True},
        "crop, on a colour": {"crop": True, "background": "#ffffff"},
    }
    ways: dict[str, Callable[[], object]] = {
        name: partial(result.cutout, *GARMENTS, options=CutoutOptions(**values)) for name, values in settings.items()
    }
    ways["items, with colours"] = result.items
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):  # the first warms up
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    print(f"\n{result.photo.width}x{result.photo.height}, {rounds} rounds, {platform.machine()}\n")
    print("| options | ms | ratio to plain |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {1000 * median:.0f} | {median / medians['plain']:.1f} |")


def main(argv: list[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(argv)
    segmenter = Segmenter.from_pretrained()
    true, found = [], []
    for row in tqdm(load_splits(str(options.folder), None, 0.1, 0).validation, leave=False):
        photo, mask = decode_row(row)
        true.append(Segmentation(Image.fromarray(photo), np.where(mask == IGNORE, np.uint8(BACKGROUND), mask)))
        found.append(segmenter(photo))
    print(f"{len(true)} photos, {segmenter.name}\n")
    print("| class | true masks | split | found | split |\n|---|---|---|---|---|")
    (there, split), (seen, seen_split) = counted(true), counted(found)
    for name in GARMENTS:
        print(f"| {name} | {there[name]} | {split[name]} | {seen[name]} | {seen_split[name]} |")
    largest = max(true, key=lambda result: result.label_map.size)
    scale = (2e6 / largest.label_map.size) ** 0.5
    size = (round(largest.photo.width * scale), round(largest.photo.height * scale))
    label_map = np.asarray(cv2.resize(largest.label_map, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    print_times(Segmentation(largest.photo.resize(size), label_map), options.rounds)


if __name__ == "__main__":
    main()
