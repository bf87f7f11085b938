"""Speed from photos to label maps, compared with transformers' own pipeline, with the same weights on the same photos.

    python -m benchmarks.inference [--rounds 7] [--cases ...] [--match folder] [--scale docs/experiments/scale.png]

Each contender runs in its own process, which is idle while another is timed. Contenders alternate, so that other load
affects all equally; the tables give the median of the rounds' ratios and, in brackets, the ratio of the fastest
rounds. All processes have the settings of `clothseg.process_settings`, like our commands. The pipeline is measured
twice: unmodified, except that waiting threads sleep, since spinning threads would make it several times slower beside
other load; and with all of our settings, which make it up to twice as fast.

SegFormer B2 has random weights, scaled so that many classes win somewhere, in patches. The network takes as long as
with trained weights; our processing from logits to labels takes longer than for a real photo, since there are borders
everywhere. Photos are those in examples/, resized to 640 pixels or to 3000 x 4000, as JPEG files. A result is the
label map at the photo's own size, from the file, with plain edges, as in the pipeline. Peak memory is what a new
process adds for its first large photo, after a small one.

The network's own rate is that of one photo after the other on all cores, without reading them; in streams each core
has its own photo (clothseg/engines/openvino_engine.py). Photos from a folder become label maps as bytes of PNG files.
There are as many workers as cores (clothseg/batch/worker_pool.py), which have loaded the model before the measurement.

The pipeline returns one mask for each class instead of a label map; equal pixels compare these masks with our label
map. Random weights have low confidence everywhere, so bfloat16 moves their borders far more than a trained network's.
"""

import argparse
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.contenders import STOCK, Worker, interleave, write_b2, write_photos
from clothseg.process_settings import tune


AGAINST_PIPELINE = {
    "B2, 640 px, exact": ("b2 exact", "small", 5.0),
    "B2, 640 px, fast": ("b2 fast", "small", 10.0),
    "B2, 12 megapixels, exact": ("b2 exact", "large", 6.0),
    "clothseg-lite, 640 px, fast": ("lite fast", "small", 25.0),
}
"""Contender, photos, and the smallest ratio that we aim for."""

AGAINST_OURSELVES = {
    "B2 training step, 256 px, batch 4, bf16": ("train stock", "train folded", None, "step", 1.5),
    "clothseg-lite, 64 photos in a batch": ("lite one by one", "lite batch", "lite crew batch", "many", 1.2),
    "in a batch, fast": ("lite fast one by one", "lite fast batch", "lite fast crew batch", "many", 1.2),
    "in a batch, guided": ("lite guided one by one", "lite guided batch", "lite crew guided batch", "many", 1.2),
    "in a batch, fast, guided": (
        *("lite fast guided one by one", "lite fast guided batch", "lite fast crew guided batch"),
        *("many", 1.2),
    ),
    "clothseg-lite, 64 photos from a folder to PNG": ("lite network", "lite folder", "lite crew folder", "many", 0.9),
    "from a folder, against streams": ("lite streams", "lite folder", "lite crew folder", "many", 0.9),
    "from a folder, guided": ("lite network", "lite guided folder", "lite crew guided folder", "many", 0.8),
    "from a folder, fast": ("lite fast network", "lite fast folder", "lite fast crew folder", "many", 0.9),
    "clothseg-lite, 64 photos in a batch, against the network": (
        *("lite network", "lite batch", "lite crew batch"),
        *("many", 0.9),
    ),
    "B2, 16 photos in a batch, against the network": ("b2 network", "b2 batch", "b2 crew batch", "some", 0.9),
    "B2, 16 photos from a folder to PNG": ("b2 network", "b2 folder", "b2 crew folder", "some", 0.9),
}
"""Reference, contender, the same in workers, their argument, and the smallest ratio that we aim for."""


def _ratio(stock: Any, ours: Any) -> str:
    import numpy as np

    return f"{np.median(stock / ours):.2f}x ({stock.min() / ours.min():.2f}x)"


