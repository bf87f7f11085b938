"""A table of several models of the field on one data set, scored on the classes that all of them share.

    python -m benchmarks.rivals FOLDER --models embedded schp-atr=schp_atr.onnx schp-lip=schp_lip.onnx
        fashn=fashn-ai/fashn-human-parser cloth-seg=u2net_cloth_seg.onnx [--split validation] [--out results]

FOLDER is a data set of photos and masks as for `evaluate`, of any label set. A model is a Hub id, a folder or
`embedded`, which clothseg serves with the given options; or KIND=MODEL with one of these kinds:

KINDS

The mapping of classes is printed: parts that one label set does not divide are merged, and classes of the masks that a
model lacks are not scored for any model. A model with few classes therefore leaves few classes in the table: compare
with and without it. All figures are at the photos' own size: mean IoU, mean IoU without background, pixel accuracy,
boundary F1 at 2 pixels and IoU of each class, with bootstrap 95 % intervals over photos, and the difference in mean
IoU to the first model, paired by photo. A model that was trained on some of the photos has figures that are too good;
this script cannot know that. Times are of one photo after the other, and mean something on an idle machine only.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from PIL import Image
from tqdm.auto import tqdm

from benchmarks.rival_models import ADAPTERS, Rival, open_rival
from clothseg.commands.common import add_layout, add_segment_options, layout_of, segment_options
from clothseg.errors import ClothsegError, ConfigError
from clothseg.labels import LabelSet
from clothseg.options import EVALUATION_OPTIONS
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_split, load_splits
from clothseg.training.data.mask_classes import MaskClasses
from clothseg.training.evaluation.bootstrap import Figures, interval, resampled
from clothseg.training.evaluation.boundary import boundary_f1
from clothseg.training.evaluation.class_mapping import ClassMapping, ModelMapping, map_classes
from clothseg.training.evaluation.metrics import confusion_matrix, figures_of
from clothseg.training.publish.report import table


RESAMPLES = 1000

FIGURES = {
    "mean_iou": "mean IoU",
    "mean_iou_no_background": "without background",
    "overall_accuracy": "pixel accuracy",
    "boundary_f1": "boundary F1, 2 px",
}


class Counts(NamedTuple):
    """Counts of N photos: (N, C, C) confusion matrices, truth in rows; (N,) boundary F1; seconds in all."""

    matrices: npt.NDArray[np.int64]
    boundary: npt.NDArray[np.float64]
    seconds: float


def count(rival: Rival, rows: Dataset, classes: MaskClasses, mapping: ModelMapping) -> Counts:
    """Segment the photos of undecoded rows and count pixels by true and predicted shared class."""
    size = len(mapping.labels)
    matrices = np.zeros((len(rows), size, size), np.int64)
    boundary, seconds = np.full(len(rows), np.nan), 0.0
    for index, row in enumerate(tqdm(rows, desc=rival.name, unit=" photos", leave=False)):
        photo, mask = decode_row(row, classes)
        picture, truth = Image.fromarray(photo), mapping.truth[mask]
        started = time.perf_counter()
        label_map = rival(picture)
        seconds += time.perf_counter() - started
        found = mapping.prediction[label_map]
        matrices[index] = confusion_matrix(truth, found, size)
        of_class = boundary_f1(truth, found, (2,), size)[0]
        if not np.isnan(of_class).all():
            boundary[index] = np.nanmean(of_class)
    return Counts(matrices, boundary, seconds)


def figures(counts: Counts, labels: LabelSet, weights: npt.NDArray[np.float64]) -> Figures:
    """Return the figures (r,) of r sets of photos; `weights` (r, N) says how often each photo is in each set."""
    size = len(labels)
    found = figures_of((weights @ counts.matrices.reshape(len(counts.matrices), -1)).reshape(-1, size, size), labels)
    defined = ~np.isnan(counts.boundary)
    with np.errstate(invalid="ignore"):
        found["boundary_f1"] = (weights[:, defined] @ counts.boundary[defined]) / weights[:, defined].sum(axis=1)
    return found


def results(names: Sequence[str], counts: Sequence[Counts], labels: LabelSet) -> list[dict[str, object]]:
    """Return each model's figures with intervals, and its mean IoU minus the first model's, ready for JSON."""
    photos, found = len(counts[0].matrices), []
    keys = [*FIGURES, *(f"iou_{name}" for name in labels.names)]
    drawn = [resampled(lambda weights, one=one: figures(one, labels, weights), photos, RESAMPLES, 0) for one in counts]
    for name, one, sets in zip(names, counts, drawn, strict=True):
        value = {key: float(each[0]) for key, each in figures(one, labels, np.ones((1, photos))).items()}
        defined = [key for key in keys if not np.isnan(value[key])]
        less = sets["mean_iou"] - drawn[0]["mean_iou"]
        found.append(
            {
                "model": name,
                "milliseconds": round(1000 * one.seconds / photos, 1),
                "figures": {key: round(value[key], 6) for key in defined},
                "intervals": {key: [round(bound, 6) for bound in interval(sets[key])] for key in defined},
                "less_than_first": [round(bound, 6) for bound in interval(less)],
            }
        )
    return found


def mapping_text(rivals: Sequence[Rival], mapping: ClassMapping) -> str:
    """Return how the classes of the data and of each model become shared ones, in words."""
    names = mapping.models[0].labels.names
    lines = [f"Scored on the {len(names)} classes that all share: {', '.join(names)}."]
    if mapping.unscored:
        lines.append(f"Not scored: {', '.join(mapping.unscored)}.")
    for rival, each in zip(rivals, mapping.models, strict=True):
        lines += [f"Classes of the data and of {rival.name}:"] * bool(each.lines) + [f"  {x}" for x in each.lines]
    return "\n".join(lines)


def text(found: list[dict], labels: LabelSet) -> str:
    """Return the tables of `results`."""
    first = found[0]["figures"]["mean_iou"]
    head = ["", *FIGURES.values(), "mean IoU − first", "ms a photo"]
    lines = []
    for number, one in enumerate(found):
        cells = [_cell(one, key, with_interval=key == "mean_iou") for key in FIGURES]
        low, high = one["less_than_first"]
        less = f"{one['figures']['mean_iou'] - first:+.3f} ({low:+.3f} to {high:+.3f})" if number else ""
        lines.append([one["model"], *cells, less, f"{one['milliseconds']:.0f}"])
    classes = [[name, *(_cell(one, f"iou_{name}") for one in found)] for name in labels.names]
    return "\n\n".join(
        [table(head, lines), "IoU of each class:", table(["", *(str(one["model"]) for one in found)], classes)]
    )


def _cell(one: dict, key: str, with_interval: bool = False) -> str:
    if key not in one["figures"]:
        return "–"
    low, high = one["intervals"][key]
    return f"{one['figures'][key]:.3f}" + (f" ({low:.3f} to {high:.3f})" if with_interval else "")


def _rows(options: argparse.Namespace) -> tuple[str, Dataset, MaskClasses]:
    layout = layout_of(options)
    if options.split_file:
        splits = load_splits(options.folder, split_file=options.split_file, layout=layout)
        split = options.split or "validation"
        return split, getattr(splits, split), splits.classes
    split, rows, _, classes = load_split(options.folder, None, options.split, layout=layout)
    return split, rows, classes


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables, and write figures.json to --out."""
    kinds = "\n".join(f"    {kind + '=':<10} {adapter.words}" for kind, adapter in ADAPTERS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rivals",
        description=(__doc__ or "").replace("KINDS", kinds),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", help="data set: Hub id, folder or parquet file")
    parser.add_argument(
        "--models", nargs="+", required=True, metavar="MODEL", help="models, the first one as baseline"
    )
    parser.add_argument("--split", choices=("validation", "test", "train"), help="as for `evaluate`")
    parser.add_argument("--split_file", help="split.json: score the rows that it holds out")
    parser.add_argument("--photos", type=int, help="score only the first N photos")
    parser.add_argument("--out", type=Path, help="folder for figures.json")
    add_layout(parser)
    add_segment_options(parser, EVALUATION_OPTIONS)
    options = parser.parse_args(argv)
    try:
        return run(options)
    except ClothsegError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def run(options: argparse.Namespace) -> int:
    """Score the models.

    Raises:
        ClothsegError: a model or the data cannot be loaded, or they share no class.
    """
    if options.photos is not None and options.photos < 1:
        raise ConfigError(f"--photos {options.photos}: give 1 or more.")
    if len(set(options.models)) < len(options.models):
        raise ConfigError("--models names a model twice.")
    split, rows, classes = _rows(options)
    if options.photos:
        rows = rows.select(range(min(options.photos, len(rows))))
    rivals = [open_rival(stated, segment_options(options)) for stated in options.models]
    mapping = map_classes(classes.labels, [rival.labels for rival in rivals])
    labels = mapping.models[0].labels
    sys.stdout.write(f"{Path(options.folder).name}, split {split}, {len(rows)} photos.\n")
    sys.stdout.write(f"{mapping_text(rivals, mapping)}\n")
    counts = [count(rival, rows, classes, each) for rival, each in zip(rivals, mapping.models, strict=True)]
    found = results([rival.name for rival in rivals], counts, labels)
    sys.stdout.write(f"\n{text(found, labels)}\n")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        content = {"data": Path(options.folder).name, "split": split, "photos": len(rows)}
        content["classes"], content["unscored"] = labels.names, mapping.unscored
        content["mapping"] = {rival.name: one.lines for rival, one in zip(rivals, mapping.models, strict=True)}
        (options.out / "figures.json").write_text(json.dumps(content | {"models": found}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
