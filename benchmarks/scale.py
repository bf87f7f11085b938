"""How the time of a photo grows with its size, with the batch, and with the number of cores. Plots for `inference`."""

import os
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from benchmarks.contenders import Worker, interleave, write_photos


matplotlib.use("Agg")

SIZES = (0.1, 0.3, 1, 3, 12, 50)
"""Megapixels; the loader's limit is raised for the last."""

STOCK_MOST = 12
"""Largest size at which the pipeline is measured: its intermediate arrays for larger photos exceed a small machine's
memory."""

BATCHES = (1, 2, 4, 8, 16, 32)

NAMES = {"pipeline": "pipeline with B2", "b2 exact": "ours with B2, exact", "lite fast": "clothseg-lite, fast"}
IN_BATCHES = {"lite fast batches": "clothseg-lite, fast", "lite fast crew batches": "the same in workers"}
COLORS = {"pipeline": "#8a8578", "b2 exact": "#b4543a", "lite fast": "#2f6f6d"}
BATCH_COLORS = dict(zip(IN_BATCHES, ("#2f6f6d", "#b4543a"), strict=True))


def measure_scale(folder: Path, path: Path, rounds: int) -> None:
    """Measure, print the figures as tables, and draw them side by side into a file.

    Args:
        folder: contains B2's model in b2; photos are written beside it.
        path: the plot's file.
        rounds: number of rounds, of which the fastest counts.
    """
    os.environ["CLOTHSEG_MAX_PIXELS"] = str(100_000_000)
    photos = {size: write_photos(folder / f"photos-{size}", 0, int(size * 1e6))[:1] for size in SIZES}
    by_size = {way: _by_size(way, folder, photos, rounds) for way in NAMES}
    by_batch = {way: _by_batch(way, folder, photos[0.3], rounds) for way in IN_BATCHES}
    by_cores = {way: [_by_cores(way, folder, photos[0.3], cores, rounds) for cores in (1, 2)] for way in NAMES}
    _print("megapixels", SIZES, by_size)
    _print("photos in a batch", BATCHES, by_batch)
    _print("cores", (1, 2), by_cores)
    _draw(path, by_size, by_batch, by_cores)


def _by_size(way: str, folder: Path, photos: dict[float, list[str]], rounds: int) -> list[float]:
    worker = Worker(way, folder)
    sizes = [size for size in SIZES if way != "pipeline" or size <= STOCK_MOST]
    taken = interleave([(worker, photos[size]) for size in sizes], rounds).min(axis=0)
    worker.stop()
    return list(taken)


def _by_batch(way: str, folder: Path, photos: list[str], rounds: int) -> list[float]:
    worker = Worker(way, folder)
    taken = interleave([(worker, [(photos * 32, size)]) for size in BATCHES], rounds).min(axis=0)
    worker.stop()
    return list(taken / 32)


def _by_cores(way: str, folder: Path, photos: list[str], cores: int, rounds: int) -> float:
    worker = Worker(way, folder, cores)
    taken = interleave([(worker, photos)], rounds).min()
    worker.stop()
    return float(taken)


def _print(what: str, values: tuple[float, ...], columns: dict[str, list[float]]) -> None:
    print(f"| {what} | {' | '.join(f'{(NAMES | IN_BATCHES)[way]}, ms' for way in columns)} |")
    print(f"|---|{'---|' * len(columns)}")
    for place, value in enumerate(values):
        cells = [f"{1000 * taken[place]:.0f}" if place < len(taken) else "" for taken in columns.values()]
        print(f"| {value:g} | {' | '.join(cells)} |")
    print(flush=True)


def _draw(
    path: Path, by_size: dict[str, list[float]], by_batch: dict[str, list[float]], by_cores: dict[str, list[float]]
) -> None:
    from matplotlib import pyplot

    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    for way, taken in by_size.items():
        left.plot(SIZES[: len(taken)], np.multiply(taken, 1000), "o-", color=COLORS[way], label=NAMES[way])
    left.set(xscale="log", yscale="log", xlabel="megapixels", ylabel="ms per photo", title="Size of the photo")
    left.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(0, 0.78))  # between the lines
    for way, taken in by_batch.items():
        middle.plot(BATCHES, np.multiply(taken, 1000), "o-", color=BATCH_COLORS[way], label=IN_BATCHES[way])
    middle.set(xscale="log", xlabel="photos in a batch", title="Batch, clothseg-lite at 0.3 megapixels")
    middle.set_xticks(BATCHES, [str(size) for size in BATCHES])
    middle.set_ylim(0)
    middle.legend(frameon=False, fontsize=8, loc="lower right")
    for place, (way, (one, two)) in enumerate(by_cores.items()):
        right.bar(place, one / two, color=COLORS[way])
    right.set_xticks(range(len(by_cores)), [NAMES[way].replace(", ", ",\n") for way in by_cores], fontsize=8)
    right.axhline(1, color="#444", linewidth=0.8)
    right.set(title="Speed with two cores, one core = 1", ylim=(0, 2.1))
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        _plain_ticks(axes)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def _plain_ticks(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for axis, scale in ((axes.xaxis, axes.get_xscale()), (axes.yaxis, axes.get_yscale())):
        if scale == "log" and axis.get_major_formatter().__class__.__name__ == "LogFormatterSciNotation":
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
