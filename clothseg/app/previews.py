"""Small pictures of a result for the page, with a class's number on each of its regions."""

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.labels import BACKGROUND
from clothseg.postprocess.geometry import deepest_point
from clothseg.segmentation import Segmentation


PREVIEW = 1024
"""Longest side of previews, in pixels; files have the photo's own size."""

_ROOM = 7.0
"""Regions less deep than this, in pixels, have no space for a number."""


def reduced(result: Segmentation) -> Segmentation:
    """Return `result` at the size of the page's previews: at most `PREVIEW` pixels on the longer side."""
    photo = result.photo
    if result.alpha is not None:
        photo = photo.copy()
        photo.putalpha(Image.fromarray(result.alpha))
    scale = reduction(result)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))

    def at_size(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)

    return Segmentation(
        photo.resize(size, Image.Resampling.BICUBIC, reducing_gap=2),
        at_size(result.label_map),
        person_map=None if result.person_map is None else at_size(result.person_map),
        labels=result.labels,
    )


def reduction(result: Segmentation) -> float:
    """Return the factor by which `reduced` scales the photo's sides, above 0 and at most 1."""
    return min(1, PREVIEW / max(result.photo.size))


def before_and_after(result: Segmentation, opacity: float) -> tuple[Image.Image, Image.Image]:
    """Return photo and regions, reduced to one size; `opacity` 0..1 as for `Segmentation.overlay`."""
    small = reduced(result)
    colored = np.asarray(small.overlay(opacity))
    return small.on_white, Image.fromarray(numbered(colored, small.label_map))


def numbered(picture: npt.NDArray[np.uint8], label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Write each class's number into the middle of its largest region, if there is space for it.

    Args:
        picture: (H, W, 3) uint8 RGB.
        label_map: (H, W) uint8 class ids.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    picture = picture.copy()
    size = max(picture.shape[:2]) / PREVIEW
    for class_id in np.unique(label_map):
        if class_id == BACKGROUND:
            continue
        x, y, depth = deepest_point(label_map == class_id)
        if depth < _ROOM * size:
            continue
        scale = size * float(np.clip(depth / (16 * size), 0.5, 0.9))
        text = str(class_id)
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        at = int(x - width / 2), int(y + height / 2)
        for color, thickness in (((0, 0, 0), 5), ((255, 255, 255), 1.6)):
            weight = max(1, round(thickness * size))
            cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, color, weight, cv2.LINE_AA)
    return picture


def difference(photo: npt.NDArray[np.uint8], differs: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Return the photo (H, W, 3) uint8 in faded grey, with the differing pixels (H, W) bool in orange."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    faded = np.repeat((grey // 2 + 110)[..., None], 3, axis=2).astype(np.uint8)
    faded[differs] = (232, 89, 12)
    return faded
