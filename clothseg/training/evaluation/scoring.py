"""Score a model as users see it: one pass over held-out photos gives all figures of a report."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Unpack

import cv2
import numpy as np
import numpy.typing as npt
from datasets import Dataset
from PIL import Image

from clothseg.errors import ConfigError, DataError
from clothseg.labels import ATR, LabelSet
from clothseg.options import EVALUATION_OPTIONS, SegmentKeywords, SegmentOptions, takes_options
from clothseg.postprocess.upsample import strips, winners
from clothseg.segmenter import Segmenter
from clothseg.training.bars import progress_bar
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.mask_classes import ATR_MASKS, MaskClasses
from clothseg.training.evaluation.bootstrap import Figures, interval, resampled
from clothseg.training.evaluation.boundary import TOLERANCES, boundary_f1
from clothseg.training.evaluation.calibration import BINS, calibration_error, reliability
from clothseg.training.evaluation.class_mapping import ModelMapping, Table
from clothseg.training.evaluation.metrics import confusion_matrix, figures_of


@dataclass(frozen=True)
class Scores:
    """Counts of N photos; label maps are not kept.

    Attributes:
        ids: the rows' ids.
        own_size: (N, C, C) int64 confusion matrices at the photos' own size, truth in rows.
        network_size: (N, C, C) int64 at the network's size.
        boundary: (N, 2, C) boundary F1 at `TOLERANCES`, own size; NaN for classes that a photo does not show.
        calibration: (N, 15, 3) reliability histograms at own size.
        class_calibration: (C, 15, 3) the same by predicted class, over all photos.
        plain: (N, C, C) int64 at own size, of the interpolated logits alone, like transformers' own pipeline.
        labels: the C classes.
    """

    ids: list[str]
    own_size: npt.NDArray[np.int64]
    network_size: npt.NDArray[np.int64]
    boundary: npt.NDArray[np.float64]
    calibration: npt.NDArray[np.float64]
    class_calibration: npt.NDArray[np.float64]
    plain: npt.NDArray[np.int64]
    labels: LabelSet = ATR


@takes_options(*EVALUATION_OPTIONS)
def score(
    segmenter: Segmenter,
    rows: Dataset,
    batch_size: int = 8,
    options: SegmentOptions | None = None,
    *,
    classes: MaskClasses = ATR_MASKS,
    mapping: ModelMapping | None = None,
    **keywords: Unpack[SegmentKeywords],
) -> Scores:
    """Run a model over rows, with `batch_size` photos in memory at a time.

    At own size the label maps equal those of `Segmenter` with the same options. At the network's size the logits are
    upsampled to it, and the truth is sampled down (nearest pixel), as in training. Calibration, and the figures of
    plain transformers, use the network's own probabilities for any options.

    Args:
        rows: undecoded rows with `id`, `image` and `mask`, as `load_splits` gives them.
        batch_size: photos in one pass of the network.
        options: as for `Segmenter`. Edges "plain", zoom "off" and orientation "upright" equal transformers' own
            post-processing.
        classes: the classes of the masks.
        mapping: of a model with other classes, by `map_classes`; the scores are of the shared classes.
        keywords: single options by their names.

    Raises:
        ConfigError: a wrong option, or `max_side`: the truth has the photo's own size.
        DataError: a row cannot be decoded, or no row has an annotated pixel.
    """
    options = SegmentOptions.of(keywords, options)
    if options.max_side is not None:
        raise ConfigError("Models are scored at the photos' own size, without the option max_side.")
    count = len(rows)
    if mapping is None:
        same = np.arange(256, dtype=np.uint8)
        mapping = ModelMapping(classes.labels, same, same)
    labels, to_shared = mapping.labels, mapping.prediction
    size = len(labels)
    own_size, plain, network_size = (np.zeros((count, size, size), np.int64) for _ in range(3))
    boundary = np.zeros((count, len(TOLERANCES), size))
    calibration, class_calibration = np.zeros((count, BINS, 3)), np.zeros((size, BINS, 3))
    height, width = segmenter.image_size
    with progress_bar(total=count, desc=f"Evaluating {segmenter.name}", unit=" photos", leave=False) as progress:
        for start in range(0, count, batch_size):
            places = range(start, min(start + batch_size, count))
            decoded = [_decoded(rows[index], classes, mapping.truth) for index in places]
            photos = [Image.fromarray(photo) for photo, _ in decoded]
            batch = segmenter.logits(photos)
            for index, photo, (_, truth), logits in zip(range(start, count), photos, decoded, batch, strict=False):
                label_map = to_shared[_label_map(segmenter, photo, logits, options)]
                plain[index], histogram = _of_logits(logits, truth, size, to_shared)
                own_size[index] = confusion_matrix(truth, label_map, size)
                boundary[index] = boundary_f1(truth, label_map, count=size)
                calibration[index] = histogram.sum(axis=0)
                class_calibration += histogram
                small = cv2.resize(truth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
                network_size[index] = confusion_matrix(small, to_shared[winners(logits, (height, width))], size)
                progress.update()
    if not own_size.any():
        raise DataError(
            f"None of the {count} masks has an annotated pixel (other than 255): there is nothing to score."
        )
    ids = list(map(str, rows["id"]))
    return Scores(ids, own_size, network_size, boundary, calibration, class_calibration, plain, labels)


def _decoded(
    row: dict[str, Any], classes: MaskClasses, to_shared: Table
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    photo, truth = decode_row(row, classes)
    return photo, to_shared[truth]


def only_class(scores: Scores) -> str | None:
    """Return the class that every annotated pixel of every photo got although the truth shows others; else None."""
    matrix = scores.own_size.sum(axis=0)
    found, true = np.flatnonzero(matrix.sum(axis=0)), np.flatnonzero(matrix.sum(axis=1))
    return scores.labels.names[found[0]] if len(found) == 1 and set(true) - set(found) else None


def _label_map(
    segmenter: Segmenter, photo: Image.Image, logits: npt.NDArray[np.float32], options: SegmentOptions
) -> npt.NDArray[np.uint8]:
    """Return the user's label map of a photo with known `logits`, if these are what the options start from."""
    if options.tta or options.people == "all":
        return segmenter(photo, options).label_map
    return segmenter.decode(photo, logits, options).label_map


