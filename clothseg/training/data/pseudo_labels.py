"""Label photos without masks with a trained model (pseudo-labels), the first half of self-training.

Source: Noisy Student (Xie et al., 2020) and its use in segmentation. The teacher sees the unchanged photo, at several
sizes; the student will see it cropped, coloured and blurred, and learns from the pixels with high confidence.

If photos have tags of their garments, as in a catalogue, the labels respect them.
"""

import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from datasets import Dataset, concatenate_datasets
from datasets import Image as ImageFeature
from PIL import Image
from tqdm.auto import tqdm

from clothseg.errors import DataError
from clothseg.images.atomic_files import atomic_path
from clothseg.labels import ATR, BACKGROUND, IGNORE, LabelSet
from clothseg.postprocess.softmax import as_logits
from clothseg.postprocess.tta import SCALES, average_probabilities
from clothseg.postprocess.upsample import sure_pixels
from clothseg.segmenter import Segmenter
from clothseg.training.bars import progress_bar
from clothseg.training.data.decoding import decode_photo
from clothseg.training.data.mask_classes import ATR_MASKS, MaskClasses, check_teacher
from clothseg.training.data.sources import load_unlabelled, read_ids


UNTAGGED_FACTOR = 0.05
"""Factor for the probability of a garment that the tags of a data set contain but not those of this photo. It is not
0, since tags can be incomplete."""

MISSED_PROBABILITY = 0.85
"""Least probability of a pixel's label in photos where no pixel has a tagged class. The teacher mistook that garment
for something else, so pixels with medium confidence are ignored."""

GARMENT_PROBABILITY = 0.75
"""Least probability of a pixel's label in photos of garments without a wearer, since folds of a sheet look like
garments."""

LEAST_GARMENT = 0.02
"""Least share of a photo that a garment without a wearer covers; if the teacher finds less, it missed the garment."""

PART = 100
"""Number of photos after which labels are written; an interrupted run loses no more than these."""

LABELLING = "The teacher labels"


def label_rows(
    segmenter: Segmenter,
    rows: Dataset,
    min_probability: float = 0.6,
    scales: tuple[float, ...] = SCALES,
    *,
    worn: bool = True,
) -> Dataset:
    """Label photos with a teacher; pixels below `min_probability` are 255, which the training ignores.

    Args:
        segmenter: the teacher.
        rows: undecoded rows with `id` and `image`, and optionally `classes`, the ids of the visible garments from
            `load_unlabelled`. The probability of a garment that some photo is tagged with but this one is not is
            multiplied by `UNTAGGED_FACTOR`; others are unchanged.
        min_probability: least probability of a pixel's label.
        scales: input sizes over which the teacher's probabilities are averaged.
        worn: False for photos of garments without a wearer: these get only the tagged classes and Background, and rows
            in which the teacher misses the garment are left out.

    Returns:
        The rows with `mask`, a PNG of class ids at the photo's own size, undecoded.

    Raises:
        DataError: a photo cannot be decoded (the message names the row), or the teacher misses every garment.
    """
    known = known_tags(rows, segmenter.labels) if "classes" in rows.column_names else ()
    with progress_bar(total=len(rows), desc=LABELLING, unit=" photos", leave=False) as progress:
        labelled = _with_masks(segmenter, rows, min_probability, scales, worn, known, progress)
    return _without_missed(labelled, segmenter.name)


def _with_masks(
    segmenter: Segmenter,
    rows: Dataset,
    min_probability: float,
    scales: tuple[float, ...],
    worn: bool,
    known: tuple[int, ...],
    progress: tqdm,
) -> Dataset:
    """Label rows like `label_rows`; rows in which the teacher misses the garment get no mask."""
    masks: list[dict[str, bytes | None] | None] = []
    for row in rows:
        photo = decode_photo(row["image"], row["id"])
        shares = average_probabilities(segmenter.logits, segmenter.image_size, photo, scales, segmenter.labels)
        size = photo.height, photo.width
        if not worn:
            label_map = _label_without_wearer(shares, row["classes"], size, min_probability)
        elif known:
            label_map = _label_with_tags(shares, row["classes"], known, size, min_probability)
        else:
            label_map = sure_pixels(as_logits(shares), size, min_probability)
        missed = not worn and (label_map[label_map != IGNORE] != BACKGROUND).sum() < LEAST_GARMENT * label_map.size
        file = io.BytesIO()
        Image.fromarray(label_map).save(file, "PNG")
        masks.append(None if missed else {"bytes": file.getvalue(), "path": None})
        progress.update()
    return rows.add_column("mask", masks, feature=ImageFeature(decode=False))


