"""The embedded model's int8 file: make it, and measure it.

    python -m benchmarks.int8 FOLDER --write
    python -m benchmarks.int8 FOLDER [--photos 100] [--rounds 20] [--validation]

FOLDER contains train.parquet and validation.parquet. `--write` calibrates on 128 of the rows that
docs/experiments/development-split.json trains on, and writes the file into clothseg/weights; run it after replacing
the weights. Without it, label maps with plain edges are compared with those in float32, on the photos that the split
chooses by or, once a setting is final, on the validation photos. Rates are those of the network: `--rounds` passes of
one photo on all cores, and in streams of one core each; precisions alternate, and the figure is the ratio of the
medians, in brackets that of the process's CPU time, which other load affects less.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from clothseg import Segmenter
from clothseg.engines import PRECISIONS
from clothseg.images.decode import load_photo
from clothseg.models.loading import EMBEDDED, load
from clothseg.training.data.decoding import decode_mask


SPLIT = Path(__file__).parents[1] / "docs" / "experiments" / "development-split.json"

CALIBRATED = 128


def read_rows(file: Path, ids: list[str] | None = None) -> list[dict[str, Any]]:
    """Return the rows of a parquet file, by default all; with these ids, in their order."""
    import pyarrow.parquet as pq

    rows = pq.read_table(file).to_pylist()
    places = {row["id"]: row for row in rows}
    return rows if ids is None else [places[name] for name in ids]


def write(folder: str) -> None:
    """Write the int8 file of the embedded weights."""
    from clothseg.engines.conversion import Network, export_onnx
    from clothseg.engines.quantization import write_int8

    ids = json.loads(SPLIT.read_text())["train"]
    chosen = [ids[place] for place in np.random.default_rng(0).choice(len(ids), CALIBRATED, replace=False)]
    segmenter = Segmenter.from_pretrained(device="cpu")
    pixels = [
        segmenter.pixels([load_photo(row["image"]["bytes"])])
        for row in read_rows(Path(folder, "train.parquet"), chosen)
    ]
    loaded = load(None)
    with tempfile.TemporaryDirectory() as workshop:
        source = Path(workshop) / "model.onnx"
        export_onnx(Network(loaded.model), source, loaded.name)
        write_int8(loaded, source, pixels, EMBEDDED, data="CCP-as-ATR, training rows of the development split", seed=0)


def measure(rows: list[dict[str, Any]], rounds: int) -> None:
    """Print the table."""
    ways = {precision: Segmenter.from_pretrained(device="cpu", precision=precision) for precision in PRECISIONS}
    agreement: dict[str, list[float]] = {precision: [] for precision in ways}
    counts = {precision: np.zeros((18, 18), np.int64) for precision in ways}
    for row in rows:
        photo, truth = load_photo(row["image"]["bytes"]), decode_mask(row["mask"], row["id"])
        exact = None
        for precision, segmenter in ways.items():
            found = segmenter(photo, edges="plain", zoom="off", orientation="upright").label_map
            exact = found if exact is None else exact
            agreement[precision].append(float((found == exact).mean()))
            marked = truth < 18
            pairs = truth[marked].astype(np.int64) * 18 + found[marked]
            counts[precision] += np.bincount(pairs, minlength=18 * 18).reshape(18, 18)
    single, many = (np.empty((2, rounds, len(ways))) for _ in range(2))
    pixels = np.repeat(ways["exact"].pixels([load_photo(rows[0]["image"]["bytes"])]), 8, axis=0)
    for number in range(-1, rounds):  # the first round is for warming up
        for place, segmenter in enumerate(ways.values()):
            for times, batch in ((single, pixels[:1]), (many, pixels)):
                started, used = time.perf_counter(), time.process_time()
                segmenter.engine(batch)
                taken = time.perf_counter() - started, time.process_time() - used
                if number >= 0:
                    times[:, number, place] = np.divide(taken, len(batch))
    print("| precision | equal pixels, mean | least | mean IoU | ms per photo | rate, one photo | rate, streams |")
    print("|---|---|---|---|---|---|---|")
    for place, precision in enumerate(ways):
        hits = np.diag(counts[precision])
        union = counts[precision].sum(axis=0) + counts[precision].sum(axis=1) - hits
        rates = []
        for times in (single, many):
            wall, used = np.median(times, axis=1)
            rates.append(f"{wall[0] / wall[place]:.2f} ({used[0] / used[place]:.2f})")
        share = agreement[precision]
        iou = np.mean(hits[union > 0] / union[union > 0])
        print(f"| {precision} | {np.mean(share):.4f} | {min(share):.4f} | {iou:.4f} ", end="")
        print(f"| {1000 * np.median(single[0, :, place]):.1f} | {' | '.join(rates)} |")


def main(argv: list[str] | None = None) -> None:
    """Make the file, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--write", action="store_true", help="make the file")
    parser.add_argument("--validation", action="store_true", help="measure on validation photos")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args(argv)
    if options.write:
        write(options.folder)
        return
    if options.validation:
        rows = read_rows(Path(options.folder, "validation.parquet"))
    else:
        rows = read_rows(Path(options.folder, "train.parquet"), json.loads(SPLIT.read_text())["validation"])
    rows = rows[: options.photos]
    cores = len(os.sched_getaffinity(0))
    print(f"{len(rows)} photos; {platform.machine()}, {cores} cores, openvino {version('openvino')}")
    print(f"load average at the start {os.getloadavg()[0]:.1f}, {options.rounds} rounds\n")
    measure(rows, options.rounds)
    print(f"\nload average at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
