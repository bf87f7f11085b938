"""From the network's answer to what is known of a photo: labels, a closer look, people told apart, rules."""

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Union

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.labels import BACKGROUND
from clothseg.postprocess.back_view import turned
from clothseg.postprocess.cleanup import drop_specks, tidy, without_legs
from clothseg.postprocess.guided_edges import follow_edges
from clothseg.postprocess.people import parse, territories
from clothseg.postprocess.upsample import best_classes, label_pixels, winning_probability
from clothseg.postprocess.zoom_crop import Box, confidences, faded, paste, surroundings


if TYPE_CHECKING:
    import torch

Logits = Union[npt.NDArray[np.float32], "torch.Tensor"]
"""Of a photo, (18, h, w) float32; a tensor of a GPU's engine, which draws label maps there."""

Closer = Callable[[Image.Image], Logits]
"""The network: a photo, or a part of one, to its logits (18, h, w)."""

_log = logging.getLogger(__name__)

WIDE = 2.5
"""How many times as many pixels as usual the network sees of wide photos, where it looks for people."""


class Reading(NamedTuple):
    """What is known of a photo.

    Attributes:
        label_map: (H, W) uint8 class ids.
        means: (18,) float64, each class's mean probability.
        probability: (h, w) uint8, a grid over the photo; 255 times the winner's probability.
        wearers: (H, W) uint8, whose each pixel is, where people were told apart.
    """

    label_map: npt.NDArray[np.uint8]
    means: npt.NDArray[np.float64]
    probability: npt.NDArray[np.uint8]
    wearers: npt.NDArray[np.uint8] | None = None


def read(photo: Image.Image, logits: Logits, guided: bool) -> Reading:
    """What the logits (18, h, w) of a photo say.

    `guided`: borders follow it, legs beyond its end are ruled out, and sides trade places in someone seen from behind.
    """
    if not isinstance(logits, np.ndarray):
        try:
            return _read_there(photo, logits, guided)
        except RuntimeError as error:  # no memory left on the GPU, mostly
            _log.warning("The label map is drawn by the CPU instead of the GPU: %s", error)
            logits = _as_array(logits)
    size = (photo.height, photo.width)
    if not guided:
        return Reading(*label_pixels(logits, size))
    logits = turned(without_legs(logits))
    label_map, probability = follow_edges(logits, photo), winning_probability(logits, size)
    return Reading(label_map, confidences(label_map, probability, np.unique(best_classes(logits))), probability)


def _read_there(photo: Image.Image, logits: "torch.Tensor", guided: bool) -> Reading:
    """`read`, where the logits are. Two rules look at them here: they are small, beside photo and label map."""
    from clothseg.engines import device

    size = (photo.height, photo.width)
    if not guided:
        return Reading(*device.label_pixels(logits, size))
    said = _as_array(logits)
    ruled = turned(without_legs(said))
    if ruled is not said:
        logits = device.upload(ruled, logits.device)
    label_map = device.follow_edges(logits, device.upload(np.asarray(photo), logits.device))
    probability = device.winning_probability(logits, size)
    return Reading(label_map, confidences(label_map, probability), probability)


def _as_array(logits: Logits) -> npt.NDArray[np.float32]:
    return logits if isinstance(logits, np.ndarray) else logits.cpu().numpy()


def _beside(logits: Logits, array: npt.NDArray[np.float32]) -> Logits:
    """An array as what these logits are, and where they are."""
    if isinstance(logits, np.ndarray):
        return array
    from clothseg.engines.device import upload

    return upload(array, logits.device)


def read_one(
    photo: Image.Image, logits: Logits, *, closer: Closer | None, aspect: float, guided: bool, rules: bool
) -> Reading:
    """Take a photo for one of a single person.

    Args:
        photo: RGB.
        logits: (18, h, w) of the whole photo.
        closer: looks at a small figure once more; None never does.
        aspect: height over width of the network's input.
        guided: let borders follow the photo's.
        rules: apply `clothseg.postprocess.cleanup`.
    """
    label_map, means, probability, _ = read(photo, logits, guided)
    if closer and (box := surroundings(said := _as_array(logits), label_map.shape, aspect)):
        nearer, nearer_probability = _look(photo, box, closer, guided, said)
        label_map = paste(label_map, nearer, box, label_map.shape)
        probability = paste(probability, nearer_probability, box, label_map.shape)
        means = confidences(label_map, probability)
    return Reading(tidy(label_map) if rules else label_map, means, probability)


def read_each(
    photo: Image.Image, logits: Logits, *, closer: Closer, aspect: float, guided: bool, zoom: bool, rules: bool
) -> Reading:
    """Tell people apart and look at each; arguments as of `read_one`, `logits` of a look in `wide_size`."""
    label_map, _, probability, _ = read(photo, logits, guided)
    divided = territories(label_map)
    if divided.max() <= 1:  # as without the option: specks and all are the one person's
        alone = read_one(
            photo, closer(photo), closer=closer if zoom else None, aspect=aspect, guided=guided, rules=rules
        )
        return alone._replace(wearers=(alone.label_map != BACKGROUND).view(np.uint8))

    look = partial(_look, photo, closer=closer, guided=guided)
    label_map, probability, wearers = parse(label_map, probability, divided, aspect, look)
    if rules:
        drop_specks(label_map)
        wearers = np.where(label_map == BACKGROUND, np.uint8(0), np.where(wearers > 0, wearers, divided))
    return Reading(label_map, confidences(label_map, probability), probability, wearers)


def wide_size(size: tuple[int, int], usual: tuple[int, int]) -> tuple[int, int]:
    """(h, w) in which to look for people in a photo of `size` (W, H), where the network usually sees `usual` (h, w).

    In the photo's proportions: side by side in the upright input, people would be squeezed out of recognition.
    """
    width, height = size
    stretch = min(max(height / width, 0.25), 4.0)
    area = usual[0] * usual[1] * min(max(usual[0] / usual[1] / stretch, 1.0), WIDE)
    high, wide = (round((area * factor) ** 0.5 / 32) * 32 for factor in (stretch, 1 / stretch))
    return max(32, high), max(32, wide)


def _look(
    photo: Image.Image, box: Box, closer: Closer, guided: bool, said: npt.NDArray[np.float32] | None = None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Label map and probability of a part of the photo from closer, fading into what a first look `said`, if any."""
    part = photo.crop(box)
    close = closer(part)
    if said is not None:
        close = _beside(close, faded(_as_array(close), said, box, (photo.height, photo.width)))
    label_map, _, probability, _ = read(part, close, guided)
    return label_map, probability
