"""A data set with five custom classes: paper dolls in folders of images and masks."""

import json
from pathlib import Path

import cv2
import numpy as np
from paper_dolls import draw_many

from clothseg.labels import ATR, LABEL2ID


OWN_NAMES = ("background", "top", "bottom", "dress", "shoes", "skin")

_OF_ATR = {
    "top": ("Upper-clothes", "Scarf"),
    "bottom": ("Skirt", "Pants", "Belt"),
    "dress": ("Dress",),
    "shoes": ("Left-shoe", "Right-shoe"),
    "skin": ("Face", "Left-leg", "Right-leg", "Left-arm", "Right-arm"),
}

TO_OWN = np.zeros(256, np.uint8)
"""Maps ATR's ids to those of `OWN_NAMES`; hats, hair, sunglasses and bags are background here."""
TO_OWN[255] = 255
for own, names in _OF_ATR.items():
    TO_OWN[[LABEL2ID[name] for name in names]] = OWN_NAMES.index(own)

ATR_TO_OWN = {name: OWN_NAMES[TO_OWN[index]] for index, name in enumerate(ATR.names)}
"""The same as a label map from names to names."""


def write_own_folders(
    folder: Path, counts: dict[str, int], labels: str | None = "id2label.json", size: tuple[int, int] = (128, 96)
) -> Path:
    """Write images/<split>/*.jpg and masks/<split>/*.png, and the names of the classes in the file `labels`."""
    for number, (split, count) in enumerate(counts.items()):
        for kind in ("images", "masks"):
            (folder / kind / split).mkdir(parents=True)
        for index, doll in enumerate(draw_many(count, 1000 * number, *size)):
            cv2.imwrite(str(folder / "images" / split / f"{index}.jpg"), doll.image[..., ::-1])
            cv2.imwrite(str(folder / "masks" / split / f"{index}.png"), TO_OWN[doll.mask])
    if labels:
        (folder / labels).write_text(json.dumps(dict(enumerate(OWN_NAMES))))
    return folder
