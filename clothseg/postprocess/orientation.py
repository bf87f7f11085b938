"""Photos that are not upright: turned by 90, 180 or 270 degrees, or of somebody who lies.

The network learnt from people who stand upright. In other photos it finds little, is not sure of it, and finds heads
below legs. Where the first pass looks so, the photo is segmented again turned by 90, 180 and 270 degrees. The
orientation in which the network is surest is taken, if it shows a person.
docs/limits.md has the figures.
"""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.labels import BACKGROUND, LABEL2ID
from clothseg.postprocess.softmax import softmax
from clothseg.postprocess.zoom_crop import Box, find_zoom_crop


ROTATIONS = (0, 90, 180, 270)
"""By how many degrees clockwise a photo may have to be turned to stand upright, as with the tag of EXIF."""

CONFIDENCE = 0.9
"""Mean probability of the figure's classes from which on the network is as sure as it is of upright photos."""

CONFIDENCE_OF_PERSON = 0.85
"""The same, where the figure's head is at its top, or its legs are at its bottom."""

CONFIDENCE_OF_HEAD = 0.7
"""The same, where a large head is at the top: `LARGE_HEAD` of the figure at least."""

LARGE_HEAD = 0.08

HEAD_HEIGHT = 0.15

HEAD_HEIGHT = 0.2
"""How far down the figure a head lies at most, on average, as a share of the figure's height."""

HEAD_HEIGHT_WITHOUT_LEGS = 0.4
"""The same in a photo that shows no legs."""

LEGS_HEIGHT = 0.55
"""How far down the figure legs and shoes lie at least."""

HEAD_LEAST = 0.03
"""Share of the figure that its head has at least, for the place of the head to mean anything."""

LEGS_LEAST = 0.06
"""The same of legs and shoes."""

GAIN = 0.02
"""By how much the network must be surer of a turned photo than of the photo as it is, if neither looks upright."""

CONFIDENCE_OF_TURNED = 0.75
"""How sure the network must be of a turned photo that does not surely look upright. It is also surer of some clothes
without a wearer if they are turned, but hardly ever as sure as this."""

SLACK = 0.1
"""By how much the network may be less sure of a turned photo than of the photo as it is, if only the former looks
upright."""

FIGURE_LEAST = 0.002
"""Share of the picture that is not Background at least; below it, nobody was found."""

_HEAD = [LABEL2ID[name] for name in ("Hat", "Hair", "Sunglasses", "Face")]
_LEGS = [LABEL2ID[name] for name in ("Left-shoe", "Right-shoe", "Left-leg", "Right-leg")]

