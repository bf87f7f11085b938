"""The public result of a segmentation: an immutable photo with its label map; items, files and JSON of it."""

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Self

from clothseg.errors import ConfigError
from clothseg.images.atomic_files import atomic_path, save_picture
from clothseg.images.color_space import to_array
from clothseg.images.decode import Photo, load_photo, photo_name
from clothseg.images.file_names import escaped
from clothseg.images.label_file import LabelSource
from clothseg.labels import ATR, LabelSet
from clothseg.options import CutoutOptions
from clothseg.options.declaration import instance_of
from clothseg.outputs import formats, masks
from clothseg.outputs.find.reader import read_query
from clothseg.outputs.find.selection import Found, select
from clothseg.outputs.item_files import write_zip
from clothseg.outputs.items import MIN_SHARE, Item, find_items
from clothseg.postprocess.class_pixels import class_boxes
from clothseg.segmentation.data import fitting
from clothseg.segmentation.pictures import PicturedPhoto


@dataclass(frozen=True, eq=False)
class Segmentation(PicturedPhoto):
    """A photo with its label map. Immutable: `relabel`, `paint` and `with_label_map` return corrected copies.

    Attributes:
        photo: The upright photo, a PIL image of mode RGB, in its own colours; for transparent photos see `on_white`.
            An (H, W, 3) uint8 array is accepted too; an RGBA image or an (H, W, 4) array is split into photo and
            alpha. `photo.info["dpi"]` is its resolution, if known.
        label_map: (H, W) uint8 class ids at the photo's own size; read-only. Background wherever alpha is 0.
        confidence: Class name -> mean probability (0..1) over that class's pixels, in the order of the ids. Classes
            without a pixel are left out.
        name: The photo's file name, or None.
        model: Name of the model that made the label map, or None.
        probability: (h, w) uint8, 255 times the winning class's probability, on a grid of any size that covers the
            whole photo; read-only. None if unknown.
        person_map: (H, W) uint8, the person of each pixel: 0 for nobody, then 1, 2 ... from left to right; read-only.
            None if people were not separated.
        alpha: (H, W) uint8, opacity of the photo, which limits that of cut-outs; read-only. None if it is opaque.
        rotation: degrees clockwise by which the photo was turned for the segmentation, because it did not look
            upright: 0, 90, 180 or 270. The result is in the photo's own orientation.
        corrections: manual corrections, in order.
        labels: the classes of the label map; ATR's by default.

    Raises:
        ValueError: The label map is not (H, W) uint8 of the photo's size, or contains an id beyond the classes; the
            probability is not (h, w) uint8; the person map or the alpha are not (H, W) uint8.
    """

    @classmethod
    def from_label_map(
        cls, photo: Photo, label_map: LabelSource, *, name: str | None = None, labels: LabelSet = ATR
    ) -> Self:
        """Create a result from a photo and an existing label map, for example one that was corrected elsewhere.

        Args:
            photo: as `Segmenter` takes it.
            label_map: class ids of the photo's size: the path of a PNG, its bytes, a PIL image (mode L or P) or an
                (H, W) array.
            name: the photo's file name; by default that of the path.
            labels: the classes of the label map.

        Raises:
            ImageError: the photo, or the label map, cannot be used.
            ConfigError: the label map has another size, or contains an id beyond the classes.
        """
        loaded = load_photo(photo, keep_alpha=True)
        return cls(loaded, fitting(label_map, loaded.size, labels), name=name or photo_name(photo), labels=labels)

    def items(self, *names: str, min_share: float = MIN_SHARE) -> tuple[Item, ...]:
        """Return the garments and accessories one by one, or the items of the named classes:
        `clothseg.outputs.items.find_items`.

        Raises:
            UnknownClassError: an unknown name.
            ConfigError: `min_share` is not within 0..1.
        """
        return find_items(
            to_array(self.photo),
            self.label_map,
            self.probability,
            self.person_map,
            self.labels.ids_of(names or self.labels.garments),
            min_share,
            self.labels,
        )

    def find(self, text: str) -> Found:
        """Find items by words in English or German, such as "red dress", "black shoes of the person on the left",
        "everything but the hair" or "largest bag": `clothseg.outputs.find`.

        Returns:
            `items`, the garments and body parts found; `mask`, their pixels (H, W) bool, for `cutout_mask`,
            `picture_of_mask`, `packshot_mask` and `recolor`; `missing`, parts of the search that nothing matches;
            `ignored`, words that were not understood; `notes`, sentences about both.

        Raises:
            ConfigError: nothing was understood, or the model has no such classes.
        """
        items = self.items(*self.labels.foreground)
        return select(items, read_query(text, self.labels), self.label_map.shape)

    def save_masks(self, path: str | os.PathLike[str], *names: str, options: CutoutOptions | None = None) -> None:
        """Write a ZIP of `mask_pictures` as PNG, such as `kept.png` and `Dress.png`, atomically.

        Raises:
            UnknownClassError: an unknown name.
            ConfigError: the folder does not exist.
        """
        masks.write_zip(Path(path), self.mask_pictures(*names, options=options))

    def save_items(
        self,
        path: str | os.PathLike[str],
        *names: str,
        options: CutoutOptions | None = None,
        polygons: bool = False,
        items: Sequence[Item] | None = None,
    ) -> tuple[Item, ...]:
        """Write a ZIP of the items' cut-outs and lists of them, atomically (`clothseg.outputs.item_files.write_zip`).

        Args:
            path: of the ZIP.
            names: classes or groups; by default all garments and accessories.
            options: options of the cut-outs.
            polygons: write polygons to `coco.json`, which more tools read, instead of run lengths, which are exact.
            items: items of this result to write instead of those of the named classes.

        Raises:
            UnknownClassError: an unknown name.
            ConfigError: the folder does not exist.
        """
        found = self.items(*names) if items is None else tuple(items)
        write_zip(
            Path(path),
            to_array(self.photo),
            found,
            instance_of(CutoutOptions, options),
            self.name,
            self.alpha,
            self.dpi,
            polygons,
            self.model,
            self.notes,
            self.labels,
        )
        return found

    def export(self, path: str | os.PathLike[str], format: str, *names: str, polygons: bool = False) -> None:
        """Write the items in the format of another tool, atomically: `clothseg.outputs.formats`.

        Args:
            path: of the file.
            format: "coco", "yolo", "labelme", "label-studio", "cvat", "svg" or "psd".
            names: classes or groups; by default all garments and accessories.
            polygons: write polygons in COCO, Label Studio and CVAT files; else exact masks.

        Raises:
            UnknownClassError: an unknown name.
            ConfigError: an unknown format, or the folder does not exist.
        """
        path = Path(path)
        content = self.encoded(format, self.items(*names), self.name, polygons)
        if not path.parent.is_dir():
            raise ConfigError(f"There is no folder {path.parent}; create it first.")
        with atomic_path(path) as file:
            file.write_bytes(content)

    def encoded(self, format: str, items: Sequence[Item], name: str | None = None, polygons: bool = False) -> bytes:
        """Return the bytes that `export` writes, of items of this result; `name` is the photo's name or path."""
        size, picture = (self.photo.height, self.photo.width), (to_array(self.photo), self.alpha)
        return formats.encode(format, items, size, name, polygons, self.model, self.labels, picture=picture)

    def save_label_map(self, path: str | os.PathLike[str], *, grey: bool = False) -> None:
        """Write the label map as a PNG whose pixel values are the class ids, atomically.

        Args:
            path: of the file.
            grey: as for `label_picture`. Read a PNG with a palette with Pillow: `np.asarray(Image.open(path))`.

        Raises:
            ConfigError: the name does not end in .png, or its folder does not exist.
        """
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise ConfigError(f"Only PNG keeps class ids: write {path.stem}.png instead of {path.name}.")
        if not path.parent.is_dir():
            raise ConfigError(f"There is no folder {path.parent}; create it first.")
        save_picture(self.label_picture(grey=grey), path)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready summary; the keys are always the same, `box` is [x, y, width, height] in pixels."""
        return {
            "name": self.name,
            "model": self.model,
            "width": self.photo.width,
            "height": self.photo.height,
            "rotation": self.rotation,
            "notes": list(self.notes),
            "uncertainty": None if self.uncertainty is None else round(self.uncertainty, 4),
            "corrections": [correction.to_dict() for correction in self.corrections],
            "classes": self._class_summaries(),
        }

    def to_json(self, indent: int | None = None) -> str:
        """Return `to_dict` as JSON text."""
        return escaped(json.dumps(self.to_dict(), indent=indent, ensure_ascii=False))

    def _class_summaries(self) -> list[dict[str, Any]]:
        areas = self.areas
        class_ids = [self.labels.id_of(name) for name in areas]
        return [
            {
                "id": class_id,
                "name": name,
                "share": round(share, 6),
                "confidence": round(self.confidence[name], 4) if name in self.confidence else None,
                "box": list(box),
            }
            for (name, share), class_id, box in zip(
                areas.items(), class_ids, class_boxes(self.label_map, class_ids), strict=True
            )
        ]


_init = Segmentation.__init__


@wraps(_init)
def _init_by_old_names(self: Segmentation, *args: Any, **kwargs: Any) -> None:
    if "wearers" in kwargs:
        warnings.warn("Segmentation's wearers are now called person_map.", DeprecationWarning, stacklevel=2)
        kwargs["person_map"] = kwargs.pop("wearers")
    _init(self, *args, **kwargs)


Segmentation.__init__ = _init_by_old_names  # type: ignore[method-assign]
