"""Labels from a trained model for photos that nobody annotated: the first half of self-training.

After Noisy Student (Xie et al., 2020) and its use in segmentation: the teacher sees the clean photo, several times;
the student will see it cropped, coloured and blurred, and learns from the pixels that the teacher is sure of.

Where photos come with tags of their garments, the labels respect them: catalogues know what is in a photo.
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
from clothseg.labels import BACKGROUND, GROUPS, IGNORE, ids_of
from clothseg.postprocess.softmax import as_logits
from clothseg.postprocess.tta import SCALES, average_probabilities
from clothseg.postprocess.upsample import sure_pixels
from clothseg.segmenter import Segmenter
from clothseg.training.bars import progress_bar
from clothseg.training.data.decoding import decode_photo
from clothseg.training.data.sources import load_unlabelled, read_ids


UNTAGGED_FACTOR = 0.05
"""Factor of the probability of a garment that could have been tagged and was not: not 0, for tags are forgotten."""

MISSED_PROBABILITY = 0.85
"""Least probability of a pixel's label in photos that show no pixel of a tagged class: the teacher took it for
something else, so all that it is only fairly sure of is left out."""

GARMENT_PROBABILITY = 0.75
"""Least probability of a pixel's label in photos of garments without a wearer:
folds of a sheet look like cloth."""

LEAST_GARMENT = 0.02
"""Least share of a photo that a garment without a wearer fills; where the teacher finds less, it missed it."""

PART = 100
"""Photos after which labels are written: a run that is stopped loses no more."""

LABELLING = "The teacher labels"

BODY = tuple(ids_of(GROUPS["Body"]))
GARMENTS = tuple(ids_of(GROUPS["All garments"]))


def label_rows(
    segmenter: Segmenter,
    rows: Dataset,
    min_probability: float = 0.6,
    scales: tuple[float, ...] = SCALES,
    *,
    worn: bool = True,
) -> Dataset:
    """Give photos the teacher's label maps; pixels below `min_probability` are 255 and take no part in training.

    Args:
        segmenter: the teacher.
        rows: undecoded rows with `id` and `image`, and perhaps `classes`: the ids of the garments shown, as
            `load_unlabelled` gives them. A garment that some photo is tagged with and this one is not has its
            probability multiplied by `UNTAGGED_FACTOR`; all others keep theirs.
        scales: input sizes that the teacher's probabilities are averaged over.
        worn: False for photos of garments that nobody wears: each has the tagged classes and Background only, and
            rows in which the teacher misses the garment are left out.

    Returns:
        The rows with `mask`, a PNG of class ids at the photo's own size, undecoded.

    Raises:
        DataError: a photo does not decode (the message names the row), or the teacher misses every garment.
    """
    known = known_tags(rows) if "classes" in rows.column_names else ()
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
    """As `label_rows`; rows in which the teacher misses the garment have no mask."""
    masks: list[dict[str, bytes | None] | None] = []
    for row in rows:
        photo = decode_photo(row["image"], row["id"])
        shares = average_probabilities(segmenter.logits, segmenter.image_size, photo, scales)
        size = photo.height, photo.width
        if not worn:
            label_map = _garment_alone(shares, row["classes"], size, min_probability)
        elif known:
            label_map = _tagged(shares, row["classes"], known, size, min_probability)
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
    """Photos that a teacher labels, and the file that the labels go to.

    What the labels were made of stands beside them, in a file of the same name with `.json` added: labelling takes a
    while, and a run that was stopped, or is tried with another loss, uses the labels that are there. They are
    written every `PART` photos, so that a run that is stopped while it labels does not begin anew.
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
    ) -> None:
        """Look up photos and teacher; `write` does the work.

        Args:
            file: the parquet file to write.
            name: of the photos, as `load_unlabelled` takes it.
            option: that gave the name, for messages.
            worn: False for garments that nobody wears.
            teacher: Hub id or folder of the model.
            revision: the teacher's, for the Hub only.
            min_probability: as `label_rows` takes it.
            scales: likewise.
            exclude_file: ids of rows to leave out.

        Raises:
            DataError: the photos cannot be read, or flat-lay photos have no tags.
            ModelError, HubError: the teacher cannot be loaded.
        """
        excluded = read_ids(exclude_file) if exclude_file else []
        self.file, self.worn, self.min_probability, self.scales = file, worn, min_probability, scales
        self.record = file.with_name(f"{file.name}.json")
        files = (Path(name), *sorted(Path(teacher).glob("*config.json")), *sorted(Path(teacher).glob("*.safetensors")))
        sources = [path for path in files if path.is_file()]  # a card that changes changes no labels
        self.made_of = {
            "name": name,
            "teacher": teacher,
            "revision": revision,
            "files": {str(path): _digest(path) for path in sources},
            "min_probability": min_probability,
            "scales": list(scales),
            "excluded": sorted(excluded),
        }
        self.rows = load_unlabelled(name, excluded, option)
        if not worn and not ("classes" in self.rows.column_names and all(self.rows["classes"])):
            raise DataError(
                f"{name}: --{option} needs a column classes that says of every photo which garment it shows."
            )
        self.segmenter = None if self._is_made() else Segmenter.from_pretrained(teacher, revision=revision)

    def write(self) -> None:
        """Label the photos, unless the file holds just these labels already.

        Raises:
            DataError: as `label_rows`.
        """
        if self.segmenter is None:
            return
        parts = self.file.with_name(f"{self.file.name}.parts")
        if _read(parts / "made_of.json") != self.made_of:
            shutil.rmtree(parts, ignore_errors=True)
            parts.mkdir(parents=True)
            _write(self.made_of, parts / "made_of.json")
        known = known_tags(self.rows) if "classes" in self.rows.column_names else ()
        options = self.min_probability, self.scales, self.worn, known
        files = []
        with progress_bar(total=len(self.rows), desc=LABELLING, unit=" photos", leave=False) as progress:
            for start in range(0, len(self.rows), PART):
                rows = self.rows.select(range(start, min(start + PART, len(self.rows))))
                files.append(str(parts / f"{start:07d}.parquet"))
                if Path(files[-1]).is_file():  # of a run that was stopped
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
        _write(self.made_of, self.record)
        shutil.rmtree(parts, ignore_errors=True)

    def _is_made(self) -> bool:
        return self.file.is_file() and _read(self.record) == self.made_of


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read(record: Path) -> object:
    try:
        return json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no record, or one cut short
        return None


