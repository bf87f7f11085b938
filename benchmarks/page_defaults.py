"""Effect of the page's default settings: mean IoU with and without each, on single photos and on pairs of people.

    python -m benchmarks.page_defaults FOLDER [--split_file docs/experiments/development-split.json] [--model MODEL]

FOLDER contains the labelled rows, or is one parquet file. Pairs are photos next to each other, drawn with seed 0. Each
line of the table is a setting; intervals are of its paired difference to the API's defaults, by bootstrap over photos
(1,000 resamples, seed 0). "Specks" is the IoU of the union of all garments, without and with the option `drop_specks`
of cut-outs.
"""

import argparse

import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from benchmarks.people import side_by_side
from clothseg import CutoutOptions, Segmenter, SegmentOptions
from clothseg.labels import IGNORE, ids_of
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits
from clothseg.training.evaluation.bootstrap import bootstrap_weights, interval
from clothseg.training.evaluation.metrics import confusion_matrix, figures_of


Picture = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
"""A photo (H, W, 3) and its class ids (H, W)."""

SETTINGS = {
    "API defaults": SegmentOptions(),
    "rules (the page)": SegmentOptions(rules=True),
    "people, rules": SegmentOptions(people="all", rules=True),
}


def mean_iou(weights: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the mean IoU (R,) of confusion matrices (N, 18, 18) summed with weights (R, N)."""
    return np.asarray(figures_of(np.tensordot(weights, counts, 1))["mean_iou"], np.float64)


def print_settings(segmenter: Segmenter, pictures: list[Picture]) -> None:
    """Print a row for each setting."""
    counts = {
        name: np.stack(
            [
                confusion_matrix(truth, segmenter(photo, options).label_map)
                for photo, truth in tqdm(pictures, desc=name, leave=False)
            ]
        )
        for name, options in SETTINGS.items()
    }
    once, drawn = np.ones((1, len(pictures))), np.concatenate(list(bootstrap_weights(len(pictures), 1000, 0)))
    usual = counts["API defaults"]
    print("| setting | mean IoU | difference | interval |\n|---|---|---|---|")
    for name, matrices in counts.items():
        (value,), (change,) = mean_iou(once, matrices), mean_iou(once, matrices) - mean_iou(once, usual)
        low, high = interval(mean_iou(drawn, matrices) - mean_iou(drawn, usual))
        print(f"| {name} | {value:.4f} | {change:+.4f} | {low:+.4f} to {high:+.4f} |")


def garment_iou(segmenter: Segmenter, pictures: list[Picture], drop_specks: bool) -> float:
    """Return the IoU of the cut-out of all garments, with intersections and unions summed over photos."""
    options, shared, joined = CutoutOptions(drop_specks=drop_specks), 0, 0
    for photo, truth in tqdm(pictures, leave=False):
        cutout = segmenter(photo).cutout("All garments", options=options)
        kept = (np.asarray(cutout.getchannel("A")) >= 128) & (truth != IGNORE)
        garment = np.isin(truth, ids_of(["All garments"]))
        shared += int(np.count_nonzero(kept & garment))
        joined += int(np.count_nonzero(kept | garment))
    return shared / joined


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="folder of a data set, or one parquet file")
    parser.add_argument("--split_file", help="whose validation rows are used; default: the data's own validation")
    parser.add_argument("--model", help="Hub id or folder; default: the embedded weights")
    parser.add_argument("--pairs", type=int, default=30, help="pictures of two people (default 30)")
    options = parser.parse_args(argv)
    segmenter = Segmenter.from_pretrained(options.model)
    rows = [decode_row(row) for row in load_splits(options.folder, split_file=options.split_file).validation]
    singles = [(np.asarray(image), np.asarray(mask)) for image, mask in rows]
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(options.pairs):
        chosen = rng.choice(len(singles), 2, replace=False)
        picture = side_by_side([singles[index] for index in chosen], rng)
        pairs.append((picture.photo, picture.truth))
    print(f"{segmenter.name}, {len(singles)} photos of {options.split_file or options.folder}\n")
    print_settings(segmenter, singles)
    print(f"\n{len(pairs)} pairs side by side\n")
    print_settings(segmenter, pairs)
    without, with_it = (garment_iou(segmenter, singles, drop) for drop in (False, True))
    print(f"\nSpecks: {without:.4f} without drop_specks, {with_it:.4f} with it")


if __name__ == "__main__":
    main()
