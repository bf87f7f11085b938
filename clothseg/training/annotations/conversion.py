"""Write annotations as a data set for training, and report what was found."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError, DataError
from clothseg.images.atomic_files import atomic_path, save_picture
from clothseg.labels import IGNORE, LABELS_FILE, LabelSet, write_labels
from clothseg.training.annotations.source import Annotated, Source, size_text
from clothseg.training.bars import progress_bar
from clothseg.training.data.decoding import decode_photo
from clothseg.training.data.mask_classes import LARGEST_ID, WRONG, MaskClasses, mask_classes, read_label_set


REPORT = "conversion.json"

Labelled = tuple[Annotated, npt.NDArray[np.uint8]]
"""A photo, and its label map (H, W) of class ids."""


@dataclass
class Conversion:
    """Report of a conversion.

    Attributes:
        kind: of the annotations.
        labels: the classes written.
        written: number of photos.
        ignored: what was not used, in words -> how often.
        wrong: (photo or file, reason), none of which was written.
        pixels: number of pixels of each class; the last is "not annotated".
        photos: number of photos that show each class.
        shapes: number of shapes of each class.
    """

    kind: str
    labels: LabelSet
    written: int
    ignored: Counter[str]
    wrong: list[tuple[str, str]]
    pixels: npt.NDArray[np.int64]
    photos: npt.NDArray[np.int64]
    shapes: Counter[int] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, Any]:
        """Return the report, ready for JSON."""
        return {
            "kind": self.kind,
            "photos": self.written,
            "classes": [
                {
                    "id": index,
                    "name": name,
                    "photos": int(self.photos[index]),
                    "pixels": int(self.pixels[index]),
                    "shapes": self.shapes[index],
                }
                for index, name in enumerate(self.labels.names)
            ],
            "not_annotated_pixels": int(self.pixels[-1]),
            "ignored": dict(+self.ignored),
            "wrong": [{"name": name, "reason": reason} for name, reason in self.wrong],
        }


def classes_for(source: Source, labels: str | None, label_map: str | None) -> MaskClasses:
    """Return the classes of a source's ids.

    Args:
        source: the annotations.
        labels: title or file of a label set, which must have all names of the source, unless there is a label map.
        label_map: as for training.

    Raises:
        ConfigError: the names do not fit.
    """
    if label_map or not labels or source.names is None:
        return mask_classes(source.names, labels, label_map)
    given = read_label_set(labels)
    unknown = [name for index, name in source.names.items() if index and name not in given.label2id]
    if unknown:
        raise ConfigError(
            f"--labels {labels} has no class {', '.join(unknown)}: name the class that each of them becomes, or "
            f'"ignore", in --label_map. The classes are: {", ".join(given.names)}.'
        )
    table = np.full(LARGEST_ID + 1, WRONG, np.int16)
    table[IGNORE] = IGNORE
    for index, name in source.names.items():
        table[index] = given.label2id[name] if index else 0
    return MaskClasses(given, table)


def convert(
    source: Source,
    classes: MaskClasses,
    out: Path,
    split: str,
    write: Callable[[Iterator[Labelled], Path, str], None],
) -> Conversion:
    """Write a source's photos and masks, `labels.json`, and the report.

    Args:
        source: the annotations.
        classes: `classes_for` them.
        out: folder, which may have other splits.
        split: name of the split.
        write: writes photos and masks to a folder as the split of this name, such as `write_folders`.

    Raises:
        ConfigError: the folder has this split already, or other classes.
        DataError: there is no photo that can be written.
    """
    _check_free(out, classes.labels, split)
    count = len(classes.labels)
    shape = np.zeros(count + 1, np.int64)
    result = Conversion(source.kind, classes.labels, 0, source.ignored, source.wrong, shape, shape[:-1].copy())
    rows = _converted(source, classes, result)
    try:
        write(rows, out, split)
    finally:
        if result.written or result.wrong:
            out.mkdir(parents=True, exist_ok=True)
            with atomic_path(out / REPORT) as file:
                file.write_text(json.dumps(result.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if not result.written:
        listed = "".join(f"\n  {name}: {reason}" for name, reason in result.wrong[:10])
        raise DataError(f"No photo with its annotations can be used.{listed}")
    write_labels(classes.labels, out / LABELS_FILE)
    return result


def _check_free(out: Path, labels: LabelSet, split: str) -> None:
    taken = [out / "images" / split, out / "masks" / split, *out.glob(f"data/{split}-*.parquet")]
    if out.is_file() or any(path.exists() for path in taken):
        raise ConfigError(f"{out} has a split {split} already: give another folder or another --split.")
    if (out / LABELS_FILE).is_file() and read_label_set(str(out / LABELS_FILE)).names != labels.names:
        raise ConfigError(
            f"{out} has other classes ({LABELS_FILE}): give another folder, or --labels {out / LABELS_FILE}."
        )


def _converted(source: Source, classes: MaskClasses, result: Conversion) -> Iterator[Labelled]:
    """Yield each photo that can be used with its label map, and count in `result`."""
    names: set[str] = set()
    with progress_bar(total=len(source.photos), desc="Converting", unit=" photos", leave=False) as progress:
        for photo in source.photos:
            progress.update()
            if photo.name in names:
                result.wrong.append((photo.name, "another photo has this name with another suffix"))
                continue
            names.add(photo.name)
            try:
                mask, shapes = _mask_of(photo, classes)
            except DataError as error:
                result.wrong.append((photo.name, str(error)))
                continue
            counts = np.bincount(mask.ravel(), minlength=IGNORE + 1)
            result.pixels[:-1] += counts[: len(result.photos)]
            result.pixels[-1] += counts[IGNORE]
            result.photos += counts[: len(result.photos)] > 0
            result.shapes.update(shapes)
            result.written += 1
            yield photo, mask


def _mask_of(photo: Annotated, classes: MaskClasses) -> tuple[npt.NDArray[np.uint8], Counter[int]]:
    ids, shapes = photo.draw()
    mask, wrong = classes.decode(ids)
    if wrong.size:
        listed = ", ".join(map(str, wrong[:5].tolist()))
        raise DataError(f"the mask contains {listed}; class ids are {classes.known}.")
    picture = decode_photo({"bytes": None, "path": str(photo.photo)}, photo.name)
    if mask.shape != (picture.height, picture.width):
        size = size_text((picture.height, picture.width))
        raise DataError(f"the annotation is for {size_text(mask.shape)} pixels, the photo has {size}.")
    counts: Counter[int] = Counter()
    for index, number in shapes.items():
        counts[int(classes.decode(np.array([index]))[0][0])] += number
    return mask, counts


def write_folders(rows: Iterator[Labelled], out: Path, split: str) -> None:
    """Write photos, as they are, to images/<split>/, and masks as PNG to masks/<split>/."""
    for photo, mask in rows:
        image = out / "images" / split / f"{photo.name}{photo.photo.suffix.lower()}"
        label = out / "masks" / split / f"{photo.name}.png"
        for path in (image, label):
            path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(image) as building:
            shutil.copyfile(photo.photo, building)
        save_picture(Image.fromarray(mask), label)
