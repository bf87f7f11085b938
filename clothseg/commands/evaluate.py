"""Score a model on a data set's photos: accuracy, boundaries, left and right, and calibration, with intervals."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clothseg.commands.common import (
    EMBEDDED,
    add_layout,
    add_model,
    add_segment_options,
    layout_of,
    model_name,
    segment_options,
)
from clothseg.commands.numbers import number
from clothseg.errors import ConfigError, DataError, ModelError
from clothseg.options import EVALUATION_OPTIONS


if TYPE_CHECKING:
    from datasets import Dataset

    from clothseg.segmenter import Segmenter
    from clothseg.training.data.mask_classes import MaskClasses
    from clothseg.training.evaluation.class_mapping import ModelMapping
    from clothseg.training.evaluation.scoring import Scores


HELP = "score a model on a data set, or two models against each other"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    add_model(parser, "model", required=True)
    parser.add_argument("dataset", metavar="DATASET", help="Hub id, folder or parquet file, as for training")
    parser.add_argument("--against", metavar="OTHER", help="second model, compared on the same photos")
    parser.add_argument("--against_revision", help="branch, tag or commit of OTHER on the Hub")
    parser.add_argument("--dataset_revision", help="branch, tag or commit of DATASET on the Hub")
    add_layout(parser)
    parser.add_argument(
        "--split",
        choices=("validation", "test", "train"),
        help="default: the only split, else validation (or val, valid, dev), else test. If a data set has only train, "
        "validation means the rows that train_hf.py holds out by default",
    )
    parser.add_argument("--split_file", help="split.json of a training run: score the rows that it held out")
    parser.add_argument(
        "--on_bad_row", choices=("fail", "skip"), default="fail", help="what to do with unusable rows (default: fail)"
    )
    add_segment_options(parser, EVALUATION_OPTIONS)
    parser.add_argument("--out", type=Path, help="folder for figures.json, tables as CSV, and plots")
    parser.add_argument(
        "--pictures",
        action="store_true",
        help="also write the best and the worst photos to --out; check the terms of the data set before sharing them",
    )
    parser.add_argument(
        "--batch_size", type=number(int, 1), metavar="N", default=8, help="photos per pass (default: 8)"
    )
    parser.add_argument(
        "--resamples", type=number(int, 1), metavar="N", default=1000, help="bootstrap resamples (default: 1000)"
    )
    parser.add_argument(
        "--seed", type=number(int, 0), metavar="N", default=0, help="seed of the bootstrap (default: 0)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Score, print the tables, and write the requested files.

    Raises:
        ConfigError: wrong options.
        ModelError: a model gives all pixels the same class.
        ClothsegError: the model or the data cannot be loaded, or a row cannot be decoded.
    """
    _check(arguments)
    from clothseg.training.evaluation.scoring import difference, report
    from clothseg.training.publish import plots
    from clothseg.training.publish.report import difference_text, report_text, write_pictures, write_report

    split, rows, commit, classes = _rows(arguments)
    segmenter = _load(arguments.model, arguments.revision)
    other = _load(model_name(arguments.against), arguments.against_revision) if arguments.against else None
    mappings = _mappings(classes, [each for each in (segmenter, other) if each is not None])
    labels = mappings[0].labels if mappings[0] else classes.labels
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)

    resampling = {"resamples": arguments.resamples, "seed": arguments.seed}
    scores = _score(segmenter, rows, arguments, classes, mappings[0])
    found = report(scores, **resampling)
    about = {**_about(segmenter), "dataset": _shown(arguments.dataset), "dataset_commit": commit}
    options = {name: getattr(arguments, name) for name in EVALUATION_OPTIONS}
    options["exclude"] = list(options["exclude"] or ())
    about |= {"split": split, **options}
    said = [f"{name} {value}" for name, value in options.items() if value not in (False, "one", [])]
    where = ", ".join([arguments.dataset, f"split {split}", *said])
    _say(f"{arguments.model or EMBEDDED} on {where}: {report_text(found, labels)}")
    if other is not None:
        their_scores = _score(other, rows, arguments, classes, mappings[-1])
        theirs, less = report(their_scores, **resampling), difference(scores, their_scores, **resampling)
        pair = f"First: {arguments.model or EMBEDDED}. Second: {arguments.against}."
        _say(f"\n{pair} {difference_text(found, theirs, less, labels)}")
        about |= {"against": _about(other) | theirs, "difference": less}
    if arguments.out:
        write_report(arguments.out, scores, found, about)
        if other is not None:
            names = segmenter.name, other.name
            if names[0] == names[1]:  # two runs, each with its model in a folder `model`
                names = "the first", "the second"
            plots.differences(
                less["own_size"], less["intervals"]["own_size"], names, arguments.out / "differences.png", labels
            )
        if arguments.pictures:
            write_pictures(arguments.out, segmenter, rows, scores, classes=classes, mapping=mappings[0])
        _say(f"\nWritten to {arguments.out}.")
    return 0


