"""Write a ZIP with a cut-out of each item, and lists of the items."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError
from clothseg.images.atomic_files import atomic_path, encoded
from clothseg.images.file_names import escaped
from clothseg.labels import ATR, LabelSet
from clothseg.options import CutoutOptions
from clothseg.outputs.coco import to_coco
from clothseg.outputs.cutout import PLAIN, refine
from clothseg.outputs.items import Item, items_to_dict
from clothseg.outputs.masks import file_name


Pixels = npt.NDArray[np.uint8]


def item_cutout(photo: Pixels, item: Item, options: CutoutOptions = PLAIN, alpha: Pixels | None = None) -> Image.Image:
    """Return an item's cut-out, like `Segmentation.cutout` of a class; `alpha` (H, W) uint8 is the photo's, or
    None."""
    return Image.fromarray(refine(photo, item.full_mask(), options, alpha))


def write_zip(
    path: Path,
    photo: Pixels,
    items: Sequence[Item],
    options: CutoutOptions = PLAIN,
    name: str | None = None,
    alpha: Pixels | None = None,
    dpi: tuple[float, float] | None = None,
    polygons: bool = False,
    model: str | None = None,
    notes: Sequence[str] = (),
    labels: LabelSet = ATR,
) -> None:
    """Write a ZIP atomically, with `items.json`, `coco.json` and cut-outs such as `03-Bag.png`.

    Args:
        path: of the ZIP.
        photo: (H, W, 3) uint8 RGB.
        items: of the photo.
        options: how they are cut out.
        name: the photo's file name.
        alpha: (H, W) uint8, opacity of the photo; None: opaque.
        dpi: the photo's resolution, stored in the cut-outs too.
        polygons: write polygons to `coco.json`, not run lengths.
        model: name of the model that found the items.
        notes: notes on the result, `Segmentation.notes`.
        labels: the model's classes.

    Raises:
        ConfigError: the folder does not exist.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"There is no folder {path.parent}; create it first.")
    lists = {
        "items.json": items_to_dict(items, name, notes, labels),
        "coco.json": to_coco(items, (photo.shape[0], photo.shape[1]), name, polygons, model, labels),
    }
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for file, content in lists.items():
            archive.writestr(file, escaped(json.dumps(content, indent=2, ensure_ascii=False)))
        for item in items:
            picture = item_cutout(photo, item, options, alpha)
            if dpi is not None:
                picture.info["dpi"] = dpi
            archive.writestr(f"{item.index:02d}-{file_name(item.name)}.png", encoded(picture, "PNG"))
