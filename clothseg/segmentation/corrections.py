"""Direct corrections of a result; each returns a corrected copy."""

from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from clothseg.images.label_file import LabelSource
from clothseg.outputs.items import Item
from clothseg.postprocess.corrections import Correction, Mask, apply_labels, checked_mask
from clothseg.postprocess.transparency import background_where_transparent
from clothseg.postprocess.zoom_crop import confidences
from clothseg.segmentation.data import SegmentedPhoto, fitting


class CorrectedPhoto(SegmentedPhoto):
    """A result that can be corrected."""

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
            mask = self.label_map == self.labels.id_of(which)
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
            ConfigError: it has another size, or contains an id beyond the classes.
        """
        new = fitting(label_map, self.photo.size, self.labels)
        return self._corrected(new, new != self.label_map, kind="label_map", label=None)

    def _painted(self, mask: Mask, label: str, kind: Literal["relabel", "paint"]) -> Self:
        new = np.where(mask, np.uint8(self.labels.id_of(label)), self.label_map)
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
        confidence = {name: mean for name, mean in self.confidence.items() if self.labels.id_of(name) not in touched}
        if probability is not None:
            means = confidences(label_map, probability, count=len(self.labels))
            confidence |= {self.labels.names[index]: float(means[index]) for index in touched.tolist()}
        return replace(
            self,
            label_map=label_map,
            person_map=person_map,
            probability=probability,
            confidence={name: confidence[name] for name in self.labels.names if name in confidence},
            corrections=(*self.corrections, Correction(pixels=int(np.count_nonzero(changed)), **correction)),
        )
