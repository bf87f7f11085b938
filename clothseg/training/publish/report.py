"""Reports of an evaluation: tables for the terminal, files and plots for a folder."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from clothseg.images.atomic_files import atomic_path
from clothseg.labels import ATR, LabelSet
from clothseg.segmenter import Segmenter
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.mask_classes import ATR_MASKS, MaskClasses
from clothseg.training.evaluation.boundary import TOLERANCES
from clothseg.training.evaluation.class_mapping import ModelMapping
from clothseg.training.evaluation.metrics import figures_of, pair_name
from clothseg.training.evaluation.scoring import Scores
from clothseg.training.publish import plots


BOUNDARY = {f"boundary_f1_{tolerance}px": f"boundary F1, {tolerance} px" for tolerance in TOLERANCES}
TOTALS = {
    "mean_iou": "mean IoU",
    "mean_iou_no_background": "mean IoU without Background",
    "mean_accuracy": "mean accuracy",
    "overall_accuracy": "overall accuracy",
    "mean_f1": "mean F1",
    **BOUNDARY,
    "side_accuracy": "right side of shoes and limbs",
}
CLASS_COLUMNS = {"iou": "IoU", "accuracy": "accuracy", "precision": "precision", "f1": "F1", **BOUNDARY}
FILES = ("figures.json", "per_class.csv", "photos.csv", "class_iou.png", "confusion.png", "calibration.png")


def report_text(report: dict[str, Any], labels: LabelSet = ATR) -> str:
    """Return aligned tables of `evaluation.report`: totals at both sizes, left and right, and each class at own
    size."""
    own, intervals, errors = report["own_size"], report["intervals"], report["calibration"]
    totals = [
        [
            label,
            *(_with_interval(report[size], intervals[size], key) for size in ("own_size", "plain", "network_size")),
        ]
        for key, label in TOTALS.items()
        if key != "side_accuracy" or labels.pairs
    ]
    totals.append(["calibration error (ECE)", _with_interval(errors, intervals["calibration"], "ece"), "–", "–"])
    sides = [
        [
            pair_name(pair, labels),
            *(_with_interval(own, intervals["own_size"], f"side_accuracy_{part}") for part in parts),
        ]
        for pair in labels.pairs
        for parts in [(pair_name(pair, labels), *(labels.names[index] for index in pair))]
    ]
    classes = [
        [
            name,
            _with_interval(own, intervals["own_size"], f"iou_{name}"),
            *(_number(own.get(f"{column}_{name}")) for column in list(CLASS_COLUMNS)[1:]),
            _number(errors.get(f"ece_{name}")),
        ]
        for name in labels.names
    ]
    by_side = (
        "On the right side, of the pixels predicted as the right part:",
        table(["", "both", "of the true left", "of the true right"], sides),
    )
    return "\n\n".join(
        (
            f"{report['photos']} photos; in brackets bootstrap 95 % intervals over photos, {report['resamples']} "
            f"resamples, seed {report['seed']}.",
            table(["", "at the photos' own size", "the same in plain transformers", "at the network's size"], totals),
            *(by_side if sides else ()),
            "Each class, at the photos' own size:",
            table(["", *CLASS_COLUMNS.values(), "ECE"], classes),
        )
    )


def difference_text(
    report: dict[str, Any], other: dict[str, Any], difference: dict[str, Any], labels: LabelSet = ATR
) -> str:
    """Return aligned tables of `evaluation.difference` at own size: a model, another one, and the first minus the
    second."""

    def line(label: str, group: str, key: str) -> list[str]:
        pair = [_number(found[group].get(key)) for found in (report, other)]
        if key not in difference[group]:
            return [label, *pair, "–", ""]
        less = _with_interval(difference[group], difference["intervals"][group], key, sign="+")
        return [label, *pair, less, _verdict(difference["intervals"][group][key], lower_is_better=key == "ece")]

    head = ["", "first", "second", "first − second", ""]
    totals = [line(label, "own_size", key) for key, label in TOTALS.items() if key != "side_accuracy" or labels.pairs]
    totals.append(line("calibration error (ECE)", "calibration", "ece"))
    return "\n\n".join(
        (
            "The two models on the same photos at their own size; better or worse where the interval of the paired "
            "difference leaves out 0:",
            table(head, totals),
            "IoU of each class:",
            table(head, [line(name, "own_size", f"iou_{name}") for name in labels.names]),
        )
    )


def _verdict(bounds: list[float], lower_is_better: bool) -> str:
    low, high = bounds
    if low <= 0 <= high:
        return ""
    return "better" if (low > 0) != lower_is_better else "worse"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with aligned columns; numbers are right-aligned."""
    widths = [max(3, *map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        [
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in (head, *rows)
    ]
    rule = ["-" * width if not place else "-" * (width - 1) + ":" for place, width in enumerate(widths)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (lines[0], rule, *lines[1:]))


def _number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{round(value, 3) + 0.0:{sign}.3f}"  # + 0.0 makes 0 of -0


def _with_interval(figures: dict[str, float], intervals: dict[str, list[float]], key: str, sign: str = "") -> str:
    if key not in figures:
        return "–"
    low, high = intervals[key]
    return f"{_number(figures[key], sign)} ({_number(low, sign)} to {_number(high, sign)})"


def write_report(folder: Path, scores: Scores, report: dict[str, Any], extra: dict[str, Any] | None = None) -> None:
    """Write `FILES` into an existing folder: figures, a line per class and per photo, and plots.

    Args:
        extra: added to figures.json beside the report, such as the model's name.
    """
    with atomic_path(folder / "figures.json") as building:
        building.write_text(json.dumps((extra or {}) | report, indent=1), encoding="utf-8")
    labels = scores.labels
    _write_classes(folder / "per_class.csv", report, labels)
    of_photos = figures_of(scores.own_size, labels)
    with atomic_path(folder / "photos.csv") as building, building.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "mean_iou", "overall_accuracy"])
        for place, name in enumerate(scores.ids):
            writer.writerow([name, *(f"{of_photos[key][place]:.6f}" for key in ("mean_iou", "overall_accuracy"))])
    plots.class_bars(report["own_size"], folder / "class_iou.png", report["intervals"]["own_size"], labels)
    plots.confusion(scores.own_size.sum(axis=0), folder / "confusion.png", labels)
    plots.calibration(report["reliability"], report["calibration"], folder / "calibration.png", labels)


