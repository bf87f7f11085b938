"""Several people in a photo: locate them, segment each separately, and assign each pixel to a person.

People are counted by their heads and assumed to stand upright: if the clothes of two people touch, each gets the part
below their own head. No detector is needed. A person whose head the network misses is found only if they stand
apart.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import ATR, BACKGROUND, LabelSet
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.zoom_crop import paste, window


Labels = npt.NDArray[np.uint8]

DecodeCrop = Callable[[Box], tuple[Labels, Labels]]
"""Segments a crop of the photo at a higher resolution: (h, w) uint8 class ids, and their probability on any grid."""

MAX_PEOPLE = 20
"""Largest number of people that are separated; those with the largest heads are kept."""

_SIDE = 256
"""Longer side of the copy on which people are separated."""

_LEAST_HEAD = 0.12
"""Heads below this share of the largest one's area are ignored; these people would be a third as tall."""

_LEAST_FIGURE = 0.15
"""Figures without a head that are smaller than this share of the largest figure belong to the nearest person."""

_MAX_DISTANCE = (1.0, 3.0)
"""Largest distance (horizontal, vertical) of a piece from the same person's largest piece, in lengths of the largest
piece; pieces further away are ignored. A head can be far above the legs if the coat between them was missed."""

_MAX_PIECES = 200
"""Pieces of heads that are looked at, the largest ones; a noisy photo has more."""

_MAX_HEAD_ASPECT = 1.8
"""Largest height over width at which two pieces, one below the other, are one head divided by glasses or a band."""


class Person(NamedTuple):
    """A person in a photo.

    Attributes:
        number: their value in the person map, from 1, from left to right.
        box: contains all their pixels.
    """

    number: int
    box: Box


