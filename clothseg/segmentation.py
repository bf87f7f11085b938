"""The result of a segmentation: an immutable photo with its label map, and methods for what is made of it."""

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, Literal, Self

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError, UnknownClassError
from clothseg.images.atomic_files import atomic_path, save_picture
from clothseg.images.color_space import WHITE
from clothseg.images.decode import Photo, load_photo, photo_name
from clothseg.images.file_names import escaped
from clothseg.images.label_file import LabelSource, load_label_map
from clothseg.labels import GROUPS, ID2LABEL, LABEL2ID, NAMES, NUM_CLASSES, class_names, ids_of
from clothseg.options import CutoutOptions, TryonOptions
from clothseg.outputs import formats, masks, render
from clothseg.outputs.cutout import PLAIN, refine
from clothseg.outputs.item_files import write_zip
from clothseg.outputs.items import MIN_SHARE, Item, find_items
from clothseg.outputs.notes import find_notes
from clothseg.outputs.tryon import Tryon, make_tryon
from clothseg.postprocess.corrections import Correction, Mask, apply_labels, checked_mask, class_id_of
from clothseg.postprocess.evidence import Evidence
from clothseg.postprocess.people import Person, people_of
from clothseg.postprocess.transparency import background_where_transparent
from clothseg.postprocess.zoom_crop import confidences