def compare_with_pipeline(folder: Path, photos: dict[str, list[str]], rounds: int) -> None:
    """Print the table of `AGAINST_PIPELINE`."""
    ways = {way: Worker(way, folder) for way in STOCK}
    ways |= {way: Worker(way, folder) for way in dict.fromkeys(way for way, _, _ in AGAINST_PIPELINE.values())}
    jobs = {(way, photos_of) for way, photos_of, _ in AGAINST_PIPELINE.values()}
    order = sorted(
        jobs | {(way, photos_of) for way in STOCK for _, photos_of in jobs}, key=lambda job: (job[1], job[0])
    )
    taken = interleave([(ways[way], photos[photos_of]) for way, photos_of in order], rounds)
    columns = {job: taken[:, place] for place, job in enumerate(order)}

    print(
        "| case | pipeline with B2 | ours | ratio | wanted | ratio to it with our settings | equal pixels, smallest |"
    )
    print("|---|---|---|---|---|---|---|")
    for case, (way, photos_of, wanted) in AGAINST_PIPELINE.items():
        stock, tuned, ours = (columns[name, photos_of] for name in (*STOCK, way))
        equal = "other weights" if way.startswith("lite") else f"{_equal(ways['pipeline'], ways[way], photos):.6f}"
        milliseconds = [f"{1000 * seconds.min():.0f} ms" for seconds in (stock, ours)]
        ratios = f"{_ratio(stock, ours)} | {wanted:g}x | {_ratio(tuned, ours)}"
        print(f"| {case} | {' | '.join(milliseconds)} | {ratios} | {equal} |", flush=True)
    for worker in ways.values():
        worker.stop()

    peaks = {}
    for way in ("pipeline", "b2 exact"):
        worker = Worker(way, folder)
        worker(photos["small"][0])
        peaks[way] = worker(photos["large"][0])[1]
        worker.stop()
    share = peaks["b2 exact"] / peaks["pipeline"]
    print(f"| the same, extra peak memory | {peaks['pipeline']:.0f} MB | {peaks['b2 exact']:.0f} MB | ", end="")
    print(f"{share:.2f} of it | 0.25 | | |\n", flush=True)


def _equal(pipeline: Worker, ours: Worker, photos: dict[str, list[str]]) -> float:
    return min(
        float((pipeline(("map", path), True)[2] == ours(("map", path), True)[2]).mean()) for path in photos["small"]
    )


def compare_with_ourselves(folder: Path, photos: dict[str, list[str]], rounds: int, match: str = "") -> None:
    """Print the table of `AGAINST_OURSELVES`, of cases whose name contains `match`."""
    arguments = {"step": [None], "many": [photos["small"] * 16], "some": [photos["small"] * 4]}
    print("| case | against | takes | ours | ratio | ours in workers | ratio | wanted |")
    print("|---|---|---|---|---|---|---|---|")
    for case, (*names, argument, wanted) in AGAINST_OURSELVES.items():
        if match not in case:
            continue
        ways = [Worker(way, folder) for way in names if way]
        taken = interleave([(worker, arguments[argument]) for worker in ways], rounds).T
        count = len(arguments[argument][0] or [None])
        cells = [f"{names[0]} | {1000 * taken[0].min() / count:.1f} ms"]
        cells += [f"{1000 * ours.min() / count:.1f} ms | {_ratio(taken[0], ours)}" for ours in taken[1:]]
        cells += [" | "] * (len(names) - len(ways))
        print(f"| {case} | {' | '.join(cells)} | {wanted:g}x |", flush=True)
        for worker in ways:
            worker.stop()
    print()


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", nargs="*", choices=["pipeline", "ourselves"], default=["pipeline", "ourselves"])
    parser.add_argument("--match", default="", help="only the cases of `ourselves` whose name contains this text")
    parser.add_argument("--scale", help="also measure cost against photo size, batch and cores; the plot's file")
    arguments = parser.parse_args(argv)
    tune()
    cores = len(os.sched_getaffinity(0))
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "openvino"))
    print(f"{_processor()}, {cores} cores, {platform.python_implementation()} {platform.python_version()}; {versions}")
    print(f"load average at the start {os.getloadavg()[0]:.1f}, {arguments.rounds} rounds, seed 0\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photos = {"small": write_photos(folder / "small", 640), "large": write_photos(folder / "large", 0, 12_000_000)}
        write_b2(folder / "b2", map(Path, photos["small"]))
        if "pipeline" in arguments.cases:
            compare_with_pipeline(folder, photos, arguments.rounds)
        if "ourselves" in arguments.cases:
            compare_with_ourselves(folder, photos, arguments.rounds, arguments.match)
        if arguments.scale:
            from benchmarks.scale import measure_scale

            measure_scale(folder, Path(arguments.scale), arguments.rounds)
    print(f"load average at the end {os.getloadavg()[0]:.1f}")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")


if __name__ == "__main__":
    main()
