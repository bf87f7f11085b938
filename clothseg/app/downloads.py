"""Write files of a result for download, each with the photo's own name, in a folder that nobody can guess."""

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from PIL import Image

from clothseg.app.server.gradio_internals import upload_folder
from clothseg.images.atomic_files import atomic_path, save_picture
from clothseg.images.file_names import escaped
from clothseg.options import CutoutOptions, PackshotOptions, TryonOptions
from clothseg.outputs import formats
from clothseg.outputs.coco import to_coco
from clothseg.outputs.cutout import PLAIN
from clothseg.outputs.items import Item, Mask, items_to_dict
from clothseg.outputs.masks import file_name, write_zip
from clothseg.outputs.tryon import FOLDERS
from clothseg.outputs.tryon import write_zip as write_tryon_zip
from clothseg.segmentation import Segmentation


FORMATS = (
    ("YOLO segmentation (TXT)", "yolo"),
    ("LabelMe (JSON)", "labelme"),
    ("Label Studio (JSON)", "label-studio"),
    ("CVAT (XML)", "cvat"),
    ("Outlines (SVG)", "svg"),
    ("Layers (PSD)", "psd"),
)
"""The page's names of formats of other tools, and their names in `clothseg.outputs.formats`."""


class LastFile:
    """The file that was written last, to be given again if the same is wanted: downloaded, copied or dragged out."""

    def __init__(self) -> None:
        """Start without a file."""
        self._content: Any = None
        self._path = ""
        self._turn = Lock()

    def path(self, content: Any, write: Callable[[], str]) -> str:
        """Return the path of a file.

        Args:
            content: what the file is of; compared with the last one's. None is always written.
            write: writes the file and returns its path.
        """
        with self._turn:
            if content is None or content != self._content or not _keep(self._path):
                self._content, self._path = content, write()
            return self._path


def _keep(path: str) -> bool:
    """Let a file count as new, so that it is not deleted yet; return False if it was deleted."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True


def new_file(result: Segmentation, ending: str) -> Path:
    """Return a path for a file of `result`: the photo's own name with `ending`, in a folder that nobody can guess."""
    return new_path(new_name(result, ending))


def new_name(result: Segmentation, ending: str) -> str:
    """Return the photo's own name with `ending`."""
    return Path(result.name or "photo").stem + ending


def new_path(name: str) -> Path:
    """Return a path in a new folder that nobody can guess, among those that gradio deletes after some time."""
    folder = Path(upload_folder()) / secrets.token_hex(20)
    folder.mkdir(parents=True)
    return folder / name


def save_cutout(result: Segmentation, names: Sequence[str], options: CutoutOptions = PLAIN) -> str:
    """Write the cut-out of the named classes as a PNG and return its path."""
    return save_cutout_picture(result, result.cutout(*names, options=options))


def save_cutout_picture(result: Segmentation, cutout: Image.Image) -> str:
    """Write a cut-out of `result` as a PNG and return its path."""
    path = new_file(result, "-cutout.png")
    save_picture(cutout, path)
    return str(path)


def save_mask(result: Segmentation, mask: Mask, options: CutoutOptions = PLAIN) -> str:
    """Write a mask (H, W) bool as a black-and-white PNG and return its path."""
    path = new_file(result, "-mask.png")
    save_picture(result.picture_of_mask(mask, options), path)
    return str(path)


def save_masks(result: Segmentation, names: Sequence[str], options: CutoutOptions = PLAIN) -> list[str]:
    """Write a PNG for each of `Segmentation.mask_pictures` and return their paths, that of the union first."""
    pictures = result.mask_pictures(*names, options=options)
    folder = new_file(result, "").parent
    paths = []
    for name, picture in pictures.items():
        path = folder / f"{Path(result.name or 'photo').stem}-mask-{file_name(name)}.png"
        save_picture(picture, path)
        paths.append(str(path))
    return paths


def save_masks_zip(result: Segmentation, masks: Mapping[str, Mask], options: CutoutOptions = PLAIN) -> str:
    """Write a ZIP with a PNG for each mask (H, W) bool, under its name, and return its path."""
    path = new_file(result, "-masks.zip")
    write_zip(path, {name: result.picture_of_mask(mask, options) for name, mask in masks.items()})
    return str(path)


