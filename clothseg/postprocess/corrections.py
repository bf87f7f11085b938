"""Corrections of a label map, and their effect on people and probabilities.

A pixel whose class a person set is certain. If people were separated, pixels that become clothing belong to the
nearest person, and pixels that become Background to nobody.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.errors import ConfigError, UnknownClassError
from clothseg.labels import BACKGROUND


Labels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Correction:
    """One correction of a result.

    Attributes:
        kind: "click", "relabel" (an item, a class or a mask got another class), "paint" or "label_map" (a corrected
            label map was handed in).
        label: name of the class that was given; None for a label map.
        pixels: how many pixels changed their class.
        x: of a click, in pixels of the photo; else None.
        y: likewise.
    """

    kind: Literal["click", "relabel", "paint", "label_map"]
    label: str | None
    pixels: int
    x: int | None = None
    y: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"kind": self.kind, "label": self.label, "pixels": self.pixels, "x": self.x, "y": self.y}


class Corrected(NamedTuple):
    """Arrays that a correction changes.

    Attributes:
        label_map: (H, W) uint8 class ids.
        person_map: (H, W) uint8 numbers of people, or None.
        probability: (h, w) uint8 grid over the photo, or None.
    """

    label_map: Labels
    person_map: Labels | None
    probability: Labels | None


def check_label(label: Any) -> None:
    """Check that the name of a class is text; whether there is such a class depends on the label set.

    Raises:
        UnknownClassError: it is not.
    """
    if not isinstance(label, str):
        raise UnknownClassError(f"The name of a class must be text, not {repr(label)[:50]}.")


def checked_mask(mask: Any, shape: tuple[int, ...]) -> Mask:
    """Return a mask as bool.

    Raises:
        ConfigError: it does not have the shape (H, W) of the photo, or is neither bool nor 0 and 1.
    """
    mask = np.asarray(mask)
    if mask.shape != shape:
        raise ConfigError(f"The mask must have the photo's size (height, width) {shape}, not {mask.shape}.")
    if mask.dtype != np.bool_ and not (np.issubdtype(mask.dtype, np.integer) and 0 <= mask.min() <= mask.max() <= 1):
        raise ConfigError(f"The mask must be of bool, or of 0 and 1, not {mask.dtype}.")
    return mask.astype(np.bool_, copy=False)


def apply_labels(
    new: Labels, certain: Mask, label_map: Labels, person_map: Labels | None, probability: Labels | None
) -> Corrected:
    """Return a result's arrays after a correction of its label map.

    Args:
        new: (H, W) uint8, the corrected label map.
        certain: (H, W), pixels whose class a person set.
        label_map: (H, W) uint8, the label map before.
        person_map: (H, W) uint8 numbers of people before, 0 for nobody; or None.
        probability: (h, w) uint8 grid of the winners' probabilities before; or None.
    """
    if person_map is not None:
        person_map = assign_people(person_map, new, new != label_map)
    if probability is not None and certain.any():
        share = cv2.resize(certain.astype(np.float32), probability.shape[::-1], interpolation=cv2.INTER_AREA)
        probability = np.where(share >= 0.5, np.uint8(255), probability)
    return Corrected(new, person_map, probability)


def assign_people(person_map: Labels, label_map: Labels, changed: Mask) -> Labels:
    """Return the person map (H, W) uint8 of a corrected label map: changed pixels of nobody get the nearest person.

    Pixels that became Background belong to nobody. Numbers are not changed, so a person whose last pixel was removed
    leaves a gap. If there was nobody, the pixels get the first person.
    """
    person_map = person_map.copy()
    person_map[changed & (label_map == BACKGROUND)] = 0
    free = changed & (label_map != BACKGROUND) & (person_map == 0)
    if not free.any():
        return person_map
    nobody = (person_map == 0).view(np.uint8)
    if nobody.all():
        person_map[free] = 1
        return person_map
    _, nearest = cv2.distanceTransformWithLabels(nobody, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL)
    numbers = np.zeros(int(nearest.max()) + 1, np.uint8)
    numbers[nearest[nobody == 0]] = person_map[nobody == 0]
    person_map[free] = numbers[nearest[free]]
    return person_map
