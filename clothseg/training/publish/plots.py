"""Plots for model card and report: learning curves, per-class figures, confusion, calibration, photos."""

from io import BytesIO
from pathlib import Path
from typing import Any, Literal, NamedTuple

import matplotlib


matplotlib.use("Agg")  # no screen needed
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Patch

from clothseg.images.atomic_files import atomic_path
from clothseg.labels import ATR, BACKGROUND, IGNORE, LabelSet
from clothseg.outputs.render import overlay


Row = dict[str, Any]

_LABEL = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.9}


def learning_curves(log: list[Row], path: Path) -> None:
    """Plot training and validation loss, mIoU and accuracies over the epochs.

    Args:
        log: the Trainer's `log_history`.
        path: PNG to write.
    """
    training = [(row["epoch"], row["loss"]) for row in log if "loss" in row]
    validation = [row for row in log if "eval_loss" in row]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    if training:
        left.plot(*zip(*training, strict=True), label="training")
    left.plot([row["epoch"] for row in validation], [row["eval_loss"] for row in validation], "o-", label="validation")
    left.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
    left.legend(frameon=False)
    for key, label in (("mean_iou", "mIoU"), ("mean_accuracy", "mean accuracy"), ("overall_accuracy", "accuracy")):
        right.plot([row["epoch"] for row in validation], [row[f"eval_{key}"] for row in validation], "o-", label=label)
    right.set(xlabel="epoch", ylim=(0, 1))
    right.legend(frameon=False)
    for axes in (left, right):
        _clean(axes)
    _save(figure, path)


def class_bars(
    figures: dict[str, float], path: Path, intervals: dict[str, list[float]] | None = None, labels: LabelSet = ATR
) -> None:
    """Plot the IoU of each class in `figures`, in the palette's colours.

    Args:
        figures: with `mean_iou` and `iou_<name>`.
        intervals: name of a figure -> [low, high], drawn as whiskers.
        labels: names and colours of the classes.
    """
    names = [name for name in labels.names if f"iou_{name}" in figures]
    values = [figures[f"iou_{name}"] for name in names]
    figure, axes = plt.subplots(figsize=(10, 4), layout="constrained")
    bars = axes.bar(names, values, color=[labels.hex_color(name) for name in names], width=0.72)
    if intervals:
        bounds = np.array([intervals[f"iou_{name}"] for name in names]).T
        # a percentile interval need not hold the figure itself
        whiskers = np.maximum([values - bounds[0], bounds[1] - values], 0)
        axes.errorbar(names, values, whiskers, fmt="none", ecolor="#777777", elinewidth=1.2, capsize=3)
    for bar, value in zip(bars, values, strict=True):  # at the bottom, outside the error bars
        axes.text(bar.get_x() + bar.get_width() / 2, 0.03, f"{value:.2f}", ha="center", fontsize=8, bbox=_LABEL)
    axes.axhline(figures["mean_iou"], color="#555555", linestyle="--", linewidth=1, zorder=0)
    whiskers_are = "; whiskers: 95 % interval over photos" if intervals else ""
    axes.set(ylabel="IoU", ylim=(0, 1))
    axes.set_title(f"IoU of each class; dashed: their mean, {figures['mean_iou']:.3f}{whiskers_are}", fontsize=10)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    _clean(axes)
    _save(figure, path)


def differences(
    difference: dict[str, float],
    intervals: dict[str, list[float]],
    names: tuple[str, str],
    path: Path,
    labels: LabelSet = ATR,
) -> None:
    """Plot how much better or worse the first of two models is on each class's IoU.

    Args:
        difference: `iou_<name>` and `mean_iou`, first less second.
        intervals: the same keys -> [low, high].
        names: of the two models.
        labels: the classes.
    """
    keys = ["mean_iou", *(f"iou_{name}" for name in labels.names if f"iou_{name}" in difference)]
    ticks = ["mean", *(key.removeprefix("iou_") for key in keys[1:])]
    figure, axes = plt.subplots(figsize=(8, 6), layout="constrained")
    for place, key in enumerate(keys):
        low, high = intervals[key]
        color = "#1a7f4e" if low > 0 else "#c0392b" if high < 0 else "#8a8a8a"
        axes.plot([low, high], [place, place], color=color, linewidth=2, solid_capstyle="round")
        axes.plot(difference[key], place, "D" if key == "mean_iou" else "o", color=color, markersize=6)
    axes.axvline(0, color="#555555", linewidth=1, zorder=0)
    axes.set_yticks(range(len(keys)), ticks)
    axes.invert_yaxis()
    axes.set_xlabel(f"IoU of {names[0]} less that of {names[1]}; 95 % intervals of the paired difference over photos")
    axes.set_title("green: first better, red: worse, grey: cannot be told", fontsize=10)
    _clean(axes, "x")
    _save(figure, path)


