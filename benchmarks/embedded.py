"""The figures by which the embedded model is chosen: a development split, hard views of it, flat-lay photos, two
portraits.

    python -m benchmarks.embedded FOLDER [MODEL ...] --split_file docs/experiments/development-split.json
        [--flat_lay flatlay.parquet --ids docs/experiments/development-flat-lay.txt] [--views]

FOLDER contains the labelled rows; each MODEL is a Hub id, a folder, or embedded (the default). All others are compared
with the first model: paired differences, bootstrap 95 % intervals over photos. The figures of a model that was trained
on the development rows are too good; this script cannot check that.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from PIL import Image
from tqdm.auto import tqdm

from benchmarks.robustness import VIEWS, mean_iou
from clothseg import Segmenter
from clothseg.labels import BACKGROUND, GROUPS, NAMES, NUM_CLASSES, SIDE_PAIRS, ids_of
from clothseg.training.data.decoding import decode_photo, decode_row
from clothseg.training.data.loading import load_splits
from clothseg.training.data.sources import load_unlabelled, read_ids
from clothseg.training.evaluation.bootstrap import interval, resampled
from clothseg.training.evaluation.metrics import confusion_matrix
from clothseg.training.evaluation.scoring import Scores, difference, report, score


EXAMPLES = Path(__file__).parents[1] / "examples"
SHOWN = {
    "grace_hopper.jpg": {"Hat", "Hair", "Face", "Upper-clothes"},
    "astronaut.jpg": {"Hair", "Face", "Upper-clothes"},
}
"""Classes in two well-known portraits: Grace Hopper in uniform, and an astronaut in her suit."""

LEAST = 0.001
"""Least share of a photo for a class to count as found."""

HARD_VIEWS = ("portrait, head and shoulders", "half-length, cropped at the waist", "black and white")
FIGURES = {
    "mean_iou": "mean IoU",
    "overall_accuracy": "overall accuracy",
    "side_accuracy": "right side of shoes and limbs",
    "boundary_f1_2px": "boundary F1, 2 px",
    **{f"iou_{name}": name for name in NAMES},
}


class FlatLay(NamedTuple):
    """Results for N photos of garments without a wearer.

    They are whether the largest garment found is the one shown (N,) float64, and the pixels of the body (N,) and of
    the whole figure (N,).
    """

    right: npt.NDArray[np.float64]
    body: npt.NDArray[np.float64]
    figure: npt.NDArray[np.float64]


def largest_garment(label_map: npt.NDArray[np.uint8]) -> int | None:
    """Return the id of the garment with the most pixels in a label map (H, W); a pair of shoes counts together under
    its left id. None if there is no garment."""
    pixels = np.bincount(label_map.ravel(), minlength=NUM_CLASSES)[:NUM_CLASSES]
    for left, right in SIDE_PAIRS:
        pixels[left], pixels[right] = pixels[left] + pixels[right], 0
    pixels[[BACKGROUND, *ids_of(GROUPS["Body"])]] = 0
    return int(pixels.argmax()) if pixels.any() else None


def flat_lay(segmenter: Segmenter, rows: Dataset) -> FlatLay:
    """Segment photos of garments without a wearer, with the default options; `rows` has `id`, `image` and
    `classes`."""
    found = []
    body = ids_of(GROUPS["Body"])
    for row in tqdm(rows, desc=f"{segmenter.name}, flat lay", unit=" photos", leave=False):
        label_map = segmenter(decode_photo(row["image"], row["id"])).label_map
        pixels = np.bincount(label_map.ravel(), minlength=NUM_CLASSES)
        right = largest_garment(label_map) in row["classes"]
        found.append((right, pixels[body].sum(), pixels[BACKGROUND + 1 :].sum()))
    return FlatLay(*np.array(found, np.float64).T)


def flat_lay_figures(found: FlatLay, weights: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
    """Return shares of photos and of pixels for `weights` (r, N)."""
    return {
        "largest garment right": weights @ found.right / weights.sum(axis=1),
        "body parts, share of the figure": weights @ found.body / np.maximum(weights @ found.figure, 1),
    }


def views(segmenter: Segmenter, rows: Dataset) -> dict[str, tuple[float, float]]:
    """Return the mean IoU of each of `HARD_VIEWS`, and of the whole photo's result on the same pixels."""
    counts = {name: np.zeros((2, NUM_CLASSES, NUM_CLASSES), np.int64) for name in HARD_VIEWS}
    for row in tqdm(rows, desc=f"{segmenter.name}, views", unit=" photos", leave=False):
        photo, truth = decode_row(row)
        whole = segmenter(photo).label_map
        for name in HARD_VIEWS:
            view = VIEWS[name](photo, truth)
            found = segmenter(np.ascontiguousarray(view.photo)).label_map[view.part]
            counts[name][0] += confusion_matrix(view.shown(truth), found)
            counts[name][1] += confusion_matrix(view.shown(truth), view.shown(whole))
    return {name: (mean_iou(seen)[0], mean_iou(whole)[0]) for name, (seen, whole) in counts.items()}


