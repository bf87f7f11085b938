"""Pictures for the model card: learning curves, per-class IoU, confusion matrix."""

from pathlib import Path
from typing import Any

import matplotlib


matplotlib.use("Agg")  # no screen needed
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt

from clothseg.labels import NAMES, hex_color


Row = dict[str, Any]


def learning_curves(log: list[Row], path: Path) -> None:
    """Training and validation loss, mIoU and accuracies over the epochs.

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
    _save(figure, path)


def class_bars(figures: dict[str, float], path: Path) -> None:
    """IoU of each class that `figures` (of `summarize`) has, in the palette's colours."""
    names = [name for name in NAMES if f"iou_{name}" in figures]
    values = [figures[f"iou_{name}"] for name in names]
    figure, axes = plt.subplots(figsize=(10, 3.6), layout="constrained")
    bars = axes.bar(names, values, color=[hex_color(name) for name in names])
    axes.bar_label(bars, fmt="%.2f", padding=2, fontsize=8)
    axes.axhline(figures["mean_iou"], color="grey", linestyle="--", linewidth=1)
    axes.set(ylabel="IoU", ylim=(0, 1.05), title=f"mIoU {figures['mean_iou']:.3f}")
    axes.tick_params(axis="x", rotation=60)
    _save(figure, path)


def confusion(matrix: npt.NDArray[np.int64], path: Path) -> None:
    """Share of each true class's pixels (rows) that was predicted as each class (columns)."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=(7.5, 7), layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(NAMES)), NAMES, rotation=90)
    axes.set_yticks(range(len(NAMES)), NAMES)
    axes.set(xlabel="predicted", ylabel="true")
    for row, column in zip(*np.nonzero(shares >= 0.05), strict=True):
        shade = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{shares[row, column]:.2f}"[1:], ha="center", va="center", fontsize=7, color=shade)
    _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, dpi=100)
    plt.close(figure)
