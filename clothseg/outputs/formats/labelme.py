"""Items as LabelMe JSON: one file for each photo, to lie beside it.

The format is that of LabelMe 5 and later (https://github.com/wkentaro/labelme). Pieces of one item are polygons with
the same `group_id`. LabelMe finds the photo by `imagePath`, in the JSON file's folder.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from clothseg.outputs.items import Item


VERSION = "5.5.0"
"""Version of the format, as LabelMe writes it."""


def to_labelme(items: Sequence[Item], size: tuple[int, int], photo: str | None = None) -> dict[str, Any]:
    """Return a photo's items, JSON-ready.

    Args:
        items: of the photo.
        size: (height, width) of the photo.
        photo: its file name or path, of which the file name is used.
    """
    return {
        "version": VERSION,
        "flags": {},
        "shapes": [
            {
                "label": item.name,
                "points": [[x, y] for x, y in zip(polygon[::2], polygon[1::2], strict=True)],
                "group_id": item.index,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
                "mask": None,
            }
            for item in items
            for polygon in item.polygons
        ],
        "imagePath": PurePosixPath(photo).name if photo else "photo",
        "imageData": None,
        "imageHeight": size[0],
        "imageWidth": size[1],
    }