def confusion(matrix: npt.NDArray[np.int64], path: Path, labels: LabelSet = ATR) -> None:
    """Plot the share of each true class's pixels (rows) predicted as each class (columns)."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=(7.5, 7), layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels.names, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels.names)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title("Of each true class's pixels, how many in a hundred were taken for what", fontsize=10)
    for row, column in zip(*np.nonzero(shares >= 0.015), strict=True):
        shade = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{100 * shares[row, column]:.0f}", ha="center", va="center", fontsize=8, color=shade)
    axes.spines[:].set_color("#cccccc")
    axes.tick_params(color="#cccccc")
    _save(figure, path)


def calibration(
    reliability: dict[str, list[list[float]]], errors: dict[str, float], path: Path, labels: LabelSet = ATR
) -> None:
    """Plot a reliability diagram of all pixels, the frequency of each probability, and each predicted class's error.

    Args:
        reliability: of `evaluation.report`; `all` -> lines of [pixels, share of right ones, mean probability].
        errors: `ece` and `ece_<name>`.
        labels: names and colours of the classes.
    """
    figure = plt.figure(figsize=(10, 4.8), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(3, 1), width_ratios=(1, 1.15))
    curve, counts = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    bars = figure.add_subplot(grid[:, 1])

    pixels, right, probability = np.array(reliability["all"]).T
    edges = np.linspace(0, 1, len(pixels) + 1)
    used = pixels > 0
    curve.plot([0, 1], [0, 1], color="#555555", linestyle="--", linewidth=1, label="perfect")
    curve.bar(
        edges[:-1][used],
        right[used],
        np.diff(edges)[used],
        align="edge",
        color="#4285f4",
        alpha=0.35,
        edgecolor="white",
    )
    curve.plot(probability[used], right[used], "o-", color="#143c96", markersize=4, linewidth=1.2, label="model")
    curve.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of right pixels")
    curve.tick_params(labelbottom=False)
    curve.set_title(f"All pixels: calibration error (ECE) {errors['ece']:.3f}", fontsize=10)
    curve.legend(frameon=False, loc="upper left")
    counts.bar(
        edges[:-1], pixels / max(pixels.sum(), 1), np.diff(edges), align="edge", color="#8a8a8a", edgecolor="white"
    )
    counts.set(xlim=(0, 1), yscale="log", xlabel="probability of the predicted class", ylabel="of pixels")

    names = [name for name in labels.names if f"ece_{name}" in errors][::-1]
    values = [errors[f"ece_{name}"] for name in names]
    drawn = bars.barh(names, values, color=[labels.hex_color(name) for name in names])
    bars.bar_label(drawn, fmt="%.3f", padding=3, fontsize=8)
    bars.set_xlim(0, max([*values, 0.05]) * 1.15)
    bars.set_title("ECE of the pixels predicted as each class", fontsize=10)
    _clean(curve, "both")
    _clean(counts)
    _clean(bars, "x")
    _save(figure, path)


class Example(NamedTuple):
    """A photo (H, W, 3) uint8 RGB with true and predicted class ids (H, W) uint8, and a caption."""

    photo: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.uint8]
    prediction: npt.NDArray[np.uint8]
    caption: str


def photos(examples: list[Example], path: Path, columns: int = 2, labels: LabelSet = ATR) -> None:
    """Plot photos with truth and prediction beside them, `columns` of these per row.

    Photos of data sets may not be redistributable: keep the plot private unless their terms allow sharing.
    """
    lines = -(-len(examples) // columns)
    figure, axes = plt.subplots(
        lines, 3 * columns, figsize=(5 * columns, 2.75 * lines), layout="constrained", squeeze=False
    )
    for place in axes.flat:
        place.set_axis_off()
    shown: set[int] = set()
    for number, example in enumerate(examples):
        row, column = divmod(number, columns)
        maps = [np.where(part == IGNORE, BACKGROUND, part).astype(np.uint8) for part in example[1:3]]
        shown |= {int(value) for part in maps for value in np.unique(part)} - {BACKGROUND}
        pictures = (example.photo, *(overlay(example.photo, part, 0.75, labels) for part in maps))
        for place, picture, title in zip(axes[row, 3 * column :], pictures, ("", "truth", "prediction"), strict=False):
            place.imshow(picture)
            place.set_title(title or example.caption, fontsize=8)
    names = [labels.names[index] for index in sorted(shown)]
    handles = [Patch(color=labels.hex_color(name), label=name) for name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=9, frameon=False, fontsize=8)
    _save(figure, path)


def _clean(axes: plt.Axes, grid: Literal["x", "y", "both"] = "y") -> None:
    """Draw faint grid lines behind the data, and no frame at the top and right."""
    axes.grid(axis=grid, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: plt.Figure, path: Path) -> None:
    try:
        stream = BytesIO()  # as `save_picture`
        figure.set_dpi(100)
        FigureCanvasAgg(figure).print_png(stream)  # `savefig` lays out and draws a figure twice
        with atomic_path(path) as file:
            file.write_bytes(stream.getvalue())
    finally:
        plt.close(figure)