def _write_classes(path: Path, report: dict[str, Any], labels: LabelSet) -> None:
    """Write a line per class: each figure with the bounds of its interval, empty if undefined."""
    own, bounds = report["own_size"], report["intervals"]["own_size"]
    with atomic_path(path) as building, building.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["class", *(f"{key}{end}" for key in CLASS_COLUMNS for end in ("", "_low", "_high")), "ece"])
        for name in labels.names:
            cells: list[Any] = []
            for key in CLASS_COLUMNS:
                figure = f"{key}_{name}"
                cells += [own[figure], *bounds[figure]] if figure in own else ["", "", ""]
            writer.writerow([name, *cells, report["calibration"].get(f"ece_{name}", "")])


def ranked(scores: Scores) -> list[int]:
    """Return the indices of the photos from the worst mean IoU to the best, without photos that have no annotated
    pixel."""
    figures = figures_of(scores.own_size, scores.labels)["mean_iou"]
    return [int(place) for place in np.argsort(figures, kind="stable") if not np.isnan(figures[place])]


def write_pictures(
    folder: Path,
    segmenter: Segmenter,
    rows: Dataset,
    scores: Scores,
    count: int = 8,
    classes: MaskClasses = ATR_MASKS,
    mapping: ModelMapping | None = None,
) -> None:
    """Write `best_photos.png` and `worst_photos.png`: photo, truth and prediction of `count` photos each.

    Args:
        rows: those that `scores` are of; the pictures show them, so whether they may be passed on is for the data
            set's terms to say.
    """
    order = ranked(scores)
    figures = figures_of(scores.own_size, scores.labels)["mean_iou"]
    for name, places in (("worst_photos", order[:count]), ("best_photos", order[::-1][:count])):
        examples = []
        for place in places:  # segmented again: the label maps of all photos were never kept
            photo, truth = decode_row(rows[place], classes)
            found = segmenter(photo).label_map
            if mapping is not None:
                truth, found = mapping.truth[truth], mapping.prediction[found]
            caption = f"{scores.ids[place][:20]}: mIoU {figures[place]:.2f}"
            examples.append(plots.Example(photo, truth, found, caption))
        plots.photos(examples, folder / f"{name}.png", labels=scores.labels)