def portraits(segmenter: Segmenter) -> dict[str, tuple[str, str]]:
    """Return the classes of `SHOWN` that are found, present and absent ones, with their shares of the photo."""
    found = {}
    for name, shown in SHOWN.items():
        with Image.open(EXAMPLES / name) as photo:
            label_map = segmenter(photo.convert("RGB")).label_map
        shares = np.bincount(label_map.ravel(), minlength=NUM_CLASSES) / label_map.size
        parts = {NAMES[index]: shares[index] for index in range(1, NUM_CLASSES) if shares[index] >= LEAST}
        there, not_there = (
            ", ".join(f"{part} {share:.1%}" for part, share in parts.items() if (part in shown) == wanted) or "–"
            for wanted in (True, False)
        )
        found[name] = there, not_there
    return found


def with_interval(figures: dict[str, Any], key: str, signed: bool = False) -> str:
    """Return a figure of `report` or `difference` at own size as text, with its interval."""
    if key not in figures["own_size"]:
        return "–"
    low, high = figures["intervals"]["own_size"][key]
    sign = "+" if signed else ""
    return f"{figures['own_size'][key]:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def print_scores(names: list[str], scores: list[Scores], seed: int) -> None:
    """Print a table of `FIGURES`: the first model's, then each other model's with its paired difference."""
    reports = [report(one, seed=seed) for one in scores]
    differences = [difference(one, scores[0], seed=seed) for one in scores[1:]]
    heads = [names[0], *(head for name in names[1:] for head in (name, f"less {names[0]}"))]
    print(f"| | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for key, text in FIGURES.items():
        cells = [with_interval(reports[0], key)]
        for found, less in zip(reports[1:], differences, strict=True):
            cells += [with_interval(found, key), with_interval(less, key, signed=True)]
        print(f"| {text} | {' | '.join(cells)} |")


def short_name(model: str) -> str:
    """Return a model's name in tables: the folder of a run rather than the `model` in it."""
    path = Path(model)
    return path.parent.name if path.name == "model" else path.name


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="*", help="Hub ids, folders, or embedded; default: embedded")
    parser.add_argument("--split_file", help="whose validation rows are scored; default: the data's own validation")
    parser.add_argument("--flat_lay", help="parquet file of garments without a wearer")
    parser.add_argument("--ids", help="text file of the ids of --flat_lay that are scored; default: all")
    parser.add_argument("--views", action="store_true", help="score portraits, half-lengths and grey photos, too")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default 0)")
    options = parser.parse_args(argv)
    models = options.models or ["embedded"]
    segmenters = [Segmenter.from_pretrained(None if model == "embedded" else model) for model in models]
    names = [short_name(model) for model in models]
    rows = load_splits(str(options.folder), split_file=options.split_file).validation
    print(f"{len(rows)} photos of {options.folder.name}, validation of {options.split_file or 'the data set'}\n")
    print_scores(names, [score(segmenter, rows) for segmenter in segmenters], options.seed)
    if options.views:
        print("\n| view | model | mean IoU | whole photo's result on the same pixels | loss |")
        print("|---|---|---|---|---|")
        for name, segmenter in zip(names, segmenters, strict=True):
            for view, (seen, whole) in views(segmenter, rows).items():
                print(f"| {view} | {name} | {seen:.3f} | {whole:.3f} | {whole - seen:.3f} |")
    if options.flat_lay:
        garments = load_unlabelled(options.flat_lay, option="flat_lay")
        if options.ids:
            wanted = set(read_ids(options.ids))
            garments = garments.select([number for number, row_id in enumerate(garments["id"]) if row_id in wanted])
        print(f"\n| {len(garments)} flat-lay photos | model | |\n|---|---|---|")
        for name, segmenter in zip(names, segmenters, strict=True):
            found = flat_lay(segmenter, garments)
            once = flat_lay_figures(found, np.ones((1, len(garments))))
            many = resampled(
                lambda weights, of=found: flat_lay_figures(of, weights), len(garments), 1000, options.seed
            )
            for key, value in once.items():
                low, high = interval(many[key])
                print(f"| {key} | {name} | {value[0]:.1%} ({low:.1%} to {high:.1%}) |")
    print("\n| photo | model | found, present | found, absent |\n|---|---|---|---|")
    for name, segmenter in zip(names, segmenters, strict=True):
        for photo, (there, not_there) in portraits(segmenter).items():
            print(f"| {photo} | {name} | {there} | {not_there} |")


if __name__ == "__main__":
    main()
