"""Recognise photos that are not upright, or that show a lying person, and turn them.

The network was trained on upright people. In other photos it finds little, is uncertain, and places heads below legs.
If the first pass has these signs, the photo is segmented again, turned by 90, 180 and 270 degrees, and the orientation
with the highest confidence is used if it shows a person. docs/limits.md has the figures.
"""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.labels import ATR, BACKGROUND, LabelSet
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.softmax import softmax
from clothseg.postprocess.upsample import best_classes
from clothseg.postprocess.zoom_crop import find_zoom_crop


ROTATIONS = (0, 90, 180, 270)
"""Degrees clockwise by which a photo may have to be turned, as in EXIF."""

CONFIDENCE = 0.9
"""Mean probability of the figure's classes from which the network counts as certain, as in upright photos."""

CONFIDENCE_OF_PERSON = 0.85
"""The same if the figure's head is at its top or its legs are at its bottom."""

CONFIDENCE_OF_HEAD = 0.7
"""The same if a large head (at least `LARGE_HEAD` of the figure) is at the top."""

LARGE_HEAD = 0.08
"""Least share of the figure in a large head."""

HEAD_HEIGHT = 0.2
"""Largest mean position of a head down the figure, as a share of the figure's height."""

HEAD_HEIGHT_WITHOUT_LEGS = 0.4
"""The same in a photo that shows no legs."""

LEGS_HEIGHT = 0.55
"""Least mean position of legs and shoes."""

HEAD_LEAST = 0.03
"""Least share of the figure in its head for the head's position to count."""

LEGS_LEAST = 0.06
"""The same for legs and shoes."""

GAIN = 0.02
"""Least gain of confidence for turning a photo if neither orientation looks upright."""

CONFIDENCE_OF_TURNED = 0.75
"""Least confidence for turning a photo to an orientation that does not clearly look upright. Turning also raises the
confidence for some clothes without a wearer, but hardly ever that far."""

SLACK = 0.1
"""Largest loss of confidence for turning a photo if only the turned one looks upright."""

FIGURE_LEAST = 0.002
"""Least share of the picture that is not Background; below it, nobody was found."""

