"""Notes on a result: nobody seems to be in the photo, or it was turned.

docs/limits.md has the figures.
"""

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import ATR, BACKGROUND, LabelSet
from clothseg.labels.roles import BODY_ROLES


HARDLY_ANYTHING = "Hardly anything was found: is somebody in the photo?"

NOBODY = "No face, hair or limbs found: is somebody in the photo?"

TURNED = {
    90: "The photo did not look upright, so it was turned by 90° clockwise for the segmentation.",
    180: "The photo did not look upright, so it was turned by 180° for the segmentation.",
    270: "The photo did not look upright, so it was turned by 90° counterclockwise for the segmentation.",
}
"""Note by the number of degrees clockwise that the photo was turned."""

NOTES = (HARDLY_ANYTHING, NOBODY, *TURNED.values())
"""All notes."""

FIGURE_LEAST = 5e-4
"""Share of the photo other than Background, below which hardly anything was found."""

BODY_LEAST = 0.02
"""Share of certain face, hair, arms and legs in it, below which nobody seems to be in the photo."""

SURE = 0.8
"""Probability from which a pixel is certain."""


def find_notes(
    label_map: npt.NDArray[np.uint8],
    probability: npt.NDArray[np.uint8] | None,
    rotation: int = 0,
    labels: LabelSet = ATR,
) -> tuple[str, ...]:
    """Return the notes on a result.

    Args:
        label_map: (H, W) uint8 class ids.
        probability: (h, w) uint8, 255 times the winning class's probability, a grid over the photo; None counts every
            pixel as certain.
        rotation: by how many degrees clockwise the photo was turned to be segmented: 0, 90, 180 or 270.
        labels: the classes; without body parts, nobody is missed.

    Returns:
        Any of `NOTES`.
    """
    turned = (TURNED[rotation],) if rotation else ()
    if int(np.count_nonzero(label_map)) < FIGURE_LEAST * label_map.size:
        return (HARDLY_ANYTHING, *turned)
    body_ids = labels.with_roles(*BODY_ROLES)
    if not body_ids:
        return turned
    body = np.zeros(256, np.uint8)
    body[body_ids] = 1
    if probability is None:
        probability = np.full(label_map.shape, 255, np.uint8)
    small = cv2.resize(label_map, probability.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    sure = cv2.LUT(small, body).view(np.bool_) & (probability >= SURE * 255)
    # A figure smaller than a cell of the grid cannot be seen.
    if np.count_nonzero(sure) < BODY_LEAST * max(1, int(np.count_nonzero(small != BACKGROUND))):
        return (NOBODY, *turned)
    return turned
