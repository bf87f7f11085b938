"""Rules on finished label maps: what is too small to mean anything, and what cannot be where it is.

A rejected piece takes the class that most of the pixels around it have. docs/edges.md lists what each rule brought,
and those that were left out.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import BACKGROUND, LABEL2ID


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


def pieces(label_map: Labels, *class_ids: int) -> Iterator[Piece]:
    """The connected pieces (of eight neighbours) of the union of some classes, the largest first."""
    wanted = np.isin(np.arange(256), class_ids).astype(np.uint8)[label_map]
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(wanted)
    for number in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable"):
        left, top, width, height, area = stats[number].tolist()
        box = slice(max(0, top - 1), top + height + 1), slice(max(0, left - 1), left + width + 1)
        inside = numbers[box] == number
        ring = cv2.dilate(inside.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_) & ~inside
        yield Piece(box, inside, label_map[box][ring], area)


def drop_specks(label_map: Labels, share: float = 3e-4) -> None:
    """Give pieces below `share` of the photo, holes among them, the class around them."""
    least = share * label_map.size
    for class_id in np.flatnonzero(np.bincount(label_map.ravel(), minlength=256)).tolist():
        for piece in pieces(label_map, class_id):
            if piece.area < least:
                _dissolve(label_map, piece)


def drop_strays(label_map: Labels, share: float = 0.02) -> None:
    """Make background of figures below `share` of the largest one: one person is in the photo."""
    figures = list(pieces(label_map, *range(1, 18)))
    for piece in figures[1:]:
        if piece.area < share * figures[0].area:
            label_map[piece.box][piece.inside] = BACKGROUND


def keep_on_head(label_map: Labels) -> None:
    """Reject hats and sunglasses that touch no face, hair or hat."""
    for name in ("Hat", "Sunglasses"):
        head = [LABEL2ID[other] for other in _HEAD if other != name]
        for piece in pieces(label_map, LABEL2ID[name]):
            if not np.isin(piece.around, head).any():
                _dissolve(label_map, piece)


def _dissolve(label_map: Labels, piece: Piece) -> None:
    if len(piece.around):
        label_map[piece.box][piece.inside] = np.bincount(piece.around).argmax()


RULES = (drop_specks, drop_strays, keep_on_head)
"""In the order in which `tidy` applies them. Each changes an (H, W) uint8 label map in place."""
