"""Effect of guided edges, test-time augmentation and rules, and of other methods that were tried, also by class.

    python -m benchmarks.postprocessing FOLDER [MODEL] [--time [MEGAPIXELS]] [--against MODEL]

FOLDER contains validation.parquet. MODEL is a Hub id or folder, by default the embedded weights. The settings of the
guided filter were chosen on the rows with even numbers, so figures are printed for both halves. Intervals are of the
paired difference to the plain result, or to "edges" where edges are combined with priors, by bootstrap over photos
(1,000 resamples, seed 0). Figures are at the photos' own size. --time prints the time of each option at 2 megapixels
relative to forward passes, and how much longer guided edges take than plain ones: medians of interleaved rounds.
Passes are those of the model with its usual engine, and of the models after --against with OpenVINO and PyTorch; by
default a SegFormer B2 with random weights, which takes as long as a trained one.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm.auto import tqdm

from benchmarks.contenders import write_b2, write_photos
from clothseg import Segmenter
from clothseg.labels import LABEL2ID, NAMES, NUM_CLASSES, SWAP_SIDES
from clothseg.postprocess import cleanup, guided_edges
from clothseg.postprocess.decoding import decode_logits
from clothseg.postprocess.guided_edges import follow_edges
from clothseg.postprocess.softmax import as_logits, softmax
from clothseg.postprocess.tta import average_probabilities
from clothseg.postprocess.upsample import winners
from clothseg.training.data.decoding import decode_mask, decode_row
from clothseg.training.data.loading import load_splits
from clothseg.training.evaluation.bootstrap import interval, resampled
from clothseg.training.evaluation.boundary import boundary_f1
from clothseg.training.evaluation.metrics import confusion_matrix
from clothseg.training.evaluation.scoring import GROUPS, Scores
from clothseg.training.losses import frequency_weights


Labels = npt.NDArray[np.uint8]
OWN_SIZE = GROUPS["own_size"]
TOTALS = ("mean_iou", "mean_f1", "overall_accuracy", "side_accuracy", "boundary_f1_2px", "boundary_f1_5px")
ENGINES = ("openvino", "torch")
ROUNDS = 15
WEIGHT_CAP = 2.5  # of the embedded model's training: clothseg/training/presets/lite-taught.yaml


def rank(logits: npt.NDArray[np.float32], size: tuple[int, int]) -> Labels:
    """Maximise each class's expected Dice in the photo: Dai and Li, "RankSEG" (JMLR 24, 2023).

    The expectation of a ratio is approximated by the ratio of expectations, and pixels claimed by several classes go
    to the one whose Dice gains most, as in Wang and Dai, "RankSEG-RMA" (NeurIPS 2025).
    """
    shares = softmax(np.stack([cv2.resize(plane, size[::-1]) for plane in logits])).reshape(len(logits), -1)
    gains = np.full_like(shares, -np.inf)
    for gain, share in zip(gains, shares, strict=True):
        if share.max() <= 0.5:
            continue
        ordered = np.sort(share)[::-1]
        taken, expected = np.arange(1, len(ordered) + 1), ordered.sum(dtype=np.float64)
        dice = 2 * np.cumsum(ordered, dtype=np.float64) / (taken + expected + 1)
        best = int(dice.argmax())
        gain[:] = (2 * share - dice[best]) / (best + expected + 2)
    return gains.argmax(axis=0).reshape(size).astype(np.uint8)


def one_face(label_map: Labels) -> None:
    """Remove all pieces of Face except the largest."""
    for piece in list(cleanup.pieces(label_map, (LABEL2ID["Face"],)))[1:]:
        cleanup.dissolve(label_map, piece)


def shoes_by_legs(label_map: Labels) -> None:
    """Give a shoe the side of the leg that it touches, if it touches only one side's leg."""
    for shoe, leg in (("Left-shoe", "Left-leg"), ("Right-shoe", "Right-leg")):
        own, other = LABEL2ID[leg], int(SWAP_SIDES[LABEL2ID[leg]])
        for piece in list(cleanup.pieces(label_map, (LABEL2ID[shoe],))):
            counts = np.bincount(piece.around, minlength=NUM_CLASSES)
            if counts[other] and not counts[own]:
                label_map[piece.box][piece.inside] = SWAP_SIDES[LABEL2ID[shoe]]


def fitted_on(side: int, logits: npt.NDArray[np.float32], photo: Labels) -> Labels:
    """Return guided edges that were fitted on a copy of another size."""
    with patch.object(guided_edges, "FIT_SIDE", side):
        return follow_edges(logits, photo)