def _of_logits(
    logits: npt.NDArray[np.float32], truth: npt.NDArray[np.uint8], size: int, to_shared: Table
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the confusion matrix (C, C) and reliability histogram (C, 15, 3) of logits of C = `size` classes,
    interpolated to the truth's size."""
    matrix, histogram = np.zeros((size, size), np.int64), np.zeros((size, BINS, 3))
    for window, found, probability in strips(logits, truth.shape):
        labels = to_shared[found]
        matrix += confusion_matrix(truth[window], labels, size)
        histogram += reliability(truth[window], labels, probability, size)
    return matrix, histogram


# Figures of sets of photos: `weights` (r, N) says how often each photo is in each of r sets


def _own_size(scores: Scores, weights: npt.NDArray[np.float64]) -> Figures:
    """Return the figures of `figures_of`, and boundary F1.

    A photo's boundary F1 is the mean over the classes in its truth or prediction, a set's the mean over its photos; a
    class's is the mean over the photos that show it.
    """
    figures = figures_of(_summed(scores.own_size, weights), scores.labels)
    for place, tolerance in enumerate(TOLERANCES):
        of_class, key = scores.boundary[:, place], f"boundary_f1_{tolerance}px"
        with np.errstate(invalid="ignore"):
            of_photo = np.nansum(of_class, axis=1) / (~np.isnan(of_class)).sum(axis=1)
        means = _weighted_mean(np.column_stack([of_photo, of_class]), weights)
        figures |= {key: means[:, 0]}
        figures |= {f"{key}_{name}": means[:, 1 + index] for index, name in enumerate(scores.labels.names)}
    return figures


def _plain(scores: Scores, weights: npt.NDArray[np.float64]) -> Figures:
    return figures_of(_summed(scores.plain, weights), scores.labels)


def _network_size(scores: Scores, weights: npt.NDArray[np.float64]) -> Figures:
    return figures_of(_summed(scores.network_size, weights), scores.labels)


def _calibration(scores: Scores, weights: npt.NDArray[np.float64]) -> Figures:
    return {"ece": calibration_error(_summed(scores.calibration, weights))}


def _summed(counts: npt.NDArray[Any], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return counts (N, ...) summed over each set's photos: (r, ...)."""
    return (weights @ counts.reshape(len(counts), -1)).reshape(-1, *counts.shape[1:])


def _weighted_mean(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the means (r, K) of values (N, K) over each set's photos, ignoring NaN."""
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return (weights @ np.where(defined, values, 0)) / (weights @ defined.astype(np.float64))


FiguresOf = Callable[[Scores, npt.NDArray[np.float64]], Figures]

GROUPS: dict[str, FiguresOf] = {
    "own_size": _own_size,
    "plain": _plain,
    "network_size": _network_size,
    "calibration": _calibration,
}


def report(scores: Scores, resamples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Return all figures with their bootstrap 95 % intervals over photos, ready for JSON.

    Returns:
        `photos`, `resamples`, `seed`; `own_size`, `plain`, `network_size` and `calibration`: name -> figure, undefined
        ones left out; `intervals`: the same four groups, name -> [low, high]; `reliability`: `all` and class names ->
        a line for each of 15 bins, [pixels, share of right ones, mean probability].
    """
    groups, intervals = {}, {}
    for group, figures in GROUPS.items():
        groups[group], intervals[group] = _with_intervals(partial(figures, scores), len(scores.ids), resamples, seed)
    errors, names = calibration_error(scores.class_calibration), scores.labels.names
    groups["calibration"] |= {
        f"ece_{name}": round(float(error), 6) for name, error in zip(names, errors, strict=True) if error == error
    }
    histograms = {"all": scores.calibration.sum(axis=0)} | dict(zip(names, scores.class_calibration, strict=True))
    return {
        "photos": len(scores.ids),
        "resamples": resamples,
        "seed": seed,
        **groups,
        "intervals": intervals,
        "reliability": {name: _bins(histogram) for name, histogram in histograms.items()},
    }


def difference(scores: Scores, other: Scores, resamples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Return the figures of one model minus those of another on the same photos, with intervals of the paired
    difference.

    Both models are resampled with the same photos, so photos that are hard for both do not blur the difference.

    Returns:
        `own_size`, `plain`, `network_size`, `calibration` and `intervals`, as in `report`.

    Raises:
        ValueError: the scores are of different rows.
    """
    if scores.ids != other.ids:
        raise ValueError("the two models were scored on different rows")
    groups, intervals = {}, {}
    for group, figures in GROUPS.items():
        less = partial(_less, figures, scores, other)
        groups[group], intervals[group] = _with_intervals(less, len(scores.ids), resamples, seed)
    return {**groups, "intervals": intervals}


def _less(figures: FiguresOf, scores: Scores, other: Scores, weights: npt.NDArray[np.float64]) -> Figures:
    theirs = figures(other, weights)
    return {key: value - theirs[key] for key, value in figures(scores, weights).items()}


def _with_intervals(
    figures: Callable[[npt.NDArray[np.float64]], Figures], photos: int, resamples: int, seed: int
) -> tuple[dict[str, float], dict[str, list[float]]]:
    found = {key: float(value[0]) for key, value in figures(np.ones((1, photos))).items()}
    values = resampled(figures, photos, resamples, seed)
    defined = {key: round(value, 6) for key, value in found.items() if not np.isnan(value)}
    return defined, {key: [round(bound, 6) for bound in interval(values[key])] for key in defined}


def _bins(histogram: npt.NDArray[np.float64]) -> list[list[float]]:
    pixels = np.maximum(histogram[:, 0], 1)
    return [
        [int(count), round(float(right), 6), round(float(probability), 6)]
        for count, right, probability in zip(
            histogram[:, 0], histogram[:, 1] / pixels, histogram[:, 2] / pixels, strict=True
        )
    ]
