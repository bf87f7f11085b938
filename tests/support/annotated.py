"""Photos of paper dolls with annotations in the formats of other tools."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from own_classes import OWN_NAMES, TO_OWN
from paper_dolls import draw

from clothseg.labels import LABELS_FILE, read_labels
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_split


SIZE = (96, 72)


def write_photos(folder: Path) -> Path:
    """Write the dolls 0 to 2 as JPEG."""
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.jpg"), draw(number, *SIZE).image[..., ::-1])
    return folder


def truth(number: int) -> np.ndarray:
    """A doll's own classes (H, W)."""
    return TO_OWN[draw(number, *SIZE).mask]


def names(ids: np.ndarray) -> np.ndarray:
    return np.array(OWN_NAMES)[ids]


def write(file: Path, content: Any) -> Path:
    """Write text, or JSON."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def written(out: Path, number: int = 0) -> np.ndarray:
    """Class names (H, W) of a row of a written data set."""
    _, rows, _, classes = load_split(str(out))
    assert classes.labels == read_labels(out / LABELS_FILE)
    return np.array(classes.labels.names)[decode_row(rows[number], classes)[1]]