_TURNS = {
    90: Image.Transpose.ROTATE_270,  # Pillow turns counterclockwise
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


Logits = TypeVar("Logits")


class Layout(NamedTuple):
    """What of a first pass tells whether a photo is upright.

    Attributes:
        figure: share of the picture that is not Background.
        confidence: mean probability of the winning class within it.
        head: share of the figure that hat, hair, sunglasses and face have.
        head_height: how far down the figure they lie on average: 0 is its top, 1 its bottom.
        legs: share of the figure that legs and shoes have.
        legs_height: how far down the figure they lie on average.
    """

    figure: float
    confidence: float
    head: float
    head_height: float
    legs: float
    legs_height: float

    @property
    def is_upright(self) -> bool:
        """Whether the network is sure of the figure, and head and legs are where they are in upright photos."""
        if self.is_upside_down:
            return False
        if self.head >= LARGE_HEAD and self.head_height <= HEAD_HEIGHT:
            return self.confidence >= CONFIDENCE_OF_HEAD
        return self.confidence >= (CONFIDENCE_OF_PERSON if self.shows_person else CONFIDENCE)

    @property
    def may_be_upright(self) -> bool:
        """Whether a photo may be turned for this."""
        return self.is_upright or (self.confidence >= CONFIDENCE_OF_TURNED and self.shows_person)

    @property
    def is_upside_down(self) -> bool:
        """Whether the head is not at the top, or the legs are not at the bottom."""
        has_legs = self.legs >= LEGS_LEAST
        lowest = HEAD_HEIGHT if has_legs else HEAD_HEIGHT_WITHOUT_LEGS
        head_low = self.head >= HEAD_LEAST and self.head_height > lowest
        return head_low or (has_legs and self.legs_height < LEGS_HEIGHT)

    @property
    def shows_person(self) -> bool:
        """Whether there are a head at the top, or legs at the bottom, and neither elsewhere."""
        return (self.head >= HEAD_LEAST or self.legs >= LEGS_LEAST) and not self.is_upside_down


def find_layout(logits: npt.NDArray[np.float32]) -> Layout:
    """The layout of a figure, from the logits (18, h, w) float32 of a whole photo."""
    shares = softmax(logits)
    figure = shares.argmax(axis=0) != BACKGROUND
    count = np.count_nonzero(figure)
    if not count:
        return Layout(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    rows = np.nonzero(figure)[0]
    height = (rows - rows.min()) / max(1, int(np.ptp(rows)))
    inside = shares[:, figure]
    parts = []
    for classes in (_HEAD, _LEGS):
        weight = inside[classes].sum(axis=0)
        total = float(weight.sum())
        parts += [total / count, float((weight * height).sum()) / max(total, 1e-6)]
    return Layout(count / figure.size, float(inside.max(axis=0).mean()), *parts)


def turn(photo: Image.Image, rotation: int) -> Image.Image:
    """The photo turned clockwise by one of `ROTATIONS`."""
    return photo.transpose(_TURNS[rotation]) if rotation else photo


def turn_back(array: npt.NDArray[np.uint8], rotation: int) -> npt.NDArray[np.uint8]:
    """An (H, W) map of a photo that was turned clockwise by one of `ROTATIONS`, as it lies over the photo itself."""
    return np.ascontiguousarray(np.rot90(array, rotation // 90)) if rotation else array


class Orientation(NamedTuple, Generic[Logits]):
    """How a photo is to be turned, and what is known of it then.

    Attributes:
        rotation: one of `ROTATIONS`.
        logits: of the whole photo, turned so.
        crop: the zoom crop of the photo, turned so, and its logits; None if it was not needed.
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
) -> Orientation[Logits]:
    """By how much to turn a photo for its people to stand upright.

    Takes no more passes if the first one looks like one of an upright photo. Otherwise the photo is segmented in the
    other orientations until one looks upright. A small figure, of which the network is never sure, is judged by its
    zoom crop.

    Args:
        photo: RGB.
        logits: of the photo as it is.
        infer: the network: a photo, or a crop, to logits (18, h, w).
        as_array: logits to a NumPy array.
        aspect: height over width of the network's input.
    """

    def look(turned: Image.Image, rotation: int, logits: Logits) -> tuple[Layout, Orientation[Logits]]:
        whole = as_array(logits)
        layout, crop = find_layout(whole), None
        if layout.figure >= FIGURE_LEAST and not layout.is_upright:
            box = find_zoom_crop(whole, (turned.height, turned.width), aspect)
            if box is not None:
                crop = box, infer(turned.crop(box))
                layout = find_layout(as_array(crop[1]))
        return layout, Orientation(rotation, logits, crop)

    first, best = look(photo, 0, logits)
    if first.is_upright or first.figure < FIGURE_LEAST:
        return best
    best_confidence = first.confidence + GAIN
    # People are higher than wide: of a wide photo a quarter is likelier.
    for rotation in (90, 270, 180) if photo.width > photo.height else (180, 90, 270):
        turned = turn(photo, rotation)
        layout, orientation = look(turned, rotation, infer(turned))
        if layout.is_upright and layout.shows_person and layout.confidence > first.confidence - SLACK:
            return orientation
        if layout.confidence > best_confidence and layout.may_be_upright:
            best, best_confidence = orientation, layout.confidence
    return best
