"""Segmentation figures from a confusion matrix: mIoU, mean and overall accuracy, per-class IoU and accuracy.

Definitions are those of `evaluate`'s `mean_iou` script (no label reduced, 255 ignored, classes that neither
truth nor prediction shows left out of the mean), but no script is downloaded and memory does not grow.
"""

from typing import Any

import datasets
import evaluate
import numpy as np
import numpy.typing as npt

from clothseg.labels import ATR, IGNORE, NUM_CLASSES, LabelSet
from clothseg.labels.roles import part_of


_PIECE = 1 << 20
"""Pixels counted at once; bincount needs eight bytes a pixel."""


def confusion_matrix(
    truth: npt.NDArray[Any], prediction: npt.NDArray[Any], num_classes: int = NUM_CLASSES
) -> npt.NDArray[np.int64]:
    """Count pixels by true (rows) and predicted (columns) class.

    Args:
        truth: integer class ids of any shape; 255 is left out.
        prediction: class ids of the same shape, all in [0, num_classes).
        num_classes: at most 255.

    Returns:
        (num_classes, num_classes) int64.

    Raises:
        ValueError: shapes differ, or an id lies outside the classes.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth {truth.shape} and prediction {prediction.shape} differ in shape")
    for ids, largest in ((truth, IGNORE), (prediction, num_classes - 1)):
        if ids.size and (ids.min() < 0 or ids.max() > largest):
            raise ValueError(f"class ids must lie in 0..{num_classes - 1}, found {ids.min()}..{ids.max()}")
    # Rows for all 256 values, 255 among them: picking the annotated pixels out first takes nine times as long.
    counts = np.zeros((IGNORE + 1, num_classes), np.int64)
    rows, columns = truth.reshape(-1), prediction.reshape(-1)
    for start in range(0, rows.size, _PIECE):
        pair = rows[start : start + _PIECE].astype(np.uint16)
        pair *= np.uint16(num_classes)
        pair += columns[start : start + _PIECE].astype(np.uint16)
        counts += np.bincount(pair, minlength=counts.size).reshape(counts.shape)
    if counts[num_classes:IGNORE].any():
        raise ValueError(f"class ids must lie in 0..{num_classes - 1}, or be {IGNORE} in the truth")
    return counts[:num_classes]


def figures_of(matrices: npt.NDArray[Any], labels: LabelSet = ATR) -> dict[str, npt.NDArray[np.float64]]:
    """Return all figures of one or many confusion matrices.

    Args:
        matrices: (..., C, C) pixel counts, truth in rows and prediction in columns.
        labels: the C classes.

    Returns:
        Name -> values (...) in [0, 1], NaN for undefined figures:

        - `mean_iou`, `mean_iou_no_background`, `mean_f1`: over the classes that truth or prediction shows;
          `mean_accuracy`: over those that the truth shows; `overall_accuracy`: share of right pixels;
        - `side_accuracy`: share on the right side of the pixels of left/right pairs that are predicted as the right
          part; `side_accuracy_<part>`: for one pair, such as shoe, leg or arm; `side_accuracy_<name>`: for the true
          pixels of one class. Label sets without pairs have none of them;
        - `iou_<name>`, `accuracy_<name>` (recall), `precision_<name>`, `f1_<name>` (which is Dice) for each class.
    """
    hits = np.diagonal(matrices, axis1=-2, axis2=-1).astype(np.float64)
    true, predicted = matrices.sum(axis=-1), matrices.sum(axis=-2)
    iou = _ratio(hits, true + predicted - hits)
    each = {
        "iou": iou,
        "accuracy": _ratio(hits, true),
        "precision": _ratio(hits, predicted),
        "f1": _ratio(2 * hits, true + predicted),
    }
    figures = {
        "mean_iou": _mean(iou),
        "mean_iou_no_background": _mean(iou[..., 1:]),
        "mean_accuracy": _mean(each["accuracy"]),
        "mean_f1": _mean(each["f1"]),
        "overall_accuracy": _ratio(hits.sum(axis=-1), true.sum(axis=-1)),
    }
    sides = {}
    right = found = np.zeros(hits.shape[:-1])
    for pair in labels.pairs:
        block = matrices[..., pair, :][..., pair]
        on_side, as_part = np.diagonal(block, axis1=-2, axis2=-1), block.sum(axis=-1)
        sides[f"side_accuracy_{pair_name(pair, labels)}"] = _ratio(on_side.sum(axis=-1), as_part.sum(axis=-1))
        for place, index in enumerate(pair):
            sides[f"side_accuracy_{labels.names[index]}"] = _ratio(on_side[..., place], as_part[..., place])
        right, found = right + on_side.sum(axis=-1), found + as_part.sum(axis=-1)
    if labels.pairs:
        figures |= {"side_accuracy": _ratio(right, found)} | sides
    for kind, values in each.items():
        figures |= {f"{kind}_{name}": values[..., index] for index, name in enumerate(labels.names)}
    return figures


def pair_name(pair: tuple[int, int], labels: LabelSet = ATR) -> str:
    """Return the name of a left/right pair of ids without its side, such as shoe, leg or arm."""
    return part_of(labels.names[pair[0]])


def _ratio(part: Any, whole: Any) -> npt.NDArray[np.float64]:
    """Return `part` / `whole`, NaN where `whole` is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.true_divide(part, whole))


