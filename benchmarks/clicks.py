"""Gain from clicks: a simulated user clicks wrong regions and names their class.

    python -m benchmarks.clicks FOLDER [--split_file docs/experiments/development-split.json] [--model MODEL]
        [--perfect region]

FOLDER contains the labelled rows, or is one parquet file. The user clicks the centre (the point furthest from the
edge) of the largest connected region of one class that has the wrong label, 0 to 10 times. After each click the mean
IoU of all photos (intersections and unions are summed), its mean over photos (over the classes in the photo or its
result) and boundary F1 at 2 px are measured. The number of clicks (NoC) is defined as in papers on interactive
segmentation: the mean number of clicks that a photo takes to reach a mean IoU; photos that do not reach it count with
the largest number.
"""

import argparse
import time
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm.auto import tqdm

from clothseg import Click, Segmentation, Segmenter
from clothseg.labels import IGNORE, NAMES, NUM_CLASSES
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits
from clothseg.training.evaluation.boundary import boundary_f1
from clothseg.training.evaluation.metrics import confusion_matrix, figures_of


Labels = npt.NDArray[np.uint8]

MOST = 10
"""Number of clicks on each photo."""

GOALS = (0.8, 0.9)


class Clicked(NamedTuple):
    """Measurements of N photos after 0 to K clicks.

    Attributes:
        counts: (N, K + 1, 18, 18) confusion matrices.
        boundary: (N, K + 1, 18) boundary F1, NaN for classes in neither map.
        seconds: processor time of each click.
    """

    counts: npt.NDArray[np.int64]
    boundary: npt.NDArray[np.float64]
    seconds: list[float]


def next_click(truth: Labels, found: Labels) -> Click | None:
    """Return where the simulated user clicks; None if everything is right."""
    wrong = (truth != found) & (truth != IGNORE)
    largest, click = 0, None
    for class_id in np.unique(truth[wrong]).tolist():
        mask = (wrong & (truth == class_id)).view(np.uint8)
        _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        number = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        if stats[number, cv2.CC_STAT_AREA] > largest:
            largest = int(stats[number, cv2.CC_STAT_AREA])
            piece = np.pad((pieces == number).view(np.uint8), 1)
            row, column = np.unravel_index(cv2.distanceTransform(piece, cv2.DIST_L2, 5).argmax(), piece.shape)
            click = Click(int(column) - 1, int(row) - 1, NAMES[class_id])
    return click


def perfect_answer(result: Segmentation, truth: Labels, click: Click, kind: str) -> Segmentation:
    """Return the result after a click whose answer is right: an upper bound.

    Args:
        result: before the click.
        truth: (H, W) true class ids.
        click: where something is wrong.
        kind: what becomes right. "region": the connected wrong region of the class; "pair": all that was taken for the
            one or the other of the click's class and the class that it replaces; "class": the class everywhere.
    """
    found, class_id = result.label_map, NAMES.index(click.label)
    before = int(found[click.y, click.x])
    if kind == "class":
        return result.paint(truth == class_id, click.label)
    if kind == "region":
        _, pieces = cv2.connectedComponents(((truth == class_id) & (found != class_id)).view(np.uint8), connectivity=4)
        return result.paint(pieces == pieces[click.y, click.x], click.label)
    either = np.isin(found, (class_id, before))
    for each in (class_id, before):
        result = result.paint(either & (truth == each), NAMES[each])
    return result


def click_through(
    segmenter: Segmenter, rows: list[tuple[Labels, Labels]], most: int = MOST, perfect: str | None = None
) -> Clicked:
    """Click through photos and their truth, with the segmenter's answers or with a kind of `perfect_answer`."""
    counts = np.zeros((len(rows), most + 1, NUM_CLASSES, NUM_CLASSES), np.int64)
    boundary, seconds = np.full((len(rows), most + 1, NUM_CLASSES), np.nan), []
    for index, (photo, truth) in enumerate(tqdm(rows, unit=" photos", leave=False)):
        result = segmenter(Image.fromarray(photo))
        for number in range(most + 1):
            counts[index, number] = confusion_matrix(truth, result.label_map)
            boundary[index, number] = boundary_f1(truth, result.label_map, (2,))[0]
            click = next_click(truth, result.label_map)
            if click is None or number == most:
                counts[index, number:] = counts[index, number]
                boundary[index, number:] = boundary[index, number]
                break
            start = time.process_time()
            if perfect:
                result = perfect_answer(result, truth, click, perfect)
            else:
                result = segmenter.refine(result, [click])
            seconds.append(time.process_time() - start)
    return Clicked(counts, boundary, seconds)


def clicks_to_reach(photo_iou: npt.NDArray[np.float64], goal: float) -> tuple[float, int]:
    """Return the mean number of clicks of photos (N, K + 1) to a goal, and how many photos do not reach it."""
    reached = photo_iou >= goal
    needed = np.where(reached.any(axis=1), reached.argmax(axis=1), photo_iou.shape[1] - 1)
    return float(needed.mean()), int((~reached.any(axis=1)).sum())


def print_table(found: Clicked) -> None:
    """Print the measurements."""
    overall = figures_of(found.counts.sum(axis=0))["mean_iou"]
    photos = figures_of(found.counts)["mean_iou"]
    with np.errstate(invalid="ignore"):
        edges = np.nanmean(np.nanmean(found.boundary, axis=0), axis=-1)
    print("| clicks | mean IoU | mean IoU of a photo | boundary F1, 2 px |\n|---|---|---|---|")
    for number in range(len(overall)):
        print(f"| {number} | {overall[number]:.3f} | {photos[:, number].mean():.3f} | {edges[number]:.3f} |")
    for goal in GOALS:
        mean, never = clicks_to_reach(photos, goal)
        print(f"\nNoC@{goal:.2f}: {mean:.2f} clicks; {never} of {len(photos)} photos do not reach it.")
    times = 1000 * np.array(found.seconds)
    median, most = np.percentile(times, (50, 95))
    print(f"\n{len(times)} clicks, {median:.0f} ms of processor time each (median), {most:.0f} ms (95 %).")


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="of the labelled rows, or a parquet file")
    parser.add_argument("--split_file", help="whose validation rows are clicked; default: the data's own validation")
    parser.add_argument("--model", help="Hub id or folder; default: embedded")
    parser.add_argument("--clicks", type=int, default=MOST, help=f"on each photo (default {MOST})")
    parser.add_argument("--perfect", choices=("region", "pair", "class"), help="upper bound: what a click makes right")
    parser.add_argument("--limit", type=int, help="so many photos alone")
    options = parser.parse_args(argv)
    rows = load_splits(options.folder, split_file=options.split_file).validation
    rows = rows.select(range(min(len(rows), options.limit or len(rows))))
    segmenter = Segmenter.from_pretrained(options.model)
    print(f"{segmenter.name}, {len(rows)} photos, validation of {options.split_file or options.folder}\n")
    print_table(click_through(segmenter, [decode_row(row) for row in rows], options.clicks, options.perfect))


if __name__ == "__main__":
    main()