def _mappings(classes: "MaskClasses", models: "list[Segmenter]") -> "list[ModelMapping | None]":
    """Return the mapping of each model, and print it; None if all have the classes of the masks."""
    from clothseg.training.evaluation.class_mapping import map_classes

    if all(model.labels.names == classes.labels.names for model in models):
        return [None] * len(models)
    found = map_classes(classes.labels, [model.labels for model in models])
    shared = found.models[0].labels
    lines = [f"Scored on the {len(shared)} classes that the masks and all models share: {', '.join(shared.names)}."]
    _say("\n".join([*lines, *(f"  {line}" for line in found.lines)]) + "\n")
    return list(found.models)


def _check(arguments: argparse.Namespace) -> None:
    """Check the options before the long computation."""
    if arguments.pictures and not arguments.out:
        raise ConfigError("--pictures needs a folder to write them to: give --out.")
    if arguments.against_revision and not arguments.against:
        raise ConfigError("--against_revision needs --against, the model that it belongs to.")
    if arguments.out and arguments.out.exists() and not arguments.out.is_dir():
        raise ConfigError(f"--out {arguments.out} is a file; give a folder.")


def _load(name: str | None, revision: str | None) -> "Segmenter":
    from clothseg.segmenter import Segmenter

    return Segmenter.from_pretrained(name, revision=revision)


def _rows(arguments: argparse.Namespace) -> "tuple[str, Dataset, str | None, MaskClasses]":
    """Return the split to score, its undecoded rows, the data set's commit, and the masks' classes."""
    from clothseg.training.data.inspection import measure_masks
    from clothseg.training.data.loading import check_encoding, load_split, load_splits, warn_of_few
    from clothseg.training.data.sources import splits_of

    dataset, revision, split = arguments.dataset, arguments.dataset_revision, arguments.split
    layout = layout_of(arguments)
    if arguments.split_file or (split == "validation" and splits_of(dataset, revision, layout) == ["train"]):
        splits = load_splits(
            dataset,
            revision,
            split_file=arguments.split_file,
            on_bad_row=arguments.on_bad_row,
            check=arguments.on_bad_row == "skip",
            layout=layout,
        )
        split = split or "validation"
        rows, commit, classes = getattr(splits, split), splits.commit, splits.classes
        if not rows:
            raise DataError(f"--split_file {arguments.split_file} lists no rows for {split}; choose another --split.")
    else:
        split, rows, commit, classes = load_split(dataset, revision, split, arguments.on_bad_row, layout)
    if split == "train" and arguments.split is None:
        sys.stderr.write(
            f"Scoring all {len(rows):,} rows of train, the only split of {dataset}. The scores are too good for a "
            "model that was trained on them: --split validation scores what train_hf.py holds out by default, "
            "--split_file what a run has held out.\n"
        )
    check_encoding({split: measure_masks(rows, classes)}, _shown(dataset), classes.labels)
    warn_of_few(len(rows))
    return split, rows, commit, classes


def _score(
    segmenter: "Segmenter",
    rows: "Dataset",
    arguments: argparse.Namespace,
    classes: "MaskClasses",
    mapping: "ModelMapping | None",
) -> "Scores":
    """Return the model's scores; reject a model that gives all pixels one class, since its figures mean nothing."""
    from clothseg.training.evaluation.scoring import only_class, score

    scores = score(segmenter, rows, arguments.batch_size, segment_options(arguments), classes=classes, mapping=mapping)
    only = only_class(scores)
    if only is not None:
        raise ModelError(
            f"{segmenter.name} labels every pixel of all {len(scores.ids)} photos {only}: its weights are broken or "
            "were never trained. Nothing was written; check the end of its training_log.csv, or use an earlier "
            "checkpoint."
        )
    return scores


def _about(segmenter: "Segmenter") -> dict[str, Any]:
    return {"model": segmenter.name, "revision": segmenter.revision, "image_size": list(segmenter.image_size)}


def _shown(dataset: str) -> str:
    """Return a folder's own name without its path, since figures are shared."""
    return Path(dataset).resolve().name if Path(dataset).is_dir() else dataset


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
