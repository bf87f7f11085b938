"""Make transparent pixels Background."""

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import BACKGROUND
from clothseg.postprocess.zoom_crop import confidences


if TYPE_CHECKING:
    from clothseg.postprocess.decoding import Prediction


def background_where_transparent(
    label_map: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Return a label map or person map (H, W) uint8 that is 0 wherever the photo's alpha (H, W) uint8 is 0.

    Return the same array if nothing changes, else a copy.
    """
    hidden = (alpha == 0) & (label_map != BACKGROUND)
    return np.where(hidden, np.uint8(BACKGROUND), label_map) if hidden.any() else label_map


def clear_transparent(prediction: "Prediction", alpha: npt.NDArray[np.uint8]) -> "Prediction":
    """Make fully transparent pixels certain Background that belongs to nobody; alpha is (H, W) uint8."""
    height, width = prediction.probability.shape
    hidden = cv2.resize((alpha == 0).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) >= 1
    label_map = background_where_transparent(prediction.label_map, alpha)
    probability = np.where(hidden, np.uint8(255), prediction.probability)
    person_map = prediction.person_map
    return prediction._replace(
        label_map=label_map,
        confidence=confidences(label_map, probability, count=len(prediction.confidence)),
        probability=probability,
        person_map=None if person_map is None else background_where_transparent(person_map, alpha),
    )
