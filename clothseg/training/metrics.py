"""Segmentation figures from a confusion matrix: mIoU, mean and overall accuracy, per-class IoU and accuracy.

Definitions are those of `evaluate`'s `mean_iou` script (no label reduced, 255 ignored, classes that neither
truth nor prediction shows left out of the mean), but no script is downloaded and memory does not grow.
"""

from typing import Any

import datasets
import evaluate
import numpy as np
import numpy.typing as npt

from clothseg.labels import IGNORE, NAMES, NUM_CLASSES, SIDE_PAIRS


def confusion_matrix(
    truth: npt.NDArray[Any], prediction: npt.NDArray[Any], num_classes: int = NUM_CLASSES
) -> npt.NDArray[np.int64]:
    """Count pixels by true (rows) and predicted (columns) class.

    Args:
        truth: integer class ids of any shape; 255 is left out.
        prediction: class ids of the same shape, all in [0, num_classes).

    Returns:
        (num_classes, num_classes) int64.

    Raises:
        ValueError: shapes differ, or an id lies outside the classes.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth {truth.shape} and prediction {prediction.shape} differ in shape")
    valid = truth != IGNORE
    rows, columns = truth[valid].astype(np.int64), prediction[valid].astype(np.int64)
    for ids in (rows, columns):
        if ids.size and (ids.min() < 0 or ids.max() >= num_classes):
            raise ValueError(f"class ids must lie in 0..{num_classes - 1}, found {ids.min()}..{ids.max()}")
    counts = np.bincount(rows * num_classes + columns, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def summarize(matrix: npt.NDArray[np.int64]) -> dict[str, float]:
    """Figures of a confusion matrix, flat and named so that logs and cards print them well.

    Returns:
        `mean_iou`, `mean_iou_no_background`, `mean_accuracy`, `overall_accuracy`; `side_accuracy`, the share on the
        right side of the shoe, leg and arm pixels predicted as the right part, where there are any; and for each
        class that the truth or the prediction shows `iou_<name>` and, where the truth shows it, `accuracy_<name>`.
        All in [0, 1].
    """
    hits = np.diag(matrix).astype(np.float64)
    true, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    union = true + predicted - hits
    with np.errstate(invalid="ignore", divide="ignore"):
        iou, accuracy = hits / union, hits / true
        figures = {
            "mean_iou": float(np.nanmean(iou)) if union.any() else float("nan"),
            "mean_iou_no_background": float(np.nanmean(iou[1:])) if union[1:].any() else float("nan"),
            "mean_accuracy": float(np.nanmean(accuracy)) if true.any() else float("nan"),
            "overall_accuracy": float(hits.sum() / matrix.sum()),
        }
    # of the pixels of a shoe, leg or arm that were predicted as that part, the share on the right side
    blocks = [matrix[np.ix_(pair, pair)] for pair in SIDE_PAIRS]
    if found := sum(int(block.sum()) for block in blocks):
        figures["side_accuracy"] = sum(int(np.trace(block)) for block in blocks) / found
    figures |= {f"iou_{name}": float(iou[index]) for index, name in enumerate(NAMES) if union[index]}
    figures |= {f"accuracy_{name}": float(accuracy[index]) for index, name in enumerate(NAMES) if true[index]}
    return figures


class ClothesMetric(evaluate.Metric):
    """The figures of `summarize` as an `evaluate.Metric`, counted as batches come in: `add_batch`, then `compute`."""

    def __init__(self, **kwargs: Any) -> None:
        """Start with nothing counted."""
        super().__init__(**kwargs)
        self._matrix = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)

    def _info(self) -> evaluate.MetricInfo:
        maps = datasets.Sequence(datasets.Sequence(datasets.Value("uint8")))
        return evaluate.MetricInfo(
            description="Mean IoU, mean accuracy and overall accuracy over ATR's 18 classes; 255 is ignored.",
            citation="",
            inputs_description="predictions and references: label maps (H, W) of equal size, class ids 0 to 17.",
            features=datasets.Features({"predictions": maps, "references": maps}),
        )

    def add(self, *, prediction: Any = None, reference: Any = None, **kwargs: Any) -> None:
        """Count one photo's label maps."""
        self._matrix += confusion_matrix(np.asarray(reference), np.asarray(prediction))

    def add_batch(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> None:
        """Count a batch of label maps; maps may differ in size from photo to photo."""
        for prediction, reference in zip(predictions, references, strict=True):
            self.add(prediction=prediction, reference=reference)

    def compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, float]:
        """Figures of all that was counted since the last call, which start afresh."""
        if predictions is not None:
            self.add_batch(predictions=predictions, references=references)
        figures = summarize(self._matrix)
        self._matrix = np.zeros_like(self._matrix)
        return figures