def save_recolored(result: Segmentation, which: Sequence[str | Mask], color: str) -> str:
    """Write the photo with classes or masks (H, W) bool in another colour as a PNG and return its path."""
    path = new_file(result, "-recolored.png")
    save_picture(result.recolor(which, color), path)
    return str(path)


def save_packshot(result: Segmentation, mask: Mask, packshot: PackshotOptions, options: CutoutOptions = PLAIN) -> str:
    """Write a packshot of a mask (H, W) bool as a PNG and return its path."""
    path = new_file(result, "-packshot.png")
    save_picture(result.packshot_mask(mask, packshot, options), path)
    return str(path)


def save_tryon(result: Segmentation, options: TryonOptions) -> tuple[str, str]:
    """Write mask and picture for virtual try-on as PNGs and return their paths."""
    made = result.tryon(options=options)
    paths = [new_file(result, f"-{name}.png") for name in FOLDERS]
    for path, picture in zip(paths, made, strict=True):
        save_picture(picture, path)
    return str(paths[0]), str(paths[1])


def save_tryon_zip(result: Segmentation, options: TryonOptions) -> str:
    """Write a ZIP with mask and picture for virtual try-on and return its path."""
    path = new_file(result, f"-tryon-{options.part}.zip")
    write_tryon_zip(path, result.tryon(options=options))
    return str(path)


def save_preview(result: Segmentation, picture: Image.Image) -> str:
    """Write a picture that the page shows of `result` as a PNG and return its path."""
    path = new_file(result, "-preview.png")
    save_picture(picture, path)
    return str(path)


def save_labels(result: Segmentation) -> str:
    """Write the label map as a PNG and return its path."""
    path = new_file(result, "-labels.png")
    result.save_label_map(path)
    return str(path)


def save_summary(result: Segmentation) -> str:
    """Write `result.to_json` and return its path."""
    path = new_file(result, ".json")
    with atomic_path(path) as file:
        file.write_text(result.to_json(indent=2), encoding="utf-8")
    return str(path)


def save_overlay(result: Segmentation) -> str:
    """Write the photo with its regions coloured as a JPEG and return its path."""
    path = new_file(result, "-overlay.jpg")
    save_picture(result.overlay(), path, quality=90)
    return str(path)


def save_items(result: Segmentation, items: Sequence[Item]) -> str:
    """Write the list of items as JSON and return its path."""
    path = new_file(result, "-items.json")
    with atomic_path(path) as file:
        found = json.dumps(
            items_to_dict(items, result.name, result.notes, result.labels), indent=2, ensure_ascii=False
        )
        file.write_text(escaped(found), encoding="utf-8")
    return str(path)


def save_coco(result: Segmentation, items: Sequence[Item], polygons: bool = False) -> str:
    """Write the items as a COCO data set of one photo, with run lengths or polygons, and return its path."""
    path = new_file(result, "-coco.json")
    size = (result.photo.height, result.photo.width)
    with atomic_path(path) as file:
        made = to_coco(items, size, result.name, polygons, result.model, result.labels)
        found = json.dumps(made, ensure_ascii=False)
        file.write_text(escaped(found), encoding="utf-8")
    return str(path)


def save_format(result: Segmentation, items: Sequence[Item], kind: str, polygons: bool = False) -> str:
    """Write the items in a format of `clothseg.outputs.formats` and return the file's path."""
    known = formats.FORMATS.get(kind)
    path = new_file(result, f"-{kind}{known.suffix if known else ''}")
    content = result.encoded(kind, items, result.name, polygons)
    with atomic_path(path) as file:
        file.write_bytes(content)
    return str(path)


def save_items_zip(result: Segmentation, items: Sequence[Item], options: CutoutOptions, polygons: bool) -> str:
    """Write a ZIP with a cut-out of each of the items and return its path."""
    path = new_file(result, "-items.zip")
    result.save_items(path, options=options, polygons=polygons, items=items)
    return str(path)
