"""The option people: composites of 2 to 5 people made from validation photos, with known truth.

    python -m benchmarks.people FOLDER [MODEL] [--pictures N] [--save FOLDER]

FOLDER contains validation.parquet. MODEL is a Hub id or folder, by default the embedded weights. "Side by side" places
whole photos next to each other; "overlapping" pastes figures by their masks on a plain background, each over a quarter
to half of the one before. Each composite is segmented in one pass and with people="all"; intervals are of the
difference in mIoU, by bootstrap over composites (1,000 resamples, seed 0). An item is a class on a person with at
least 0.05 % of the composite. It is found if a tenth of it has its class, and right if most of these pixels have its
wearer. True and found people are matched so that they share the most pixels. The last line counts how often one person
was found in the photos themselves, which show one person each.
"""

import argparse
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.optimize import linear_sum_assignment
from tqdm.auto import tqdm

from clothseg import Segmenter
from clothseg.labels import BACKGROUND, IGNORE, NUM_CLASSES
from clothseg.outputs.render import overlay
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits
from clothseg.training.evaluation.bootstrap import bootstrap_weights, interval
from clothseg.training.evaluation.metrics import confusion_matrix, summarize


Labels = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.uint8]

HEIGHT = 480


class Picture(NamedTuple):
    """(H, W, 3) uint8 photo, its (H, W) class ids, and the person of each pixel (0 for nobody)."""

    photo: Pixels
    truth: Labels
    person_map: Labels


def side_by_side(shots: list[tuple[Pixels, Labels]], rng: np.random.Generator) -> Picture:
    """Place whole photos next to each other."""
    parts = [_scaled(*shot, HEIGHT / shot[1].shape[0]) for shot in shots]
    truth = np.hstack([labels for _, labels in parts])
    numbers = np.hstack([np.full_like(labels, number) for number, (_, labels) in enumerate(parts, 1)])
    return Picture(np.hstack([photo for photo, _ in parts]), truth, _worn(truth, numbers))


def overlapping(shots: list[tuple[Pixels, Labels]], rng: np.random.Generator) -> Picture:
    """Paste figures of 75 to 95 % of the height, each over a quarter to half of the one before, in random depth
    order."""
    figures = []
    for photo, labels in shots:
        rows, columns = np.nonzero((labels != BACKGROUND) & (labels != IGNORE))
        box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
        figures.append(_scaled(photo[box], labels[box], rng.uniform(0.75, 0.95) * HEIGHT / (np.ptp(rows) + 1)))
    lefts = [20]
    for (_, before), (_, labels) in pairwise(figures):
        share = rng.uniform(0.25, 0.5)
        lefts.append(lefts[-1] + before.shape[1] - round(share * min(before.shape[1], labels.shape[1])))
    width = max(left + labels.shape[1] for left, (_, labels) in zip(lefts, figures, strict=True)) + 20
    ground = np.median(shots[0][0][shots[0][1] == BACKGROUND], axis=0)
    picture = Picture(
        np.broadcast_to(ground, (HEIGHT, width, 3)).astype(np.uint8),
        np.zeros((HEIGHT, width), np.uint8),
        np.zeros((HEIGHT, width), np.uint8),
    )
    for index in rng.permutation(len(figures)):
        photo, labels = figures[index]
        top = HEIGHT - 10 - labels.shape[0]
        place = slice(top, top + labels.shape[0]), slice(lefts[index], lefts[index] + labels.shape[1])
        figure = labels != BACKGROUND
        for target, values in zip(picture, (photo, labels, np.full_like(labels, index + 1)), strict=True):
            target[place][figure] = values[figure]
    return picture


KINDS = {"side by side": side_by_side, "overlapping": overlapping}


def _scaled(photo: Pixels, labels: Labels, factor: float) -> tuple[Pixels, Labels]:
    size = round(labels.shape[1] * factor), round(labels.shape[0] * factor)
    return (
        np.asarray(Image.fromarray(photo).resize(size)),
        np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)),
    )


def _worn(truth: Labels, numbers: Labels) -> Labels:
    return np.where((truth == BACKGROUND) | (truth == IGNORE), np.uint8(0), numbers)