def by_rule(label_map: Labels, rule: Callable[[Labels], None]) -> Labels:
    """Return a copy to which the rule was applied."""
    changed = label_map.copy()
    rule(changed)
    return changed


def variants(segmenter: Segmenter, photo: Labels, weights: npt.NDArray[np.float32]) -> dict[str, Labels]:
    """Return the photo's label map by each method; the first is the plain one."""
    size, picture = photo.shape[:2], Image.fromarray(photo)
    logits = segmenter.logits([picture])[0]
    mirror = as_logits(average_probabilities(segmenter.logits, segmenter.image_size, picture, (1.0,)))
    average = as_logits(average_probabilities(segmenter.logits, segmenter.image_size, picture))
    plain, guided = winners(logits, size), follow_edges(logits, photo)
    both = follow_edges(average, photo)
    priors = np.log(weights)[:, None, None]
    return {
        "plain": plain,
        "edges": guided,
        "tta": winners(average, size),
        "tta, one size": winners(mirror, size),
        "rules": cleanup.apply_cleanup(plain),
        "edges + rules": cleanup.apply_cleanup(guided),
        "edges + tta": both,
        "edges + tta + rules": cleanup.apply_cleanup(both),
        "rule: specks": by_rule(plain, cleanup.drop_specks),
        "rule: strays": by_rule(plain, cleanup.drop_strays),
        "rule: hats and glasses": by_rule(plain, cleanup.keep_on_head),
        "left out: one face": by_rule(plain, one_face),
        "left out: shoes by legs": by_rule(plain, shoes_by_legs),
        "left out: priors, half": winners(logits - priors / 2, size),
        "left out: priors": winners(logits - priors, size),
        "left out: RankSEG": rank(logits, size),
        "left out: edges + priors, half": follow_edges(logits - priors / 2, photo),
        "left out: edges + priors": follow_edges(logits - priors, photo),
        "left out: edges by a copy of 214 pixels": fitted_on(214, logits, photo),
        "left out: edges by a copy of 160 pixels": fitted_on(160, logits, photo),
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", nargs="?", help="Hub id or folder; default: the embedded weights")
    parser.add_argument("--time", type=float, nargs="?", const=2.0, help="print times instead, at so many megapixels")
    parser.add_argument("--against", nargs="*", default=[], help="with --time: models instead of a random B2")
    options = parser.parse_args()
    segmenter = Segmenter.from_pretrained(options.model, device="cpu")
    splits = load_splits(str(options.folder), None, 0.1, 0)
    if options.time:
        with TemporaryDirectory() as folder:
            b2 = Path(folder) / "SegFormer-B2"
            if not options.against:
                write_b2(b2, map(Path, write_photos(Path(folder) / "photos", 640)))
            others = [
                Segmenter.from_pretrained(str(model), engine=each)
                for model in options.against or [b2]
                for each in ENGINES
            ]
            print_times(segmenter, others, decode_row(splits.validation[0])[0], options.time)
        return
    pixels = sum(np.bincount(decode_mask(row["mask"], row["id"]).ravel(), minlength=256) for row in splits.train)
    weights = frequency_weights(np.asarray(pixels)[:NUM_CLASSES], WEIGHT_CAP).numpy()

    changes: dict[str, npt.NDArray[np.int64]] = {}
    matrices: dict[str, list[npt.NDArray[np.int64]]] = {}
    lines: dict[str, list[npt.NDArray[np.float64]]] = {}
    for row in tqdm(splits.validation, unit=" photos", leave=False):
        photo, truth = decode_row(row)
        ways = variants(segmenter, photo, weights)
        for name, label_map in ways.items():
            changed = label_map != ways["plain"]
            right, was_right = (label_map == truth)[changed].sum(), (ways["plain"] == truth)[changed].sum()
            changes.setdefault(name, np.zeros(3, np.int64))[:] += changed.any(), right, was_right
            matrices.setdefault(name, []).append(confusion_matrix(truth, label_map))
            lines.setdefault(name, []).append(boundary_f1(truth, label_map))
    photos = len(splits.validation)
    print(f"{photos} photos, {segmenter.name}, {platform.machine()}\n")
    for title, part in (
        ("even rows (the filter's settings were chosen here)", slice(0, None, 2)),
        ("odd rows", slice(1, None, 2)),
    ):
        scores = {name: scored(matrices[name][part], lines[name][part]) for name in matrices}
        print_totals(title, scores)
    scores = {name: scored(matrices[name], lines[name]) for name in matrices}
    print_totals("all rows", scores)
    print_classes(scores)
    print("\n| | photos changed | changed pixels right after | right before |\n|---|---|---|---|")
    for name, counts in changes.items():
        print(f"| {name} | {' | '.join(f'{count:,}' for count in counts)} |")


def scored(matrices: list[npt.NDArray[np.int64]], lines: list[npt.NDArray[np.float64]]) -> Scores:
    """Return `Scores` of these matrices; what is not measured here is empty."""
    none = np.zeros(0)
    return Scores(list(map(str, range(len(matrices)))), np.stack(matrices), none, np.stack(lines), none, none, none)


def compared(scores: Scores, plain: Scores) -> tuple[dict, dict]:
    """Return the figures, and intervals of the paired difference to the plain result."""
    count = len(scores.ids)
    figures = {key: float(value[0]) for key, value in OWN_SIZE(scores, np.ones((1, count))).items()}

    def less(weights: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
        theirs = OWN_SIZE(plain, weights)
        return {key: value - theirs[key] for key, value in OWN_SIZE(scores, weights).items()}

    with np.errstate(all="ignore"):
        values = resampled(less, count, 1000, 0)
    return figures, {key: interval(value) for key, value in values.items()}


def print_totals(title: str, scores: dict[str, Scores]) -> None:
    """Print a line for each method; brackets are the interval of its difference to the plain result."""
    print(f"{title}\n\n| | {' | '.join(TOTALS)} |\n|---|{'---|' * len(TOTALS)}")
    for name, each in scores.items():
        figures, intervals = compared(each, scores[base(name)])
        print(f"| {name} | {' | '.join(cell(figures[key], intervals[key], name) for key in TOTALS)} |")
    print()


def base(name: str) -> str:
    """Return the method that a method is compared with."""
    return "edges" if name.startswith("left out: edges") else "plain"


def print_classes(scores: dict[str, Scores]) -> None:
    """IoU by class."""
    shown = [
        "plain",
        "edges",
        "tta",
        "rules",
        "edges + tta + rules",
        "left out: priors",
        "left out: RankSEG",
        "left out: edges + priors",
    ]
    found = {name: compared(scores[name], scores[base(name)]) for name in shown}
    print(f"IoU, all rows\n\n| | {' | '.join(shown)} |\n|---|{'---|' * len(shown)}")
    for each in NAMES:
        key = f"iou_{each}"
        cells = [cell(figures[key], intervals[key], name) for name, (figures, intervals) in found.items()]
        print(f"| {each} | {' | '.join(cells)} |")


def cell(figure: float, bounds: tuple[float, float], name: str) -> str:
    """Return a figure as text, with its difference to the plain result."""
    return f"{figure:.3f}" + ("" if name == "plain" else f" ({bounds[0]:+.3f} to {bounds[1]:+.3f})")


def print_times(segmenter: Segmenter, others: list[Segmenter], photo: Labels, megapixels: float) -> None:
    """Print medians of interleaved rounds; "read" is everything after the pass, including probabilities."""
    scale = (megapixels * 1e6 / (photo.shape[0] * photo.shape[1])) ** 0.5
    picture = Image.fromarray(photo)
    picture = picture.resize((round(photo.shape[1] * scale), round(photo.shape[0] * scale)))
    logits = segmenter.logits([picture])[0]
    label_map = winners(logits, (picture.height, picture.width))
    passes = {
        f"pass of {each.name}, {ENGINES[n % 2]}": partial(each.logits, [picture]) for n, each in enumerate(others)
    }
    plain, guided = "read with plain edges", "read with guided edges"
    steps = {
        f"pass of {segmenter.name}": partial(segmenter.logits, [picture]),
        **passes,
        plain: partial(decode_logits, picture, logits, guided=False),
        guided: partial(decode_logits, picture, logits, guided=True),
        "guided edges alone": partial(follow_edges, logits, picture),
        "rules": partial(cleanup.apply_cleanup, label_map),
        "tta": partial(average_probabilities, segmenter.logits, segmenter.image_size, picture),
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            taken[name].append(time.perf_counter() - start)
    taken["guided beyond plain"] = list(np.subtract(taken[guided], taken[plain]))
    size = f"{picture.width}x{picture.height}"
    print(f"{segmenter.name} at {segmenter.image_size}, photo of {size}, {len(np.unique(label_map))} classes in it; ")
    print(f"all steps on {segmenter.name}'s logits; {ROUNDS} rounds, {platform.machine()}, {os.cpu_count()} cores\n")
    columns = [name for name in steps if name.startswith("pass")]
    print(f"| step | ms | {' | '.join(f'of the {name}' for name in columns)} |\n|---|---|{'---|' * len(columns)}")
    for name, seconds in taken.items():
        shares = [f"{np.median(np.divide(seconds, taken[column])):.0%}" for column in columns]
        print(f"| {name} | {1000 * np.median(seconds):.1f} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
