"""The data of a result: a photo with its label map, checked and read-only, and what follows from them."""

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError, UnknownClassError
from clothseg.images.color_space import WHITE
from clothseg.images.label_file import LabelSource, load_label_map
from clothseg.labels import ATR, LabelSet
from clothseg.outputs.notes import find_notes
from clothseg.postprocess.class_pixels import class_mask, count_classes
from clothseg.postprocess.corrections import Correction
from clothseg.postprocess.evidence import Evidence
from clothseg.postprocess.people import Person, people_of
from clothseg.postprocess.transparency import background_where_transparent


@dataclass(frozen=True, eq=False)
class SegmentedPhoto:
    """A photo with its label map; `clothseg.Segmentation` describes the attributes and errors."""

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
    labels: LabelSet = field(default=ATR, repr=False)
    _evidence: Evidence = field(default=(), repr=False)
    """The network's evidence for `Segmenter.refine`; not pickled, but computed again."""

    def __post_init__(self) -> None:
        photo, alpha = _opaque(self.photo, self.alpha)
        size = (photo.height, photo.width)
        label_map = self.label_map
        if photo.mode != "RGB":
            raise ValueError(f"The photo must be RGB, not {photo.mode}; use clothseg.images.decode.load_photo.")
        if label_map.shape != size or label_map.dtype != np.uint8:
            raise ValueError(f"The label map must be {size} uint8, not {label_map.shape} {label_map.dtype}.")
        if label_map.max() >= len(self.labels):
            raise ValueError(
                f"The label map contains the id {label_map.max()}; class ids end at {len(self.labels) - 1}."
            )
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

    @property
    def wearers(self) -> npt.NDArray[np.uint8] | None:
        """Old name of `person_map`, for one release."""
        warnings.warn("Segmentation.wearers is now called person_map.", DeprecationWarning, stacklevel=2)
        return self.person_map

    @cached_property
    def _counts(self) -> npt.NDArray[np.int64]:
        return count_classes(self.label_map, len(self.labels))

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
        return find_notes(self.label_map, self.probability, self.rotation, self.labels)

    @cached_property
    def uncertainty(self) -> float | None:
        """Uncertainty of the network, 0 to 1: the sum of 1 - probability of all pixels, per pixel of the figure.

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
        return {
            self.labels.names[i]: count / self.label_map.size for i, count in enumerate(self._counts.tolist()) if count
        }

    def mask(self, *names: str) -> npt.NDArray[np.bool_]:
        """Return an (H, W) bool mask of the pixels of any of the named classes. Classes that are not in the photo add
        nothing.

        Raises:
            UnknownClassError: no name, or an unknown one.
        """
        if not names:
            raise UnknownClassError(f"Name at least one class; the classes are: {', '.join(self.labels.names)}.")
        return class_mask(self.label_map, self.labels.ids_of(names))


def _opaque(
    photo: Image.Image | npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8] | None
) -> tuple[Image.Image, npt.NDArray[np.uint8] | None]:
    """Return a photo without alpha, and its alpha: its own if it is RGBA, else the given one."""
    if isinstance(photo, np.ndarray):
        photo = Image.fromarray(photo)
    if photo.mode != "RGBA":
        return photo, alpha
    return photo.convert("RGB"), np.asarray(photo.getchannel("A"))


def fitting(source: LabelSource, photo_size: tuple[int, int], labels: LabelSet) -> npt.NDArray[np.uint8]:
    """Return a label map (H, W) uint8 that fits a photo of (W, H)."""
    label_map = load_label_map(source)
    width, height = photo_size
    if label_map.shape != (height, width):
        raise ConfigError(
            f"The label map must have the photo's size of {width} x {height} pixels, not {label_map.shape[1]} x "
            f"{label_map.shape[0]}."
        )
    if label_map.max() >= len(labels):
        raise ConfigError(f"The label map contains the id {label_map.max()}; class ids end at {len(labels) - 1}.")
    return label_map


def _frozen(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the array contiguous and read-only; a copy unless it already is."""
    if array.flags.writeable or not array.flags.c_contiguous:
        array = array.copy()
        array.flags.writeable = False
    return array