@dataclass(frozen=True, eq=False)
class Segmentation:
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

    Raises:
        ValueError: The label map is not (H, W) uint8 of the photo's size, or contains an id beyond the 18 classes; the
            probability is not (h, w) uint8; the person map or the alpha are not (H, W) uint8.
    """

    photo: Image.Image = field(repr=False)
    label_map: npt.NDArray[np.uint8] = field(repr=False)
    confidence: dict[str, float] = field(default_factory=dict)
    name: str | None = None
    model: str | None = None
    probability: npt.NDArray[np.uint8] | None = field(default=None, repr=False)
    person_map: npt.NDArray[np.uint8] | None = field(default=None, repr=False)
    alpha: npt.NDArray[np.uint8] | None = field(default=None, repr=False)
    rotation: int = 0
    corrections: tuple[Correction, ...] = ()
    _evidence: Evidence = field(default=(), repr=False)
    """What the network said, for `Segmenter.refine`; not pickled: there it is computed again."""

    def __post_init__(self) -> None:
        photo, alpha = _opaque(self.photo, self.alpha)
        size = (photo.height, photo.width)
        label_map = self.label_map
        if photo.mode != "RGB":
            raise ValueError(f"The photo must be RGB, not {photo.mode}; use clothseg.images.decode.load_photo.")
        if label_map.shape != size or label_map.dtype != np.uint8:
            raise ValueError(f"The label map must be {size} uint8, not {label_map.shape} {label_map.dtype}.")
        if label_map.max() >= NUM_CLASSES:
            raise ValueError(f"The label map contains the id {label_map.max()}; class ids end at {NUM_CLASSES - 1}.")
        probability = self.probability
        if probability is not None and (probability.ndim != 2 or probability.dtype != np.uint8):
            raise ValueError(f"The probability must be (h, w) uint8, not {probability.shape} {probability.dtype}.")
        person_map = self.person_map
        if person_map is not None and (person_map.shape != size or person_map.dtype != np.uint8):
            raise ValueError(f"The person map must be {size} uint8, not {person_map.shape} {person_map.dtype}.")
        if alpha is not None:
            if alpha.shape != size or alpha.dtype != np.uint8:
                raise ValueError(f"The alpha must be {size} uint8, not {alpha.shape} {alpha.dtype}.")
            label_map = background_where_transparent(label_map, alpha)
            person_map = None if person_map is None else background_where_transparent(person_map, alpha)
        object.__setattr__(self, "photo", photo)
        object.__setattr__(self, "alpha", None if alpha is None else _frozen(alpha))
        object.__setattr__(self, "label_map", _frozen(label_map))
        object.__setattr__(self, "probability", None if probability is None else _frozen(probability))
        object.__setattr__(self, "person_map", None if person_map is None else _frozen(person_map))
        confidence = {name: float(self.confidence[name]) for name in self.areas if name in self.confidence}
        object.__setattr__(self, "confidence", confidence)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickle, without what can be computed again."""
        return self.__dict__ | {"_evidence": ()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state and make the arrays read-only again, which pickle forgets."""
        self.__dict__.update(state)
        for array in (self.label_map, self.probability, self.person_map, self.alpha):
            if array is not None:
                array.flags.writeable = False

    @classmethod
    def from_label_map(cls, photo: Photo, label_map: LabelSource, *, name: str | None = None) -> Self:
        """Create a result from a photo and an existing label map, for example one that was corrected elsewhere.

        Args:
            photo: as `Segmenter` takes it.
            label_map: class ids of the photo's size: the path of a PNG, its bytes, a PIL image (mode L or P) or an
                (H, W) array.
            name: the photo's file name; by default that of the path.

        Raises:
            ImageError: the photo, or the label map, cannot be used.
            ConfigError: the label map has another size, or contains an id beyond the 18 classes.
        """
        loaded = load_photo(photo, keep_alpha=True)
        return cls(loaded, _fitting(label_map, loaded.size), name=name or photo_name(photo))

    @property
    def wearers(self) -> npt.NDArray[np.uint8] | None:
        """Old name of `person_map`, for one release."""
        warnings.warn("Segmentation.wearers is now called person_map.", DeprecationWarning, stacklevel=2)
        return self.person_map

    @cached_property
    def _counts(self) -> npt.NDArray[np.int64]:
        # In parts, because OpenCV, three times as quick as bincount, counts in float32: exact up to 2**24.
        parts = np.array_split(self.label_map, 1 + self.label_map.size // 2**20)
        counts = [cv2.calcHist([part], [0], None, [NUM_CLASSES], [0, NUM_CLASSES]) for part in parts if part.size]
        return np.sum(counts, axis=0, dtype=np.int64).ravel()

    @cached_property
    def on_white(self) -> Image.Image:
        """The photo on white, RGB, as the network sees it: `photo` itself if it is opaque."""
        if self.alpha is None:
            return self.photo
        white = Image.new("RGB", self.photo.size, WHITE)
        white.paste(self.photo, mask=Image.fromarray(self.alpha))
        return white

    @property
    def dpi(self) -> tuple[float, float] | None:
        """The photo's resolution in dots per inch (horizontal, vertical), or None."""
        return self.photo.info.get("dpi")

    @cached_property
    def people(self) -> tuple[Person, ...]:
        """The people in the photo, from left to right; empty if people were not separated."""
        return () if self.person_map is None else people_of(self.person_map)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Notes on the result: nobody seems to be in the photo, or it was turned. Usually empty."""
        return find_notes(self.label_map, self.probability, self.rotation)

    @cached_property
    def uncertainty(self) -> float | None:
        """How unsure the network was, 0 to 1: what pixels lack to probability 1, added up, per pixel of the figure.

        Photos with high values are worth correcting first. None where probabilities are not known.
        """
        if self.probability is None:
            return None
        labels = cv2.resize(self.label_map, self.probability.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        figure = max(int(np.count_nonzero(labels)), 0.01 * labels.size)
        return min(1.0, float((255 - self.probability).sum(dtype=np.int64) / 255 / figure))

    @property
    def areas(self) -> dict[str, float]:
        """Class name -> share of the photo (0..1), for the classes present, in the order of the ids."""
        return {ID2LABEL[i]: count / self.label_map.size for i, count in enumerate(self._counts.tolist()) if count}

    def mask(self, *names: str) -> npt.NDArray[np.bool_]:
        """Return an (H, W) bool mask of the pixels of any of the named classes. Classes that are not in the photo add
        nothing.

        Raises:
            UnknownClassError: no name, or an unknown one.
        """
        if not names:
            raise UnknownClassError(f"Name at least one class; the classes are: {', '.join(NAMES)}.")
        wanted = np.zeros(256, np.bool_)
        wanted[ids_of(names)] = True
        return wanted.take(self.label_map)

    def relabel(self, which: Item | str | Mask, label: str) -> Self:
        """Return a copy in which an item, all pixels of a class, or the pixels of a mask get another class.

        If people were separated, new pixels of clothing that belong to nobody go to the nearest person, and new pixels
        of Background to nobody. Corrected pixels count as certain (probability 1).

        Args:
            which: one of `items`, the name of a class, or an (H, W) mask.
            label: name of the class; "Background" is allowed.

        Raises:
            UnknownClassError: an unknown class; groups are not allowed.
            ConfigError: the item or the mask does not have the photo's size.
        """
        if isinstance(which, str):
            mask = self.label_map == class_id_of(which)
        else:
            mask = checked_mask(which.full_mask() if isinstance(which, Item) else which, self.label_map.shape)
        return self._painted(mask, label, "relabel")

    def paint(self, mask: Mask, label: str) -> Self:
        """Return a copy in which the pixels of a mask (H, W), bool or 0 and 1, get a class; see `relabel`.

        Raises:
            UnknownClassError: an unknown class; groups are not allowed.
            ConfigError: the mask does not have the photo's size.
        """
        return self._painted(checked_mask(mask, self.label_map.shape), label, "paint")

    def with_label_map(self, label_map: LabelSource) -> Self:
        """Return a copy with a corrected label map; pixels that differ count as certain.

        Args:
            label_map: as for `from_label_map`.

        Raises:
            ImageError: the label map cannot be read.
            ConfigError: it has another size, or contains an id beyond the 18 classes.
        """
        new = _fitting(label_map, self.photo.size)
        return self._corrected(new, new != self.label_map, kind="label_map", label=None)

    def cutout(self, *names: str, options: CutoutOptions | None = None) -> Image.Image:
        """Return a cut-out of the named classes: an RGBA image, or RGB with a background from the options.

        Without options it has the photo's size, and everything else is transparent black. Where the photo is
        transparent, so is the cut-out, in the photo's own colours.

        Raises:
            UnknownClassError: no name, or an unknown one.
        """
        return self.cutout_mask(self.mask(*names), options)

    def cutout_mask(self, mask: Mask, options: CutoutOptions | None = None) -> Image.Image:
        """Return a cut-out of the pixels of a mask (H, W) bool, as `cutout` makes it of classes."""
        made = refine(np.asarray(self.photo), mask, options or PLAIN, self.alpha)
        return self._with_dpi(Image.fromarray(made))

    def mask_picture(self, *names: str, options: CutoutOptions | None = None) -> Image.Image:
        """Return a mask of the named classes: a grey image (mode L) of the photo's size, white where `cutout` keeps.

        Args:
            names: classes or groups.
            options: as for `cutout`, except `background`, `crop` and `margin`: `clothseg.outputs.masks`.

        Raises:
            UnknownClassError: no name, or an unknown one.
        """
        return self.picture_of_mask(self.mask(*names), options)

    def picture_of_mask(self, mask: Mask, options: CutoutOptions | None = None) -> Image.Image:
        """Return a mask (H, W) bool as a grey image (mode L), as `mask_picture` makes it of classes."""
        made = masks.mask_levels(np.asarray(self.photo), mask, options or PLAIN, self.alpha)
        return self._with_dpi(Image.fromarray(made))

    def mask_pictures(self, *names: str, options: CutoutOptions | None = None) -> dict[str, Image.Image]:
        """Return `mask_picture` of all named classes together, under "kept", and of each of them that is in the photo,
        under its name.

        Args:
            names: classes or groups; by default all garments and accessories.
            options: as for `mask_picture`.

        Raises:
            UnknownClassError: an unknown name.
        """
        kept = class_names(names or ("All garments",))
        return {
            name: self.mask_picture(*(kept if name == masks.KEPT else (name,)), options=options)
            for name in masks.named(kept, self.areas)
        }

    def save_masks(self, path: str | os.PathLike[str], *names: str, options: CutoutOptions | None = None) -> None:
        """Write a ZIP of `mask_pictures` as PNG, such as `kept.png` and `Dress.png`, atomically.

        Raises:
            UnknownClassError: an unknown name.
            ConfigError: the folder does not exist.
        """
        masks.write_zip(Path(path), self.mask_pictures(*names, options=options))

    def tryon(self, part: str = "upper", *, options: TryonOptions | None = None) -> Tryon:
        """Return mask and grey picture for virtual try-on models such as CatVTON: `clothseg.outputs.tryon`.

        Args:
            part: which garment is replaced: "upper", "lower" or "overall".
            options: how wide and soft the mask is; their own `part` counts instead of `part`.

        Raises:
            ConfigError: an unknown part.
        """
        options = options or TryonOptions.of({"part": part})
        made = make_tryon(np.asarray(self.photo), self.label_map, options)
        return Tryon(*map(self._with_dpi, made))

    def items(self, *names: str, min_share: float = MIN_SHARE) -> tuple[Item, ...]:
        """Return the garments and accessories one by one, or the items of the named classes:
        `clothseg.outputs.items.find_items`.

        Raises:
            UnknownClassError: an unknown name.
            ConfigError: `min_share` is not within 0..1.
        """
        return find_items(
            np.asarray(self.photo),
            self.label_map,
            self.probability,
            self.person_map,
            ids_of(names or GROUPS["All garments"]),
            min_share,
        )

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
            np.asarray(self.photo),
            found,
            options or PLAIN,
            self.name,
            self.alpha,
            self.dpi,
            polygons,
            self.model,
            self.notes,
        )
        return found

    def export(self, path: str | os.PathLike[str], format: str, *names: str, polygons: bool = False) -> None:
        """Write the items in the format of another tool, atomically: `clothseg.outputs.formats`.

        Args:
            path: of the file.
            format: "coco", "yolo", "labelme", "label-studio", "cvat" or "svg".
            names: classes or groups; by default all garments and accessories.
            polygons: write polygons in COCO, Label Studio and CVAT files; else exact masks.

        Raises:
            UnknownClassError: an unknown name.
            ConfigError: an unknown format, or the folder does not exist.
        """
        path = Path(path)
        size = (self.photo.height, self.photo.width)
        content = formats.encode(format, self.items(*names), size, self.name, polygons, self.model)
        if not path.parent.is_dir():
            raise ConfigError(f"There is no folder {path.parent}; create it first.")
        with atomic_path(path) as file:
            file.write_bytes(content)

    def overlay(self, opacity: float = 0.6) -> Image.Image:
        """Return an RGB image with the palette blended over the photo (on white, if it is transparent), except on
        Background.

        Raises:
            ConfigError: `opacity` is not within 0..1.
        """
        return self._with_dpi(Image.fromarray(render.overlay(np.asarray(self.on_white), self.label_map, opacity)))

    def label_picture(self, *, grey: bool = False) -> Image.Image:
        """Return the label map as an image whose pixel values are the class ids.

        Args:
            grey: return a grey image (mode L), which looks nearly black, instead of one with a palette (mode P).
                Pillow reads the ids of both; OpenCV, scikit-image and others read a palette as colours.
        """
        return self._with_dpi(Image.fromarray(self.label_map) if grey else render.palette_image(self.label_map))

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
        save_picture(self.label_picture(grey=grey), path, **render.PNG_OF_LABELS)

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
            "classes": [self._class_summary(name, share) for name, share in self.areas.items()],
        }

    def to_json(self, indent: int | None = None) -> str:
        """Return `to_dict` as JSON text."""
        return escaped(json.dumps(self.to_dict(), indent=indent, ensure_ascii=False))

    def _painted(self, mask: Mask, label: str, kind: Literal["relabel", "paint"]) -> Self:
        new = np.where(mask, np.uint8(class_id_of(label)), self.label_map)
        return self._corrected(new, mask, kind=kind, label=label)

    def _corrected(self, new: npt.NDArray[np.uint8], certain: Mask, **correction: Any) -> Self:
        """Return a copy with another label map (H, W) uint8, whose `certain` pixels (H, W) were set by hand."""
        if self.alpha is not None:
            new = background_where_transparent(new, self.alpha)
        changed = new != self.label_map
        label_map, person_map, probability = apply_labels(
            new, certain, self.label_map, self.person_map, self.probability
        )
        touched = np.union1d(new[changed], self.label_map[changed])
        confidence = {name: mean for name, mean in self.confidence.items() if LABEL2ID[name] not in touched}
        if probability is not None:
            means = confidences(label_map, probability)
            confidence |= {ID2LABEL[index]: float(means[index]) for index in touched.tolist()}
        return replace(
            self,
            label_map=label_map,
            person_map=person_map,
            probability=probability,
            confidence={name: confidence[name] for name in NAMES if name in confidence},
            corrections=(*self.corrections, Correction(pixels=int(np.count_nonzero(changed)), **correction)),
        )

    def _with_dpi(self, picture: Image.Image) -> Image.Image:
        if self.dpi is not None:
            picture.info["dpi"] = self.dpi
        return picture

    def _class_summary(self, name: str, share: float) -> dict[str, Any]:
        class_id = NAMES.index(name)
        confidence = self.confidence.get(name)
        return {
            "id": class_id,
            "name": name,
            "share": round(share, 6),
            "confidence": None if confidence is None else round(confidence, 4),
            "box": list(cv2.boundingRect((self.label_map == class_id).view(np.uint8))),
        }


def _opaque(
    photo: Image.Image | npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8] | None
) -> tuple[Image.Image, npt.NDArray[np.uint8] | None]:
    """Return a photo without alpha, and its alpha: its own if it is RGBA, else the given one."""
    if isinstance(photo, np.ndarray):
        photo = Image.fromarray(photo)
    if photo.mode != "RGBA":
        return photo, alpha
    return photo.convert("RGB"), np.asarray(photo.getchannel("A"))


def _fitting(source: LabelSource, photo_size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return a label map (H, W) uint8 that fits a photo of (W, H)."""
    label_map = load_label_map(source)
    width, height = photo_size
    if label_map.shape != (height, width):
        raise ConfigError(
            f"The label map must have the photo's size of {width} x {height} pixels, not {label_map.shape[1]} x "
            f"{label_map.shape[0]}."
        )
    if label_map.max() >= NUM_CLASSES:
        raise ConfigError(f"The label map contains the id {label_map.max()}; class ids end at {NUM_CLASSES - 1}.")
    return label_map


def _frozen(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the array contiguous and read-only; a copy unless it already is."""
    if array.flags.writeable or not array.flags.c_contiguous:
        array = array.copy()
        array.flags.writeable = False
    return array


_init = Segmentation.__init__


@wraps(_init)
def _init_by_old_names(self: Segmentation, *args: Any, **kwargs: Any) -> None:
    if "wearers" in kwargs:
        warnings.warn("Segmentation's wearers are now called person_map.", DeprecationWarning, stacklevel=2)
        kwargs["person_map"] = kwargs.pop("wearers")
    _init(self, *args, **kwargs)


Segmentation.__init__ = _init_by_old_names  # type: ignore[method-assign]