def partition_by_person(label_map: Labels, label_set: LabelSet = ATR) -> Labels:
    """Divide a photo among its people.

    Args:
        label_map: (H, W) uint8 class ids.
        label_set: the classes; without heads, only people who stand apart are found.

    Returns:
        (H, W) uint8: for each pixel, including background, the number of the person that it may belong to, from 1,
        from left to right by their heads; 0 everywhere if there is nobody.
    """
    height, width = label_map.shape
    scale = min(1.0, _SIDE / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    labels = _nearest(label_map, small)
    seeds = _seed_masks(labels, label_set)
    if not seeds:
        return np.zeros_like(label_map)
    seeds.sort(key=lambda seed: float(np.nonzero(seed)[1].mean()))
    distances = np.stack([_distances(seed) for seed in seeds])
    numbers = (1 + distances.argmin(axis=0)).astype(np.uint8)
    # a connected figure is divided only among the people whose heads it contains
    _, figures = cv2.connectedComponents((labels != BACKGROUND).view(np.uint8))
    homes = np.array([figures[seed][0] for seed in seeds])
    for home in np.unique(homes):
        own = np.flatnonzero(homes == home)
        inside = figures == home
        numbers[inside] = 1 + own[distances[own][:, inside].argmin(axis=0)]
    _keep_together(numbers, labels)
    return _nearest(numbers, (width, height))


def parse(
    label_map: Labels, probability: Labels, divided: Labels, aspect: float, decode_crop: DecodeCrop
) -> tuple[Labels, Labels, Labels]:
    """Segment each person separately; each pixel gets the class from the crop around its nearest person.

    If that is Background, the pixel gets the class from the crop around another person to whom it is connected. It
    still counts as the nearest person's, which is right more often.

    Args:
        label_map: (H, W) uint8 class ids of the whole photo.
        probability: (h, w) uint8, a grid over the photo.
        divided: (H, W) uint8, from `partition_by_person`.
        aspect: height over width of the network's input.
        decode_crop: segments a crop of the photo.

    Returns:
        Label map, probability and person map (0 for background, numbers without gaps), new arrays of the same shapes.
    """
    size = label_map.shape
    crops: list[tuple[int, Box, Labels]] = []
    merged_probability = probability.copy()
    labels = np.zeros_like(label_map)
    grid = _nearest(divided, probability.shape[::-1])
    for number in range(1, int(divided.max()) + 1):
        own_pixels = divided == number
        figure = _figure(own_pixels & (label_map != BACKGROUND))
        if figure is None:
            continue
        box = window(figure, aspect, size)
        crop_labels, crop_probability = decode_crop(box)
        crops.append((number, box, crop_labels))
        part = slice(box.top, box.bottom), slice(box.left, box.right)
        np.copyto(labels[part], crop_labels, where=own_pixels[part])
        pasted = paste(merged_probability, crop_probability, box, size)
        np.copyto(merged_probability, pasted, where=grid == number)
    for number, box, crop_labels in crops:
        part = slice(box.top, box.bottom), slice(box.left, box.right)
        _, figures = cv2.connectedComponents((crop_labels != BACKGROUND).view(np.uint8))
        own = np.bincount(figures[(divided[part] == number) & (crop_labels != BACKGROUND)], minlength=1)
        if not own.any():
            continue
        free = (figures == own.argmax()) & (labels[part] == BACKGROUND)
        np.copyto(labels[part], crop_labels, where=free)
    return labels, merged_probability, _without_gaps(np.where(labels != BACKGROUND, divided, np.uint8(0)))


def people_of(person_map: Labels) -> tuple[Person, ...]:
    """Return the people of an (H, W) uint8 person map, with their boxes, in the order of their numbers."""
    people = []
    for number in range(1, int(person_map.max(initial=0)) + 1):
        left, top, wide, high = cv2.boundingRect((person_map == number).view(np.uint8))
        if wide:
            people.append(Person(number, Box(left, top, left + wide, top + high)))
    return tuple(people)


def from_left_to_right(person_map: Labels) -> Labels:
    """Renumber the people of an (H, W) uint8 person map from left to right by the middle of their boxes."""
    people = sorted(people_of(person_map), key=lambda person: person.box.left + person.box.right)
    numbers = np.zeros(256, np.uint8)
    numbers[[person.number for person in people]] = np.arange(1, len(people) + 1)
    return numbers[person_map]


def _figure(mask: npt.NDArray[np.bool_]) -> Box | None:
    """Return the box of a person's pieces without distant strays, which would make the crop too wide."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    boxes = stats[1:, : cv2.CC_STAT_AREA]
    if not len(boxes):
        return None
    starts, ends = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    main = stats[1:, cv2.CC_STAT_AREA].argmax()
    gaps = np.maximum(starts - ends[main], starts[main] - ends)
    near = (gaps <= np.multiply(_MAX_DISTANCE, boxes[main, 2:].max())).all(axis=1)
    (left, top), (right, bottom) = starts[near].min(axis=0).tolist(), ends[near].max(axis=0).tolist()
    return Box(left, top, right, bottom)


def _without_gaps(person_map: Labels) -> Labels:
    numbers = np.zeros(256, np.uint8)
    present = np.setdiff1d(np.unique(person_map), [0])
    numbers[present] = np.arange(1, len(present) + 1)
    return numbers[person_map]


def _seed_masks(labels: Labels, label_set: LabelSet) -> list[npt.NDArray[np.bool_]]:
    """Return a mask for each person, the largest first: the head, or the whole figure if it has no head."""
    _, figures, stats, _ = cv2.connectedComponentsWithStats((labels != BACKGROUND).view(np.uint8))
    heads = _heads(labels, label_set)
    headless = np.setdiff1d(np.arange(1, len(stats)), [figures[head][0] for head in heads])
    largest = stats[1:, cv2.CC_STAT_AREA].max(initial=0)
    apart = [figures == n for n in headless if stats[n, cv2.CC_STAT_AREA] >= _LEAST_FIGURE * max(1, largest)]
    if heads:  # excludes bags and shoes beside a person: a person must be upright and not below a head
        apart = [mask for mask in apart if np.ptp(np.nonzero(mask)[0]) > 1.5 * np.ptp(np.nonzero(mask)[1])]
        apart = [mask for mask in apart if not any(_below(mask, head) for head in heads)]
    return (heads + apart)[:MAX_PEOPLE]


def _heads(labels: Labels, label_set: LabelSet) -> list[npt.NDArray[np.bool_]]:
    head = np.isin(labels, label_set.head).view(np.uint8)
    face = np.isin(labels, label_set.face).view(np.uint8)
    found: list[npt.NDArray[np.bool_]] = []
    _, faces, face_stats, _ = cv2.connectedComponentsWithStats(face)
    _, heads, stats, _ = cv2.connectedComponentsWithStats(head)
    by_area = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")
    for number in np.sort(by_area[:_MAX_PIECES]):
        inside = heads == number
        within = np.setdiff1d(np.unique(faces[inside]), [0])
        areas = face_stats[within, cv2.CC_STAT_AREA]
        large = [n for n, area in zip(within, areas, strict=True) if area >= 0.3 * areas.max()]
        # two faces in one head of hair are two people if side by side; else a hand or glasses divide one face
        large.sort(key=lambda n: face_stats[n, cv2.CC_STAT_LEFT])
        apart: list[int] = []
        for n in large:
            if not apart or face_stats[n, cv2.CC_STAT_LEFT] >= face_stats[apart[-1], :3:2].sum():
                apart.append(n)
        found += [faces == n for n in apart] if len(apart) > 1 else [inside]
    found = _join_split_heads(found, np.isin(labels, label_set.with_roles("hair")))
    if not found:
        return []
    found.sort(key=lambda mask: -np.count_nonzero(mask))
    kept: list[npt.NDArray[np.bool_]] = []
    for mask in found:
        if np.count_nonzero(mask) < _LEAST_HEAD * np.count_nonzero(found[0]):
            break
        if (mask & (face > 0)).any() or not any(_below(mask, other) for other in kept):
            kept.append(mask)
    return kept


class _Piece(NamedTuple):
    """A piece of a head: its mask (h, w) bool, the rows (h,) and columns (w,) it covers, and whether it has hair."""

    mask: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.bool_]
    columns: npt.NDArray[np.bool_]
    hair: bool

    @classmethod
    def of(cls, mask: npt.NDArray[np.bool_], hair: npt.NDArray[np.bool_]) -> "_Piece":
        rows: npt.NDArray[np.bool_] = np.any(mask, axis=1)
        columns: npt.NDArray[np.bool_] = np.any(mask, axis=0)
        return cls(mask, rows, columns, bool((mask & hair).any()))

    def continues(self, upper: "_Piece") -> bool:
        """Return whether this piece, one without hair, is the lower part of the head that begins with `upper`."""
        if self.hair or (self.rows & upper.rows).any():
            return False
        narrower = min(np.count_nonzero(self.columns), np.count_nonzero(upper.columns))
        if np.count_nonzero(self.columns & upper.columns) < 0.5 * narrower:
            return False
        height, width = (
            np.ptp(np.flatnonzero(line)) + 1 for line in (self.rows | upper.rows, self.columns | upper.columns)
        )
        return bool(height <= _MAX_HEAD_ASPECT * width)


def _join_split_heads(heads: list[npt.NDArray[np.bool_]], hair: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.bool_]]:
    """Join heads that the network divides in two pieces, one below the other; the lower piece has no hair.

    Pieces are compared by the rows and columns that they cover, since a noisy photo has hundreds of them.
    """
    whole: list[_Piece] = []
    pieces = [_Piece.of(mask, hair) for mask in heads]
    for piece in sorted(pieces, key=lambda each: int(each.rows.argmax())):
        for index, upper in enumerate(whole):
            if piece.continues(upper):
                whole[index] = _Piece.of(piece.mask | upper.mask, hair)
                break
        else:
            whole.append(piece)
    return [piece.mask for piece in whole]


def _below(mask: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> bool:
    """Return whether a piece begins below the middle of a head and near it, such as locks on a shoulder or legs."""
    rows, columns = np.nonzero(mask)
    other_rows, other_columns = np.nonzero(other)
    reach = np.ptp(other_columns) + 1
    near = columns.mean() > other_columns.min() - reach / 2 and columns.mean() < other_columns.max() + reach / 2
    return bool(near and rows.min() > other_rows.mean())


def _distances(seed: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return each pixel's distance to the side of a head or above it, slightly reduced for larger heads."""
    seed_rows, seed_columns = np.nonzero(seed)
    rows, columns = np.ogrid[: seed.shape[0], : seed.shape[1]]
    aside, above = np.abs(columns - seed_columns.mean()), np.maximum(0, seed_rows.min() - rows)
    return np.asarray((aside + above) / len(seed_rows) ** 0.25, np.float32)


def _keep_together(numbers: Labels, labels: Labels, share: float = 0.9) -> None:
    """Give a connected piece of a class to one person if at least `share` of it is theirs."""
    for class_id in np.setdiff1d(np.unique(labels), [BACKGROUND]):
        count, pieces = cv2.connectedComponents((labels == class_id).view(np.uint8))
        for piece in range(1, count):
            inside = pieces == piece
            votes = np.bincount(numbers[inside])
            if votes.argmax() and votes.max() >= share * votes.sum():
                numbers[inside] = votes.argmax()


def _nearest(values: Labels, size: tuple[int, ...]) -> Labels:
    """Resize to (width, height) by nearest neighbour."""
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
