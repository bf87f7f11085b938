"""Rules that remove small pieces, and labels in impossible places.

The rules of `apply_cleanup` change finished label maps: a removed piece gets the most frequent class around it.
`without_legs` changes logits. docs/experiments/edges.md lists the effect of each rule, and rules that were left
out.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import ATR, BACKGROUND, LabelSet
from clothseg.postprocess.class_pixels import class_mask, present_classes
from clothseg.postprocess.softmax import softmax
from clothseg.postprocess.upsample import best_classes


Labels = npt.NDArray[np.uint8]

LEGS_BELOW = 3.0
"""How far a photo must continue below a face for legs to be visible, in heights of that face, if there are few leg
pixels."""

LEGS_LEAST = 0.01
"""Least share of the figure in legs and shoes if they are visible in such a photo, usually of a seated person."""

LEGS_DOUBTED = 0.03
"""The same if the network is uncertain of them."""

LEGS_SURE = 0.75
"""Mean probability of their pixels from which the network is certain."""


def apply_cleanup(label_map: Labels, label_set: LabelSet = ATR) -> Labels:
    """Apply all rules to a copy.

    Args:
        label_map: (H, W) uint8 class ids of a photo of one person.
        label_set: the classes. Without hats and glasses, or without heads, `keep_on_head` does nothing.

    Returns:
        (H, W) uint8.
    """
    label_map = label_map.copy()
    drop_specks(label_map)
    drop_strays(label_map)
    keep_on_head(label_map, label_set)
    return label_map


class Piece(NamedTuple):
    """A connected piece of a class.

    Attributes:
        box: (rows, columns) of the map that contain it and the pixels around it.
        inside: bool, over the box: its pixels.
        around: class ids of the pixels that touch it, one entry for each.
        area: in pixels.
    """

    box: tuple[slice, slice]
    inside: npt.NDArray[np.bool_]
    around: Labels
    area: int


def pieces(label_map: Labels, class_ids: tuple[int, ...], below: float = np.inf) -> Iterator[Piece]:
    """Yield the connected pieces (of eight neighbours) of the union of some classes, the largest first.

    Args:
        label_map: (H, W) uint8.
        class_ids: classes of the union.
        below: only pieces of fewer pixels.
    """
    mask = class_mask(label_map, class_ids).view(np.uint8)
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


def without_legs(logits: npt.NDArray[np.float32], label_set: LabelSet = ATR) -> npt.NDArray[np.float32]:
    """Remove legs and shoes from a photo that ends above them, such as a half-length portrait.

    They are removed if they are a small part of the figure, or a moderate part that the network is uncertain of, and
    if the photo ends closer below every face than the legs of a standing person begin. Their pixels get the next
    likely class.

    Args:
        logits: (classes, h, w) float32, of a photo or of a crop around someone in it.
        label_set: the classes. Without legs or a face, nothing is removed.

    Returns:
        The same array, or a copy without leg and shoe pixels.
    """
    leg_ids = label_set.legs
    if not leg_ids or not label_set.has("face"):
        return logits
    labels = best_classes(logits)
    legs = class_mask(labels, leg_ids)
    share = float(legs.sum()) / max(1, int((labels != BACKGROUND).sum()))
    if not 0 < share < LEGS_DOUBTED:
        return logits
    if share >= LEGS_LEAST and softmax(logits[:, legs])[leg_ids].sum(axis=0).mean() >= LEGS_SURE:
        return logits
    faces = list(pieces(labels, tuple(label_set.face)))
    faces = [face for face in faces if face.area >= 0.1 * faces[0].area]  # a hand may be taken for a face
    if not faces or any(_goes_on_below(face, len(labels)) for face in faces):
        return logits
    ruled_out = logits.copy()
    ruled_out[leg_ids] = logits.min()
    return ruled_out


def _goes_on_below(face: Piece, height: int) -> bool:
    rows = np.flatnonzero(face.inside.any(axis=1)) + face.box[0].start
    return bool(height - 1 - rows[-1] >= LEGS_BELOW * len(rows))


def drop_specks(label_map: Labels, share: float = 3e-4) -> None:
    """Give pieces below `share` of the photo, including holes, the class around them."""
    least = share * label_map.size
    for class_id in present_classes(label_map, 256):
        for piece in pieces(label_map, (class_id,), least):
            dissolve(label_map, piece)


def drop_strays(label_map: Labels, share: float = 0.02) -> None:
    """Turn figures smaller than `share` of the largest one into Background; for photos of one person."""
    figures = list(pieces(label_map, tuple(range(1, 255))))
    for piece in figures[1:]:
        if piece.area < share * figures[0].area:
            label_map[piece.box][piece.inside] = BACKGROUND


def keep_on_head(label_map: Labels, label_set: LabelSet = ATR) -> None:
    """Remove hats and glasses that touch no face, hair or hat."""
    if not label_set.with_roles("face", "hair"):
        return
    for class_id in label_set.with_roles("hat", "glasses"):
        head = [other for other in label_set.with_roles("face", "hair", "hat") if other != class_id]
        for piece in pieces(label_map, (class_id,)):
            if not np.isin(piece.around, head).any():
                dissolve(label_map, piece)


def dissolve(label_map: Labels, piece: Piece) -> None:
    """Give a piece the most frequent class of the pixels around it; keep a piece that fills the photo."""
    if len(piece.around):
        label_map[piece.box][piece.inside] = np.bincount(piece.around).argmax()