def items(picture: Picture, labels: Labels, person_map: Labels) -> tuple[int, int, int]:
    """Return how many items the composite has, how many were found, and how many of these have the right wearer."""
    people, found = int(picture.person_map.max()), max(1, int(person_map.max()))
    shared = np.zeros((people, found))
    for one in range(people):
        shared[one] = np.bincount(person_map[picture.person_map == one + 1], minlength=found + 1)[1 : found + 1]
    match = dict(zip(*linear_sum_assignment(-shared), strict=True))
    counts = [0, 0, 0]
    for one in range(people):
        for class_id in range(1, NUM_CLASSES):
            item = (picture.person_map == one + 1) & (picture.truth == class_id)
            size = np.count_nonzero(item)
            if size < 5e-4 * item.size:
                continue
            seen = item & (labels == class_id)
            known = np.count_nonzero(seen) >= 0.1 * size
            right = known and np.mean(person_map[seen] == match.get(one, -2) + 1) > 0.5
            counts = [total + value for total, value in zip(counts, (1, known, right), strict=True)]
    return counts[0], counts[1], counts[2]


def main() -> None:
    """Print a line for each kind of composite and number of people."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", nargs="?", help="Hub id or folder; default: the embedded weights")
    parser.add_argument("--pictures", type=int, default=10, help="of each kind and number (default 10)")
    parser.add_argument("--save", type=Path, help="folder for pictures of what was found")
    options = parser.parse_args()
    segmenter = Segmenter.from_pretrained(options.model)
    rows = load_splits(str(options.folder), None, 0.1, 0).validation
    shots = [decode_row(row) for row in rows]
    rng = np.random.default_rng(0)
    print(f"{len(rows)} photos, {options.pictures} pictures of each kind, {segmenter.name}\n")
    print(
        "| composite | people | correct number | mIoU, one pass | people=all | difference | items found "
        "| with the right wearer |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for kind, make in KINDS.items():
        for people in range(2, 6):
            matrices, right, counts = [], 0, np.zeros(3, int)
            for number in tqdm(range(options.pictures), leave=False):
                chosen = rng.choice(len(shots), people, replace=False)
                picture = make([shots[index] for index in chosen], rng)
                one, every = segmenter(picture.photo), segmenter(picture.photo, people="all")
                assert every.person_map is not None
                right += len(every.people) == people
                counts += items(picture, every.label_map, every.person_map)
                matrices.append([confusion_matrix(picture.truth, each.label_map) for each in (one, every)])
                if options.save:
                    _save(options.save / f"{kind} {people} {number}.png".replace(" ", "-"), picture, every.person_map)
            pair = np.array(matrices)  # (pictures, 2, 18, 18)
            before, after = (_mean_iou(matrix) for matrix in pair.sum(axis=0))
            weights = np.concatenate(list(bootstrap_weights(len(pair), 1000, 0)))
            drawn = [np.tensordot(weight, pair, 1) for weight in weights]
            low, high = interval(np.array([_mean_iou(two[1]) - _mean_iou(two[0]) for two in drawn]))
            print(
                f"| {kind} | {people} | {right} of {len(pair)} | {before:.3f} | {after:.3f} | {after - before:+.3f} "
                f"({low:+.3f} to {high:+.3f}) | {counts[1]} of {counts[0]} | {counts[2] / max(1, counts[1]):.3f} |"
            )
    alone = [len(segmenter(photo, people="all").people) for photo, _ in tqdm(shots, leave=False)]
    print(f"\nPhotos of one person: one found in {alone.count(1)} of {len(alone)}.")


def _mean_iou(matrix: npt.NDArray[np.float64] | npt.NDArray[np.int64]) -> float:
    return summarize(np.rint(matrix).astype(np.int64))["mean_iou"]


def _save(path: Path, picture: Picture, person_map: Labels) -> None:
    """Save the picture, with the found people as colours over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = overlay(picture.photo, (person_map * 4 % NUM_CLASSES).astype(np.uint8), 0.6)
    Image.fromarray(np.hstack([picture.photo, shown])).save(path)


if __name__ == "__main__":
    main()