def _write(made_of: object, record: Path) -> None:
    with atomic_path(record) as building:
        building.write_text(json.dumps(made_of, indent=1) + "\n", encoding="utf-8")


def known_tags(rows: Dataset) -> tuple[int, ...]:
    """Ids of the garments that some row's `classes` hold: what the tags of a data set speak of at all."""
    return tuple(sorted({index for classes in rows["classes"] for index in classes or []} & set(GARMENTS)))


def respect_tags(
    shares: npt.NDArray[np.float32],
    tags: list[int],
    known: tuple[int, ...],
    factor: float = UNTAGGED_FACTOR,
) -> npt.NDArray[np.float32]:
    """Make garments that a photo is not tagged with less probable.

    Args:
        shares: (18, h, w) probabilities.
        tags: ids of the classes that the photo is tagged with; none at all: nothing is known of it.
        known: ids that tags speak of; others (the body, Background, shoes that nobody tags) are left as they are.
        factor: for the probabilities of `known` without `tags`.

    Returns:
        (18, h, w) float32, sums to 1 over the classes.
    """
    factors = np.ones(len(shares), np.float32)
    if tags:
        factors[[index for index in known if index not in tags]] = factor
    weighted = shares * factors[:, None, None]
    return np.asarray(weighted / np.maximum(weighted.sum(axis=0), 1e-12), np.float32)


def without_wearer(shares: npt.NDArray[np.float32], tags: list[int]) -> npt.NDArray[np.float32]:
    """Give everything that is not Background to the classes that a photo of garments alone is tagged with.

    Several tags (a left and a right shoe) share a pixel in the proportion in which the teacher sees them.

    Args:
        shares: (18, h, w) probabilities.
        tags: ids of the classes shown; at least one.

    Returns:
        (18, h, w) float32 with Background and `tags` only, sums to 1 over the classes.
    """
    figure = 1 - shares[BACKGROUND]
    among = shares[tags] + 1e-6
    found = np.zeros_like(shares)
    found[BACKGROUND] = shares[BACKGROUND]
    found[tags] = figure * among / among.sum(axis=0)
    return found


def _tagged(
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


def _garment_alone(
    shares: npt.NDArray[np.float32], tags: list[int], size: tuple[int, int], min_probability: float
) -> npt.NDArray[np.uint8]:
    return sure_pixels(as_logits(without_wearer(shares, tags)), size, max(min_probability, GARMENT_PROBABILITY))
