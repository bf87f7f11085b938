"""Left and right of someone seen from behind.

The network learnt from photos of people who face the camera: the arm on the right is the left one to it, whoever it
belongs to. Of a person seen from behind that is wrong on the whole, not here and there, so it is decided for the
person as a whole. docs/limits.md has the figures.
"""

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import LABEL2ID, NUM_CLASSES, SWAP_SIDES
from clothseg.postprocess.softmax import softmax
from clothseg.postprocess.upsample import best_classes


SURE = 0.95
"""Probability from which on a pixel of a face is surely one. Of a neck seen from behind the network is not sure."""

FACE_LEAST = 0.04
"""Area of such pixels, as a share of the head's, that a face in view has at least."""

FACE_DOUBTED = 0.75
"""Mean probability of a face's pixels up to which it may be a neck."""

NECK_LOW = 0.55
"""How far down the head its face lies on average, as a share of the head's height, from which on it may be a neck with
hair above it, although the network does not doubt it."""

NECK_SURE = 0.08
"""Area of pixels that are surely face, as a share of the head's, that a neck has less of."""

HAIR_LEAST = 0.3
"""Share of the head that is hair at least: hats and hoods say nothing of which way someone looks."""

HAIR_SURE = 0.6
"""Mean probability of the head's hair at least: a network that doubts all it sees says nothing by doubting a face."""

HEAD_LEAST = 0.005
"""Share of the picture that the head has at least: of less the network sees no face even where there is one."""

_FACE = [LABEL2ID[name] for name in ("Face", "Sunglasses")]
_HEAD = [*_FACE, LABEL2ID["Hair"], LABEL2ID["Hat"]]


def from_behind(logits: npt.NDArray[np.float32]) -> bool:
    """Whether the person with the largest head is seen from behind: a whole head of hair is in view, and no face is.

    Args:
        logits: (18, h, w) float32, of a photo, or of a window about someone in it.
    """
    labels = best_classes(logits)
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(np.isin(labels, _HEAD).view(np.uint8))
    if len(stats) < 2:
        return False
    number = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    _, top, _, high, area = stats[number].tolist()
    head = numbers == number
    hair = head & (labels == LABEL2ID["Hair"])
    # a head that the photo cuts off may have its face beyond the edge
    if top == 0 or area < HEAD_LEAST * labels.size or np.count_nonzero(hair) < HAIR_LEAST * area:
        return False
    if softmax(logits[:, hair])[LABEL2ID["Hair"]].mean() < HAIR_SURE:
        return False
    seen = np.isin(labels, _FACE)
    face = softmax(logits[:, seen])[_FACE].sum(axis=0)
    surely = np.count_nonzero(face >= SURE) / area
    if surely < FACE_LEAST and (not len(face) or face.mean() < FACE_DOUBTED):
        return True
    rows = np.nonzero(seen & head)[0]
    return bool(surely < NECK_SURE and len(rows) and rows.mean() - top >= NECK_LOW * high)


def swap_sides(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A copy of logits (18, h, w) float32 with shoes, legs and arms of the other side."""
    return logits[SWAP_SIDES[:NUM_CLASSES]]


def swap_sides_if_back_view(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Let left and right trade places if the person is seen from behind.

    Args:
        logits: (18, h, w) float32, as of `from_behind`.

    Returns:
        The same array, or a copy with shoes, legs and arms of the other side.
    """
    return swap_sides(logits) if from_behind(logits) else logits
