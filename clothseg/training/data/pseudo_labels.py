"""Labels from a trained model for photos that nobody annotated: the first half of self-training.

After Noisy Student (Xie et al., 2020) and its use in segmentation: the teacher sees the clean photo, several times;
the student will see it cropped, coloured and blurred, and learns from the pixels that the teacher is sure of.

Where the photos come with tags (`tags`), the labels respect them: catalogues know what is in a photo.
"""

import io
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from PIL import Image

from clothseg.errors import DataError
from clothseg.images.atomic_files import whole
from clothseg.labels import BACKGROUND, GROUPS, IGNORE, ids_of
from clothseg.postprocess.softmax import as_logits
from clothseg.postprocess.tta import SCALES, average_probabilities
from clothseg.postprocess.upsample import sure_pixels
from clothseg.segmenter import Segmenter
from clothseg.training.bars import progress_bar
from clothseg.training.data.loading import decode_photo
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
    masks, kept = [], []
    for number, row in enumerate(progress_bar(rows, desc="The teacher labels", unit=" photos", leave=False)):
        photo = decode_photo(row["image"], row["id"])
        shares = average_probabilities(segmenter.logits, segmenter.image_size, photo, scales)
        size = photo.height, photo.width
        if not worn:
            label_map = _garment_alone(shares, row["classes"], size, min_probability)
            if (label_map[label_map != IGNORE] != BACKGROUND).sum() < LEAST_GARMENT * label_map.size:
                continue
        elif known:
            label_map = _tagged(shares, row["classes"], known, size, min_probability)
        else:
            label_map = sure_pixels(as_logits(shares), size, min_probability)
        file = io.BytesIO()
        Image.fromarray(label_map).save(file, "PNG")
        masks.append({"bytes": file.getvalue(), "path": None})
        kept.append(number)
    if not kept and len(rows):
        raise DataError(f"The teacher {segmenter.name} found no garment in any of the {len(rows)} flat-lay photos.")
    if len(kept) < len(rows):
        rows = rows.select(kept)
    return rows.add_column("mask", masks)


class Labelling:
    """Photos that a teacher labels, and the file that the labels go to.

    What the labels were made of stands beside them, in a file of the same name with `.json` added: labelling takes a
    while, and a run that was stopped, or is tried with another loss, goes on with the same labels.
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
            "files": {str(path): [path.stat().st_size, path.stat().st_mtime_ns] for path in sources},
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
        labelled = label_rows(self.segmenter, self.rows, self.min_probability, self.scales, worn=self.worn)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.record.unlink(missing_ok=True)
        with whole(self.file) as building:
            labelled.to_parquet(building)
        with whole(self.record) as building:
            building.write_text(json.dumps(self.made_of, indent=1) + "\n", encoding="utf-8")

    def _is_made(self) -> bool:
        try:
            return self.file.is_file() and json.loads(self.record.read_text(encoding="utf-8")) == self.made_of
        except (OSError, ValueError):  # no record, or one cut short
            return False


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
