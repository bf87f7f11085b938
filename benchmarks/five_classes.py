"""A data set of five classes of your own, made of rows with ATR's classes: folders of photos and masks.

    python -m benchmarks.five_classes FOLDER OUT [--split_file docs/experiments/development-split.json] [--size 640]

FOLDER is a data set of ATR's classes in any form that `train_hf.py` reads. OUT gets images/SPLIT/*.jpg,
masks/SPLIT/*.png with the ids 0 to 5, and id2label.json. The split file gives the rows of each part; without it, the
data set's own splits are used. Photos whose longest side is above --size are reduced, their masks without
interpolation. docs/experiments/own-classes.md has the figures of a training on them.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from PIL import Image

from clothseg.errors import DataError
from clothseg.labels import ATR, IGNORE
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits
from clothseg.training.data.sources import ID2LABEL_FILE
from clothseg.training.data.split import PARTS


FIVE: dict[str, tuple[str, ...]] = {
    "top": ("Upper-clothes", "Scarf"),
    "bottom": ("Skirt", "Pants", "Belt"),
    "dress": ("Dress",),
    "shoes": ("Left-shoe", "Right-shoe"),
    "skin": ("Face", "Left-leg", "Right-leg", "Left-arm", "Right-arm"),
}
"""The new classes, and ATR's classes in each; hair, hats, sunglasses and bags are background."""

NAMES = ("background", *FIVE)


def table() -> npt.NDArray[np.uint8]:
    """Return the (256,) table from ATR's ids to the new ones; 255 stays "not annotated"."""
    ids = np.zeros(256, np.uint8)
    ids[IGNORE] = IGNORE
    for name, members in FIVE.items():
        ids[list(ATR.ids_of(members))] = NAMES.index(name)
    return ids


def write_rows(rows: Dataset, folder: Path, split: str, size: int) -> None:
    """Write the photos and masks of a split; `rows` are undecoded rows `id`, `image` and `mask` of ATR's classes."""
    to_five = table()
    for kind in ("images", "masks"):
        (folder / kind / split).mkdir(parents=True, exist_ok=True)
    for row in rows:
        pixels, mask = decode_row(row)
        photo, masks = Image.fromarray(pixels), Image.fromarray(to_five[mask])
        if max(photo.size) > size:
            width, height = (max(1, round(side * size / max(photo.size))) for side in photo.size)
            photo = photo.resize((width, height), Image.Resampling.LANCZOS)
            masks = masks.resize((width, height), Image.Resampling.NEAREST)
        photo.save(folder / "images" / split / f"{row['id']}.jpg", quality=95)
        masks.save(folder / "masks" / split / f"{row['id']}.png")


def main() -> None:
    """Write the folders.

    Raises:
        DataError: the rows do not have ATR's classes.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("out", type=Path)
    parser.add_argument("--split_file", help="split.json with the ids of the rows of each part")
    parser.add_argument("--size", type=int, default=640, help="largest side of a photo (default: 640)")
    options = parser.parse_args()
    splits = load_splits(options.folder, split_file=options.split_file)
    if splits.classes.labels != ATR:
        raise DataError(f"{options.folder} does not have ATR's classes.")
    for part in PARTS:
        rows = getattr(splits, part)
        if rows is not None and len(rows):
            write_rows(rows, options.out, part, options.size)
            print(f"{part}: {len(rows)} photos")
    (options.out / ID2LABEL_FILE).write_text(json.dumps(dict(enumerate(NAMES)), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
