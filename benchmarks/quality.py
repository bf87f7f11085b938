"""Score a model on held-out photos at their own size, with bootstrap 95 % intervals over photos.

    python -m benchmarks.quality FOLDER [--model NAME_OR_PATH]

FOLDER holds train.parquet (not scored) and validation.parquet. One forward pass, no test-time averaging; all 18
classes in the mean; pixels labelled 255 and absent classes left out. Without --model: the embedded weights.
"""

import argparse

import numpy as np

from clothseg import Segmenter
from clothseg.labels import NAMES
from clothseg.training.data import load_splits
from clothseg.training.evaluation import confusion_matrices
from clothseg.training.metrics import summarize


RESAMPLES, SEED = 1000, 0
TOTALS = {
    "mean_iou": "mean IoU",
    "mean_iou_no_background": "mean IoU without Background",
    "mean_accuracy": "mean accuracy",
    "overall_accuracy": "overall accuracy",
    "side_accuracy": "right side",
}


def main() -> None:
    """Print one table: totals first, then each class's IoU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--model")
    arguments = parser.parse_args()

    rows = load_splits(arguments.folder, None, 0.1, 0).validation
    matrices = confusion_matrices(Segmenter.from_pretrained(arguments.model), rows)
    figures = summarize(matrices.sum(axis=0))
    rng = np.random.default_rng(SEED)
    samples = [
        summarize(matrices[rng.integers(0, len(matrices), len(matrices))].sum(axis=0)) for _ in range(RESAMPLES)
    ]
    print(f"{len(rows)} photos, {RESAMPLES} resamples, seed {SEED}\n")
    print("| figure | value | 95 % interval |\n|---|---|---|")
    for key, label in (TOTALS | {f"iou_{name}": f"IoU {name}" for name in NAMES}).items():
        if key in figures:
            low, high = np.nanpercentile([sample.get(key, np.nan) for sample in samples], [2.5, 97.5])
            print(f"| {label} | {figures[key]:.3f} | {low:.3f} – {high:.3f} |")


if __name__ == "__main__":
    main()
