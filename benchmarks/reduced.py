"""Speed of reduced results on large photos, and their agreement with full results made smaller.

    python -m benchmarks.reduced [--rounds 7] [--megapixels 12] [--model FOLDER]

Photos are those in examples/, enlarged to 3:4 with that number of megapixels and written as JPEG files (quality 92). A
result is the label map of the file, with guided edges. Sizes alternate; milliseconds are medians over rounds and
photos. Equal pixels are counted against the full result's label map, reduced by nearest pixels. This is not the truth,
and a label map cannot be reduced without moving borders by half a pixel.
"""

import argparse
import platform
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.contenders import write_photos
from clothseg.process_settings import tune
from clothseg.segmenter import Segmenter


LONGEST = (None, 2048, 1280, 640)


def measure(segmenter: Segmenter, paths: list[str], rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds (rounds, photos, ways), and shares of equal pixels (photos, ways); a round before them warms up."""
    seconds, equal = np.zeros((rounds + 1, len(paths), len(LONGEST))), np.ones((len(paths), len(LONGEST)))
    for turn in range(rounds + 1):
        for place, path in enumerate(paths):
            maps = []
            for way, longest in enumerate(LONGEST):
                started = time.perf_counter()
                maps.append(segmenter(path, max_side=longest).label_map)
                seconds[turn, place, way] = time.perf_counter() - started
            for way, found in enumerate(maps):
                full = cv2.resize(maps[0], found.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
                equal[place, way] = (full == found).mean()
    return seconds[1:], equal


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--model", help="default: the embedded one")
    options = parser.parse_args(argv)
    tune()
    segmenter = Segmenter.from_pretrained(options.model, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photos(Path(folder) / "photos", 0, round(options.megapixels * 1e6))
        seconds, equal = measure(segmenter, paths, options.rounds)
    print(f"{segmenter.name}, {len(paths)} photos of {options.megapixels:g} megapixels, {options.rounds} rounds,")
    print(f"{platform.machine()}, {type(segmenter.engine).__name__}\n")
    print("| `max_side` | ms per photo | speed against full size | equal pixels, mean | smallest |")
    print("|---|---|---|---|---|")
    for way, longest in enumerate(LONGEST):
        ratio = np.median(seconds[..., 0] / seconds[..., way])
        cells = f"{1000 * np.median(seconds[..., way]):.0f} | {ratio:.2f}x"
        print(f"| {longest or 'unchanged'} | {cells} | {equal[:, way].mean():.4f} | {equal[:, way].min():.4f} |")


if __name__ == "__main__":
    main()
