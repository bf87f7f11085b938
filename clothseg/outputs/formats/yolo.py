"""Items as YOLO segmentation labels: one text file for each photo, and `data.yaml` for the data set.

The format: https://docs.ultralytics.com/datasets/segment/. A line is the number of a class, from 0, and the points of
one outline, as shares of width and height. An item of several pieces is one outline whose pieces are joined by cuts of
no width, as Ultralytics' own converter from COCO does it.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import yaml

from clothseg.labels import ATR, LabelSet
from clothseg.outputs.items import Item
from clothseg.outputs.mask_encoding import join_rings


def to_yolo(items: Sequence[Item]) -> str:
    """Return the lines of a photo's items; empty for none, as YOLO takes a photo without objects.

    Class numbers are one less than class ids, since Background is no class in YOLO.
    """
    return "".join(f"{item.class_id - 1} {_numbers(_ring(item), item.size)}\n" for item in items)


def data_yaml(labels: LabelSet = ATR) -> str:
    """Return the data set's description, to lie beside the folders `images` and `labels`.

    >>> data_yaml().splitlines()[:5]
    ['path: .', 'train: images', 'val: images', 'names:', '  0: Hat']
    """
    names = dict(enumerate(labels.foreground))
    about = {"path": ".", "train": "images", "val": "images", "names": names}
    return yaml.safe_dump(about, sort_keys=False, allow_unicode=True)


def _ring(item: Item) -> npt.NDArray[np.float64]:
    """Return an item's outline, (N, 2) x and y in pixels of the photo."""
    ring, *others = (np.reshape(polygon, (-1, 2)) for polygon in item.polygons)
    for other in others:
        ring = join_rings(ring, other)
    return ring


def _numbers(ring: npt.NDArray[np.float64], size: tuple[int, int]) -> str:
    shares = np.clip(ring / size[::-1], 0, 1)
    return " ".join(f"{share:.6g}" for share in shares.ravel().tolist())