_TURNS = {
    90: Image.Transpose.ROTATE_270,  # Pillow turns counterclockwise
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


Logits = TypeVar("Logits")


class Layout(NamedTuple):
    """Features of a first pass that tell whether a photo is upright.

    Attributes:
        figure: share of the picture that is not Background.
        confidence: mean probability of the winning class within it.
        head: share of the figure in hat, hair, sunglasses and face.
        head_height: their mean position down the figure: 0 is its top, 1 its bottom.
        legs: share of the figure in legs and shoes.
        legs_height: their mean position down the figure.
    """

    figure: float
    confidence: float
    head: float
    head_height: float
    legs: float
    legs_height: float

    @property
    def is_upright(self) -> bool:
        """Return whether the network is certain of the figure, and head and legs are where they are in upright
        photos."""
        if self.is_upside_down:
            return False
        if self.head >= LARGE_HEAD and self.head_height <= HEAD_HEIGHT:
            return self.confidence >= CONFIDENCE_OF_HEAD
        return self.confidence >= (CONFIDENCE_OF_PERSON if self.shows_person else CONFIDENCE)

    @property
    def may_be_upright(self) -> bool:
        """Return whether a photo may be turned to this orientation."""
        return self.is_upright or (self.confidence >= CONFIDENCE_OF_TURNED and self.shows_person)

    @property
    def is_upside_down(self) -> bool:
        """Return whether the head is not at the top, or the legs are not at the bottom."""
        has_legs = self.legs >= LEGS_LEAST
        lowest = HEAD_HEIGHT if has_legs else HEAD_HEIGHT_WITHOUT_LEGS
        head_low = self.head >= HEAD_LEAST and self.head_height > lowest
        return head_low or (has_legs and self.legs_height < LEGS_HEIGHT)

    @property
    def shows_person(self) -> bool:
        """Return whether there is a head at the top or legs at the bottom, and neither elsewhere."""
        return (self.head >= HEAD_LEAST or self.legs >= LEGS_LEAST) and not self.is_upside_down


def find_layout(logits: npt.NDArray[np.float32], labels: LabelSet = ATR) -> Layout:
    """Return the layout of a figure from the logits (classes, h, w) float32 of a whole photo."""
    figure = best_classes(logits) != BACKGROUND
    count = np.count_nonzero(figure)
    if not count:
        return Layout(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    rows = np.nonzero(figure)[0]
    height = (rows - rows.min()) / max(1, int(np.ptp(rows)))
    inside = softmax(logits.reshape(len(logits), -1).compress(figure.ravel(), axis=1))  # quicker than by a mask
    parts = []
    for classes in (labels.head, labels.legs):
        weight = inside[classes].sum(axis=0)
        total = float(weight.sum())
        parts += [total / count, float((weight * height).sum()) / max(total, 1e-6)]
    return Layout(count / figure.size, float(inside.max(axis=0).mean()), *parts)


def turn(photo: Image.Image, rotation: int) -> Image.Image:
    """Return the photo turned clockwise by one of `ROTATIONS`."""
    return photo.transpose(_TURNS[rotation]) if rotation else photo


def turn_back(array: npt.NDArray[np.uint8], rotation: int) -> npt.NDArray[np.uint8]:
    """Turn an (H, W) map of a photo that was turned clockwise by one of `ROTATIONS` back."""
    return np.ascontiguousarray(np.rot90(array, rotation // 90)) if rotation else array


class Orientation(NamedTuple, Generic[Logits]):
    """How to turn a photo, and its logits after that.

    Attributes:
        rotation: one of `ROTATIONS`.
        logits: of the whole turned photo.
        crop: the zoom crop of the turned photo, and its logits; None if there is none.
    """

    rotation: int
    logits: Logits
    crop: tuple[Box, Logits] | None = None


def find_orientation(
    photo: Image.Image,
    logits: Logits,
    *,
    infer: Callable[[Image.Image], Logits],
    as_array: Callable[[Logits], npt.NDArray[np.float32]],
    aspect: float,
    labels: LabelSet = ATR,
) -> Orientation[Logits]:
    """Find the rotation that makes the people in a photo upright.

    No more passes are needed if the first one looks upright. Otherwise the photo is segmented in the other
    orientations until one looks upright. A small figure is judged by its zoom crop, since the network is never certain
    of small figures.

    Args:
        photo: RGB.
        logits: of the photo, not turned.
        infer: the network: logits (classes, h, w) of a photo or a crop.
        as_array: converts logits to a NumPy array.
        aspect: height over width of the network's input.
        labels: the classes; without heads and legs, all photos count as upright.
    """
    if not labels.head and not labels.legs:
        return Orientation(0, logits)

    def examine(turned: Image.Image, rotation: int, logits: Logits) -> tuple[Layout, Orientation[Logits]]:
        whole = as_array(logits)
        layout, crop = find_layout(whole, labels), None
        if layout.figure >= FIGURE_LEAST and not layout.is_upright:
            box = find_zoom_crop(whole, (turned.height, turned.width), aspect)
            if box is not None:
                crop = box, infer(turned.crop(box))
                layout = find_layout(as_array(crop[1]), labels)
        return layout, Orientation(rotation, logits, crop)

    first, best = examine(photo, 0, logits)
    if first.is_upright or first.figure < FIGURE_LEAST:
        return best
    best_confidence = first.confidence + GAIN
    # People are higher than wide, so a wide photo is more likely turned by 90 or 270 degrees than by 180.
    for rotation in (90, 270, 180) if photo.width > photo.height else (180, 90, 270):
        turned = turn(photo, rotation)
        layout, orientation = examine(turned, rotation, infer(turned))
        if layout.is_upright and layout.shows_person and layout.confidence > first.confidence - SLACK:
            return orientation
        if layout.confidence > best_confidence and layout.may_be_upright:
            best, best_confidence = orientation, layout.confidence
    return best
