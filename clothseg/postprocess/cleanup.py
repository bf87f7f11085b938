"""Rules on what is too small to mean anything, and on what cannot be where it is.

Those of `apply_cleanup` work on finished label maps: a rejected piece takes the class that most of the pixels around
it have. `without_legs` works on logits. docs/experiments/edges.md lists what each rule brought, and those that were
left out.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import BACKGROUND, LABEL2ID, NUM_CLASSES
from clothseg.postprocess.softmax import softmax
from clothseg.postprocess.upsample import best_classes


Labels = npt.NDArray[np.uint8]

_HEAD = ("Face", "Hair", "Hat")

_LEGS = [LABEL2ID[name] for name in ("Left-shoe", "Right-shoe", "Left-leg", "Right-leg")]

LEGS_BELOW = 3.0
"""How far the photo must go on below a face for legs to show, in heights of that face, if they hardly do."""

LEGS_LEAST = 0.01
"""Share of the figure that legs and shoes have even in such a photo, if they show: of someone seated, mostly."""

LEGS_DOUBTED = 0.03
"""The same, where the network is not sure of them."""

LEGS_SURE = 0.75
"""Mean probability of their pixels from which on it is."""


def apply_cleanup(label_map: Labels) -> Labels:
    """Apply all rules to a copy.

    Args:
        label_map: (H, W) uint8 class ids of a photo of one person.

    Returns:
        (H, W) uint8.
    """
    label_map = label_map.copy()
    for rule in RULES:
        rule(label_map)
    return label_map


class Piece(NamedTuple):
    """A connected piece of a class.

    Attributes:
        box: (rows, columns) of the map that hold it and the pixels around it.
        inside: bool, over the box: its pixels.
        around: class ids of the pixels that touch it, one entry for each.
        area: in pixels.
    """

    box: tuple[slice, slice]
    inside: npt.NDArray[np.bool_]
    around: Labels
    area: int


def pieces(label_map: Labels, class_ids: tuple[int, ...], below: float = np.inf) -> Iterator[Piece]:
    """The connected pieces (of eight neighbours) of the union of some classes, the largest first.

    Args:
        label_map: (H, W) uint8.
        class_ids: whose union is meant.
        below: only pieces of fewer pixels.
    """
    wanted = np.zeros(256, np.uint8)
    wanted[list(class_ids)] = 1
    mask = cv2.LUT(label_map, wanted)
    left, top, width, height = cv2.boundingRect(mask)
    if not width:
        return
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(mask[top : top + height, left : left + width])
    )
    for number in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable"):
        x, y, wide, high, area = stats[number].tolist()
        if area >= below:
            continue
        # a frame of one pixel around the piece
        inside = np.pad(numbers[y : y + high, x : x + wide] == number, 1)
        rows = slice(max(0, top + y - 1), top + y + high + 1)
        columns = slice(max(0, left + x - 1), left + x + wide + 1)
        in_rows, in_columns = (slice(rows.start - top - y + 1, None), slice(columns.start - left - x + 1, None))
        part = label_map[rows, columns]
        inside = inside[in_rows, in_columns][: part.shape[0], : part.shape[1]]
        ring = cv2.dilate(inside.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_) & ~inside
        yield Piece((rows, columns), inside, part[ring], area)


def without_legs(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rule out legs and shoes in a photo that ends above them, as a half-length does.

    They are ruled out if little of the figure is taken for them, or not much and with doubts, and if the photo ends
    closer below every face than legs of someone who stands begin. Each of their pixels is then what the network holds
    for next likely.

    Args:
        logits: (18, h, w) float32, of a photo, or of a window about someone in it.

    Returns:
        The same array, or a copy in which no leg and no shoe wins.
    """
    labels = best_classes(logits)
    legs = np.isin(labels, _LEGS)
    share = float(legs.sum()) / max(1, int((labels != BACKGROUND).sum()))
    if not 0 < share < LEGS_DOUBTED:
        return logits
    if share >= LEGS_LEAST and softmax(logits[:, legs])[_LEGS].sum(axis=0).mean() >= LEGS_SURE:
        return logits
    faces = list(pieces(labels, (LABEL2ID["Face"], LABEL2ID["Sunglasses"])))
    faces = [face for face in faces if face.area >= 0.1 * faces[0].area]  # a hand may be taken for a face
    if not faces or any(_goes_on_below(face, len(labels)) for face in faces):
        return logits
    ruled_out = logits.copy()
    ruled_out[_LEGS] = logits.min()
    return ruled_out


def _goes_on_below(face: Piece, height: int) -> bool:
    rows = np.flatnonzero(face.inside.any(axis=1)) + face.box[0].start
    return bool(height - 1 - rows[-1] >= LEGS_BELOW * len(rows))


def drop_specks(label_map: Labels, share: float = 3e-4) -> None:
    """Give pieces below `share` of the photo, holes among them, the class around them."""
    least = share * label_map.size
    for class_id in np.flatnonzero(cv2.calcHist([label_map], [0], None, [256], [0, 256])).tolist():
        for piece in pieces(label_map, (class_id,), least):
            dissolve(label_map, piece)


def drop_strays(label_map: Labels, share: float = 0.02) -> None:
    """Make background of figures below `share` of the largest one: one person is in the photo."""
    figures = list(pieces(label_map, tuple(range(1, NUM_CLASSES))))
    for piece in figures[1:]:
        if piece.area < share * figures[0].area:
            label_map[piece.box][piece.inside] = BACKGROUND


def keep_on_head(label_map: Labels) -> None:
    """Reject hats and sunglasses that touch no face, hair or hat."""
    for name in ("Hat", "Sunglasses"):
        head = [LABEL2ID[other] for other in _HEAD if other != name]
        for piece in pieces(label_map, (LABEL2ID[name],)):
            if not np.isin(piece.around, head).any():
                dissolve(label_map, piece)


def dissolve(label_map: Labels, piece: Piece) -> None:
    """Give a piece the class that most of the pixels around it have; one that fills the photo stays."""
    if len(piece.around):
        label_map[piece.box][piece.inside] = np.bincount(piece.around).argmax()


RULES = (drop_specks, drop_strays, keep_on_head)
"""In the order in which `apply_cleanup` applies them. Each changes an (H, W) uint8 label map in place."""