def _without_missed(rows: Dataset, teacher: str) -> Dataset:
    kept = [number for number, mask in enumerate(rows["mask"]) if mask is not None]
    if not kept and len(rows):
        raise DataError(f"The teacher {teacher} found no garment in any of the {len(rows)} flat-lay photos.")
    return rows if len(kept) == len(rows) else rows.select(kept)


class Labelling:
    """Labels photos with a teacher and writes the labels to a file.

    A JSON file beside it, with `.json` added to its name, records the sources of the labels. Labelling takes a while,
    so a resumed run, or a run with another loss, uses existing labels again. Labels are written every `PART` photos,
    so an interrupted run continues.
    """

    def __init__(
        self,
        file: Path,
        *,
        name: str,
        option: str,
        worn: bool,
        teacher: str,
        revision: str | None,
        min_probability: float,
        scales: tuple[float, ...],
        exclude_file: str | None = None,
        classes: MaskClasses = ATR_MASKS,
    ) -> None:
        """Look up photos and teacher; `write` labels them.

        Args:
            file: parquet file to write.
            name: of the photos, as for `load_unlabelled`.
            option: the option that gave the name, for messages.
            worn: False for garments without a wearer.
            teacher: Hub id or folder of the model.
            revision: the teacher's, for the Hub only.
            min_probability: as for `label_rows`.
            scales: as for `label_rows`.
            exclude_file: text file with ids of rows to leave out.
            classes: the classes to learn.

        Raises:
            DataError: the photos cannot be read, or flat-lay photos have no tags.
            ConfigError: the teacher has other classes.
            ModelError, HubError: the teacher cannot be loaded.
        """
        excluded = read_ids(exclude_file) if exclude_file else []
        self.file, self.worn, self.min_probability, self.scales = file, worn, min_probability, scales
        self.record = file.with_name(f"{file.name}.json")
        files = (Path(name), *sorted(Path(teacher).glob("*config.json")), *sorted(Path(teacher).glob("*.safetensors")))
        source_files = [path for path in files if path.is_file()]  # the model's card does not affect labels
        self.sources = {
            "name": name,
            "teacher": teacher,
            "revision": revision,
            "files": {str(path): _digest(path) for path in source_files},
            "min_probability": min_probability,
            "scales": list(scales),
            "excluded": sorted(excluded),
        }
        self.rows = load_unlabelled(name, excluded, option, classes)
        if not worn and not ("classes" in self.rows.column_names and all(self.rows["classes"])):
            raise DataError(f"{name}: --{option} needs a column classes with the garments in each photo.")
        self.segmenter = None if self._is_written() else Segmenter.from_pretrained(teacher, revision=revision)
        if self.segmenter is not None:
            check_teacher(classes.labels, self.segmenter.labels, teacher)

    def write(self) -> None:
        """Label the photos, unless the file already contains these labels.

        Raises:
            DataError: as for `label_rows`.
        """
        if self.segmenter is None:
            return
        parts = self.file.with_name(f"{self.file.name}.parts")
        if _read(parts / "sources.json") != self.sources:
            shutil.rmtree(parts, ignore_errors=True)
            parts.mkdir(parents=True)
            _write(self.sources, parts / "sources.json")
        known = known_tags(self.rows, self.segmenter.labels) if "classes" in self.rows.column_names else ()
        options = self.min_probability, self.scales, self.worn, known
        files = []
        with progress_bar(total=len(self.rows), desc=LABELLING, unit=" photos", leave=False) as progress:
            for start in range(0, len(self.rows), PART):
                rows = self.rows.select(range(start, min(start + PART, len(self.rows))))
                files.append(str(parts / f"{start:07d}.parquet"))
                if Path(files[-1]).is_file():  # written by an interrupted run
                    progress.update(len(rows))
                    continue
                labelled = _with_masks(self.segmenter, rows, *options, progress)
                with atomic_path(Path(files[-1])) as building:
                    labelled.to_parquet(building)
        labelled = concatenate_datasets([Dataset.from_parquet(file) for file in files])
        for column in ("image", "mask"):
            labelled = labelled.cast_column(column, ImageFeature(decode=False))
        labelled = _without_missed(labelled, self.segmenter.name)
        self.record.unlink(missing_ok=True)
        with atomic_path(self.file) as building:
            labelled.to_parquet(building)
        _write(self.sources, self.record)
        shutil.rmtree(parts, ignore_errors=True)

    def _is_written(self) -> bool:
        return self.file.is_file() and _read(self.record) == self.sources


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read(record: Path) -> object:
    try:
        return json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no record, or an incomplete one
        return None


