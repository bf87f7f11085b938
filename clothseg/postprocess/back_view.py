"""Swap left and right for people seen from behind.

The network was trained on people who face the camera, so it takes the arm on the right of the picture for the left
one. For a person seen from behind all sides are wrong, so the decision is made for the whole person. docs/limits.md
has the figures.
"""

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import ATR, LabelSet
from clothseg.postprocess.class_pixels import class_mask
from clothseg.postprocess.softmax import softmax
from clothseg.postprocess.upsample import best_classes


SURE = 0.95
"""Probability from which a pixel certainly is face. The network is less certain for necks seen from behind."""

FACE_LEAST = 0.04
"""Least area of such pixels in a visible face, as a share of the head's area."""

FACE_DOUBTED = 0.75
"""Largest mean probability of a face's pixels at which it may be a neck."""

NECK_LOW = 0.55
"""Least mean position of a face down the head, as a share of the head's height, at which it may be a neck with hair
above it even though the network is certain."""

NECK_SURE = 0.08
"""A neck has less certain face pixels than this, as a share of the head's area."""

HAIR_LEAST = 0.3
"""Least share of hair in the head; hats and hoods do not show which way someone looks."""

HAIR_SURE = 0.6
"""Least mean probability of the head's hair. If the network is uncertain of everything, an uncertain face proves
nothing."""

HEAD_LEAST = 0.005
"""Least share of the picture that the head covers; in smaller heads the network often misses the face."""


def from_behind(logits: npt.NDArray[np.float32], label_set: LabelSet = ATR) -> bool:
    """Return whether the person with the largest head is seen from behind: hair is visible and no face.

    Args:
        logits: (classes, h, w) float32, of a photo or of a crop around someone in it.
        label_set: the classes; without a face and hair, nobody is seen from behind.
    """
    if not label_set.has("face", "hair"):
        return False
    hair_ids, face_ids = label_set.with_roles("hair"), label_set.face
    labels = best_classes(logits)
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(class_mask(labels, label_set.head).view(np.uint8))
    if len(stats) < 2:
        return False
    number = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    _, top, _, high, area = stats[number].tolist()
    head = numbers == number
    hair = head & class_mask(labels, hair_ids)
    # the face of a head that the photo's edge cuts off may lie outside
    if top == 0 or area < HEAD_LEAST * labels.size or np.count_nonzero(hair) < HAIR_LEAST * area:
        return False
    if softmax(logits[:, hair])[hair_ids].sum(axis=0).mean() < HAIR_SURE:
        return False
    seen = class_mask(labels, face_ids)
    face = softmax(logits[:, seen])[face_ids].sum(axis=0)
    surely = np.count_nonzero(face >= SURE) / area
    if surely < FACE_LEAST and (not len(face) or face.mean() < FACE_DOUBTED):
        return True
    rows = np.nonzero(seen & head)[0]
    return bool(surely < NECK_SURE and len(rows) and rows.mean() - top >= NECK_LOW * high)


def swap_sides(logits: npt.NDArray[np.float32], label_set: LabelSet = ATR) -> npt.NDArray[np.float32]:
    """Return a copy of logits (classes, h, w) float32 with left and right of shoes, legs and arms swapped."""
    return logits[label_set.swap_table[: len(label_set)]]


def swap_sides_if_back_view(logits: npt.NDArray[np.float32], label_set: LabelSet = ATR) -> npt.NDArray[np.float32]:
    """Swap left and right if the person is seen from behind.

    Args:
        logits: (classes, h, w) float32, as of `from_behind`.

    Returns:
        The same array, or a copy with left and right of shoes, legs and arms swapped.
    """
    if not label_set.pairs or not from_behind(logits, label_set):
        return logits
    return swap_sides(logits, label_set)
