"""Effect of smoothing and of following people in clips: consistency, accuracy, lag and speed.

    python -m benchmarks.video FOLDER [MODEL] [--clips N] [--frames N]

FOLDER contains validation.parquet. MODEL is a Hub id or folder, by default the embedded weights. Clips with known
truth and motion are made from the photos and from paper dolls (tests/support/moving_pictures.py, seed 0); every frame
has its own noise (5 of 255) and JPEG compression (quality 70). "Handheld" is a camera that pans, zooms, tilts and
trembles over a photo; "walking" a figure that crosses another photo's background by 1 % of the width per frame; "wide"
the same at 16:9; "side by side" the handheld camera before three photos in a row; "waving" a doll whose arm swings by
6 degrees per frame. Consistency is the share of the figure's pixels that keep their label from the frame before along
the true motion. Lag is measured by the share of right pixels among those whose true label has just changed. Frames per
second cover everything from frame to label map, including each method's first clip of a kind; time is per frame,
relative to the kind's first method. Methods alternate clip by clip.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from clothseg import Segmenter
from clothseg.labels import BACKGROUND, IGNORE, NUM_CLASSES
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits
from clothseg.training.evaluation.metrics import confusion_matrix, summarize
from clothseg.video.optical_flow import consistency
from clothseg.video.stream import segment_frames


sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from moving_pictures import Clip, handheld, walking, waving


Pixels = npt.NDArray[np.uint8]

WAYS: dict[str, dict[str, Any]] = {
    "whole frames": {"smooth": False, "zoom": "off"},
    "smoothed": {"zoom": "off"},
    "following people": {"smooth": False},
    "both (the default)": {},
}


def emptied(photo: Pixels, labels: Pixels) -> Pixels:
    """Return the photo without its person, filled from the surroundings."""
    figure = ((labels != BACKGROUND) & (labels != IGNORE)).view(np.uint8)
    return np.asarray(cv2.inpaint(photo, cv2.dilate(figure, np.ones((15, 15), np.uint8)), 5, cv2.INPAINT_TELEA))


def widened(photo: Pixels, labels: Pixels) -> tuple[Pixels, Pixels]:
    """Place the photo in the centre of a 16:9 frame of its height."""
    height, width = labels.shape
    side = max(0, (round(height * 16 / 9) - width) // 2)
    known = np.where(labels == IGNORE, np.uint8(BACKGROUND), labels)
    return (
        cv2.copyMakeBorder(photo, 0, 0, side, side, cv2.BORDER_REPLICATE),
        cv2.copyMakeBorder(known, 0, 0, side, side, cv2.BORDER_CONSTANT, value=BACKGROUND),
    )


def side_by_side(shots: list[tuple[Pixels, Pixels]], height: int = 480) -> tuple[Pixels, Pixels]:
    """Place photos in a row, all with the same height."""
    photos, labels = [], []
    for photo, truth in shots:
        size = round(photo.shape[1] * height / photo.shape[0]), height
        photos.append(np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8))
        labels.append(np.asarray(cv2.resize(truth, size, interpolation=cv2.INTER_NEAREST), np.uint8))
    return np.concatenate(photos, axis=1), np.concatenate(labels, axis=1)


def clips(shots: list[tuple[Pixels, Pixels]], frames: int) -> Iterator[tuple[str, Clip]]:
    """Return the clips of each kind, one for each photo."""
    rng = np.random.default_rng(0)
    for index, shot in enumerate(shots):
        ground = emptied(*shots[index - 1])
        row = [shots[(index - back) % len(shots)] for back in (2, 1, 0)]
        yield "handheld", handheld(*shot, frames, rng)
        yield "walking", walking(*shot, ground, frames, rng)
        yield "wide", walking(*widened(*shot), ground, frames, rng)
        yield "side by side", handheld(*side_by_side(row), frames, rng)
        yield "waving", waving(100 + index, frames, rng)


def main(arguments: list[str] | None = None) -> None:
    """Print a table of all kinds of clips and methods."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", nargs="?", help="Hub id or folder; default: the embedded weights")
    parser.add_argument("--clips", type=int, default=5, help="of each kind (default 5)")
    parser.add_argument("--frames", type=int, default=24, help="of each clip (default 24)")
    options = parser.parse_args(arguments)
    segmenter = Segmenter.from_pretrained(options.model)
    rows = load_splits(str(options.folder), None, 0.1, 0).validation
    shots = [decode_row(rows[index * len(rows) // options.clips]) for index in range(options.clips)]
    kept: dict[tuple[str, str], list[float]] = {}
    changed: dict[tuple[str, str], list[float]] = {}
    matrices: dict[tuple[str, str], npt.NDArray[np.int64]] = {}
    seconds: dict[tuple[str, str], float] = {}
    for kind, clip in tqdm(clips(shots, options.frames), total=5 * len(shots)):
        for way, chosen in WAYS.items():
            key = kind, way
            began = time.perf_counter()
            maps = [result.label_map for result in segment_frames(segmenter, clip.frames, **chosen)]
            seconds[key] = seconds.get(key, 0) + time.perf_counter() - began
            counts = [confusion_matrix(*pair) for pair in zip(clip.labels, maps, strict=True)]
            zeros = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
            matrices[key] = matrices.get(key, zeros) + np.sum(counts, axis=0)
            for index in range(1, len(maps)):
                kept.setdefault(key, []).append(consistency(maps[index], maps[index - 1], clip.motions[index]))
                now, before = clip.labels[index], clip.labels[index - 1]
                new = (now != before) & (now != IGNORE) & (before != IGNORE)
                if new.any():
                    changed.setdefault(key, []).append(float((maps[index] == now)[new].mean()))
    print(
        f"\n{options.clips} clips of {options.frames} frames of each kind, seed 0, {segmenter.name}, "
        f"{type(segmenter.engine).__name__}, {platform.machine()} with {os.cpu_count()} cores\n"
    )
    print(
        "| clips | method | consistency | mIoU | right where the true label has just changed | frames per second "
        "| time |"
    )
    print("|---|---|---|---|---|---|---|")
    for kind, way in matrices:
        key = kind, way
        print(
            f"| {kind} | {way} | {np.mean(kept[key]):.3f} | {summarize(matrices[key])['mean_iou']:.3f} | "
            f"{np.mean(changed.get(key, [np.nan])):.3f} | {options.clips * options.frames / seconds[key]:.1f} | "
            f"{seconds[key] / seconds[kind, next(iter(WAYS))]:.2f} |"
        )


if __name__ == "__main__":
    main()