def _write(sources: object, record: Path) -> None:
    with atomic_path(record) as building:
        building.write_text(json.dumps(sources, indent=1) + "\n", encoding="utf-8")


def known_tags(rows: Dataset, labels: LabelSet = ATR) -> tuple[int, ...]:
    """Return the ids of the garments that occur in the `classes` of any row."""
    return tuple(
        sorted({index for classes in rows["classes"] for index in classes or []} & {*labels.ids_of(labels.garments)})
    )


def respect_tags(
    shares: npt.NDArray[np.float32],
    tags: list[int],
    known: tuple[int, ...],
    factor: float = UNTAGGED_FACTOR,
) -> npt.NDArray[np.float32]:
    """Lower the probabilities of garments that a photo is not tagged with.

    Args:
        shares: (C, h, w) probabilities.
        tags: ids of the classes that the photo is tagged with; if empty, nothing is changed.
        known: ids that occur among the data set's tags; others (the body, Background, garments that are never tagged)
            are not changed.
        factor: for the probabilities of the classes in `known` but not in `tags`.

    Returns:
        (C, h, w) float32, sums to 1 over the classes.
    """
    factors = np.ones(len(shares), np.float32)
    if tags:
        factors[[index for index in known if index not in tags]] = factor
    weighted = shares * factors[:, None, None]
    return np.asarray(weighted / np.maximum(weighted.sum(axis=0), 1e-12), np.float32)


def without_wearer(shares: npt.NDArray[np.float32], tags: list[int]) -> npt.NDArray[np.float32]:
    """Give the probability of everything but Background to the classes that a photo of garments is tagged with.

    Several tags (a left and a right shoe) share it in proportion to the teacher's probabilities.

    Args:
        shares: (C, h, w) probabilities.
        tags: ids of the visible classes; at least one.

    Returns:
        (C, h, w) float32 with Background and `tags` only, sums to 1 over the classes.
    """
    figure = 1 - shares[BACKGROUND]
    among = shares[tags] + 1e-6
    found = np.zeros_like(shares)
    found[BACKGROUND] = shares[BACKGROUND]
    found[tags] = figure * among / among.sum(axis=0)
    return found


def _label_with_tags(
    shares: npt.NDArray[np.float32],
    tags: list[int],
    known: tuple[int, ...],
    size: tuple[int, int],
    min_probability: float,
) -> npt.NDArray[np.uint8]:
    logits = as_logits(respect_tags(shares, tags, known))
    label_map = sure_pixels(logits, size, min_probability)
    shown = np.bincount(label_map.ravel(), minlength=IGNORE + 1) > 0
    if all(shown[index] for index in tags):
        return label_map
    return sure_pixels(logits, size, max(min_probability, MISSED_PROBABILITY))


def _label_without_wearer(
    shares: npt.NDArray[np.float32], tags: list[int], size: tuple[int, int], min_probability: float
) -> npt.NDArray[np.uint8]:
    return sure_pixels(as_logits(without_wearer(shares, tags)), size, max(min_probability, GARMENT_PROBABILITY))
