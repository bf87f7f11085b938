"""Where the time of a photo goes besides the network: CPU time of each step, on one core.

    python -m benchmarks.around_network PHOTOS.parquet [--photos 16] [--rounds 5]

The process uses one core, and the network's logits are computed once and stored. So the figures are CPU time of the
other steps, which depends little on the machine's other load. Each figure is the mean over the photos of the fastest
round.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clothseg.process_settings import tune


Step = Callable[[bytes], Any]


def build_steps(contents: list[bytes]) -> dict[str, Step]:
    """Return the steps by name, each a function of a photo's bytes; the network is replaced by its stored logits."""
    from clothseg import Segmenter
    from clothseg.images.atomic_files import encoded
    from clothseg.images.decode import load_photo
    from clothseg.postprocess import evidence, guided_edges, orientation, upsample, zoom_crop
    from clothseg.postprocess.geometry import Box

    segmenter = Segmenter.from_pretrained(device="cpu")
    compute, stored = segmenter.engine, {}

    def replay(pixels: Any) -> Any:
        key = hash(pixels[:, :, ::37, ::29].tobytes())
        if key not in stored:
            stored[key] = compute(pixels)
        return stored[key]

    segmenter.engine = replay
    photos = {content: load_photo(content) for content in contents}
    logits = {content: segmenter.logits([photo])[0] for content, photo in photos.items()}
    sizes = {content: (photo.height, photo.width) for content, photo in photos.items()}
    results = {content: segmenter(content) for content in contents}
    plain: dict[str, Any] = {"edges": "plain", "zoom": "off"}
    height, width = segmenter.image_size
    return {
        "file to guided label map": segmenter,
        "file to plain label map, no zoom": lambda content: segmenter(content, **plain),
        "decode the JPEG": load_photo,
        "resize (Pillow)": lambda content: photos[content].resize((width, height), segmenter._input.resample),
        "resize and normalise": lambda content: segmenter.pixels([photos[content]]),
        "orientation": lambda content: orientation.find_layout(logits[content]),
        "zoom crop": lambda content: zoom_crop.find_zoom_crop(logits[content], sizes[content], height / width),
        "guided edges": lambda content: guided_edges.follow_edges(logits[content], photos[content]),
        "grid of probabilities": lambda content: upsample.winning_probability(logits[content], sizes[content]),
        "plain label map": lambda content: upsample.winners(logits[content], sizes[content]),
        "logits kept for corrections": lambda content: evidence.as_evidence(logits[content], Box(0, 0, 1, 1)),
        "PNG of the label map": lambda content: encoded(results[content].label_picture(), "PNG"),
    }


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--photos", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(argv)
    tune()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])  # before libraries count the cores
    import numpy as np
    import pyarrow.parquet as pq

    rows = pq.read_table(options.data, columns=["image"]).slice(0, options.photos).to_pylist()
    contents = [row["image"]["bytes"] for row in rows]
    steps = build_steps(contents)
    taken = np.empty((options.rounds, len(steps), len(contents)))
    for round_ in taken:
        for step, row in zip(steps.values(), round_, strict=True):
            for place, content in enumerate(contents):
                started = time.process_time()
                step(content)
                row[place] = time.process_time() - started
    print(f"{len(contents)} photos, one core of {platform.machine()}, load average {os.getloadavg()[0]:.1f}\n")
    print("| step | ms of CPU time |\n|---|---|")
    for name, row in zip(steps, taken.min(axis=0), strict=True):
        print(f"| {name} | {1000 * row.mean():.1f} |")


if __name__ == "__main__":
    main()
