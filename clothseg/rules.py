"""Rules on finished label maps: what is too small to mean anything, and what cannot be where it is.

A rejected piece takes the class that most of the pixels around it have. docs/edges.md lists what each rule brought,
and those that were left out.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import BACKGROUND, LABEL2ID, NUM_CLASSES


Labels = npt.NDArray[np.uint8]

_HEAD = ("Face", "Hair", "Hat")


def tidy(label_map: Labels) -> Labels:
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
"""In the order in which `tidy` applies them. Each changes an (H, W) uint8 label map in place."""