def _mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean over the last axis of defined values; NaN if there are none (numpy's nanmean would warn)."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1))


def summarize(matrix: npt.NDArray[np.int64], labels: LabelSet = ATR) -> dict[str, float]:
    """Return the figures of `figures_of` for a log or a card, as a flat dictionary.

    Returns:
        `mean_iou`, `mean_iou_no_background`, `mean_accuracy` and `overall_accuracy`; and where they are defined
        `side_accuracy`, `iou_<name>` and `accuracy_<name>`. All in [0, 1].
    """
    totals = ("mean_iou", "mean_iou_no_background", "mean_accuracy", "overall_accuracy")
    wanted = ("side_accuracy", *(f"{kind}_{name}" for kind in ("iou", "accuracy") for name in labels.names))
    found = {key: float(value) for key, value in figures_of(matrix, labels).items()}
    return {key: found[key] for key in totals} | {
        key: found[key] for key in wanted if not np.isnan(found.get(key, np.nan))
    }


class ClothesMetric(evaluate.Metric):
    """The figures of `summarize` as an `evaluate.Metric`, counted batch by batch: `add_batch`, then `compute`."""

    def __init__(self, labels: LabelSet = ATR, **kwargs: Any) -> None:
        """Start without counts of the classes of `labels`."""
        self._labels = labels
        super().__init__(**kwargs)
        self._matrix = np.zeros((len(labels), len(labels)), np.int64)

    def _info(self) -> evaluate.MetricInfo:
        maps = datasets.Sequence(datasets.Sequence(datasets.Value("uint8")))
        return evaluate.MetricInfo(
            description="Mean IoU, mean accuracy and overall accuracy over all classes; 255 is ignored.",
            citation="",
            inputs_description=f"predictions and references: label maps (H, W) of {len(self._labels)} classes.",
            features=datasets.Features({"predictions": maps, "references": maps}),
        )

    def add(self, *, prediction: Any = None, reference: Any = None, **kwargs: Any) -> None:
        """Count one photo's label maps."""
        self._matrix += confusion_matrix(np.asarray(reference), np.asarray(prediction), len(self._labels))

    def add_batch(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> None:
        """Count a batch of label maps; maps may differ in size from photo to photo."""
        for prediction, reference in zip(predictions, references, strict=True):
            self.add(prediction=prediction, reference=reference)

    def compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, float]:
        """Return the figures of everything counted since the last call, and start again."""
        if predictions is not None:
            self.add_batch(predictions=predictions, references=references)
        figures = summarize(self._matrix, self._labels)
        self._matrix = np.zeros_like(self._matrix)
        return figures
