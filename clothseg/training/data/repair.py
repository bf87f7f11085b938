"""Repair of label maps: ATR's known faults are holes inside garments, loose specks and spill over the silhouette.

What is a fault was read off real masks at 640 px. Nearly all enclosed pieces of Background below a thousandth of
the person are faults, and nearly all larger ones are real: handles of bags, the gap under an arm or between legs.
Pieces of another class inside a garment are mostly real down to a quarter of that (a strap that surfaces here and
there, a brooch), so that only specks of them go, and never the largest piece of a class.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import BACKGROUND, IGNORE


HOLE_OF_PERSON, HOLE_OF_ITEM = 1 / 1000, 1 / 50
"""Largest hole that is filled, as shares of the person's area and of the area of the item around it."""
SPECK_OF_PERSON, SPECK_OF_CLASS = 1 / 4000, 1 / 10
"""Largest speck that is removed, as shares of the person's area and of its class's largest piece."""
RIM_WIDTH = 2
"""Pixels along the silhouette whose colours are compared with what lies deeper on either side."""
RIM_WINDOW = 15
"""Side of the window, in pixels, over which those colours are averaged; odd."""
RIM_CONTRAST = 60
"""Colour difference (RGB, Euclidean) between the two sides below which no verdict is possible."""
RIM_CERTAINTY = 4
"""A rim pixel is spill when it is this many times closer to the colour outside than to the one inside."""
RIM_SPREAD = 2
"""... and this many times as far from the colour inside as the pixels there are on average: a pattern is no spill."""


class Repair(NamedTuple):
    """A repaired label map and what was changed.

    `mask` is (H, W) uint8; `holes` and `specks` count pieces, `hole_pixels`, `speck_pixels` and `rim_pixels` pixels.
    """

    mask: npt.NDArray[np.uint8]
    holes: int
    hole_pixels: int
    specks: int
    speck_pixels: int
    rim_pixels: int


def repair(mask: npt.NDArray[np.uint8], photo: npt.NDArray[np.uint8] | None = None) -> Repair:
    """Fill small holes, let specks become what surrounds them and, given the photo, cut spill off the silhouette.

    Pixels that are 255 stay so and no others become so. No class disappears. Holes and specks are repaired until
    none is left, so that a second pass finds no more of them; a second pass over the rim may cut a little deeper.
    The repair of a mirrored pair is the mirrored repair.

    Args:
        mask: (H, W) uint8, class ids and 255.
        photo: (H, W, 3) uint8 RGB; without it the silhouette stays as it is.
    """
    left, top, width, height = cv2.boundingRect((mask != BACKGROUND).view(np.uint8))
    # Farther from the person nothing is looked at: most of a photo is ground, and this saves most of the time.
    near = tuple(
        slice(max(start - RIM_WINDOW, 0), start + length + RIM_WINDOW)
        for start, length in ((top, height), (left, width))
    )
    repaired = mask.copy()
    merged, (holes, hole_pixels, specks, speck_pixels) = _merged(np.ascontiguousarray(mask[near]))
    repaired[near] = merged
    if photo is None:
        return Repair(repaired, holes, hole_pixels, specks, speck_pixels, 0)
    cut, _ = _merged(_without_spill(merged, np.ascontiguousarray(photo[near])))  # a cut below the surface is a hole
    repaired[near] = cut
    rim_pixels = int(np.count_nonzero(cut != merged))
    return Repair(repaired, holes, hole_pixels, specks, speck_pixels, rim_pixels)


def _merged(mask: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], list[int]]:
    """Merge holes and specks until there are none; the counts are those of `_merge_pieces`, summed up."""
    total = np.zeros(4, np.int64)
    while True:
        mask, found = _merge_pieces(mask)
        if not found.any():
            return mask, total.tolist()
        total += found


def _merge_pieces(mask: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """One round: every hole and speck that touches a piece which stays takes that piece's class.

    Only pieces that stay are merged into, so that each round leaves fewer pieces and the rounds come to an end.

    Returns:
        The new map, and (4,) int64: holes, their pixels, specks, their pixels.
    """
    piece_of, classes, areas, at_edge = _pieces(mask)
    largest = np.zeros(256, np.int64)
    np.maximum.at(largest, classes, areas)
    person = areas[(classes != BACKGROUND) & (classes != IGNORE)].sum()

    small = (areas <= HOLE_OF_PERSON * person) & (classes != IGNORE) & (areas < largest[classes])
    if not small.any():
        return mask, np.zeros(4, np.int64)
    own, other, contact = _contacts(piece_of, small)
    neighbours = np.bincount(own, minlength=len(areas))
    around = np.zeros(len(areas), np.int64)
    around[own] = other  # the one neighbour, where there is one
    hole = small & ~at_edge & (classes == BACKGROUND) & (neighbours == 1)
    hole &= (classes[around] != IGNORE) & (areas <= HOLE_OF_ITEM * areas[around])
    speck = small & ~hole & (areas <= np.minimum(SPECK_OF_PERSON * person, SPECK_OF_CLASS * largest[classes]))

    votes = np.zeros((len(areas), int(classes[classes != IGNORE].max(initial=0)) + 1), np.int64)
    stays = ~(hole | speck)[other] & (classes[other] != IGNORE)
    np.add.at(votes, (own[stays], classes[other[stays]]), contact[stays])
    best = votes.max(axis=1)
    # A tie is left alone: which of two equals comes first would differ in the mirror.
    decided = (hole | speck) & (best > 0) & ((votes == best[:, None]).sum(axis=1) == 1)
    new = np.where(decided, votes.argmax(axis=1), classes).astype(np.uint8)
    hole, speck = hole & decided, speck & decided
    counts = np.array([hole.sum(), areas[hole].sum(), speck.sum(), areas[speck].sum()])
    return new[piece_of], counts


def _pieces(
    mask: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Pieces of each class, of 8 neighbours: (H, W) numbers from 0, and each one's class, area, touch of the edge."""
    piece_of = np.zeros(mask.shape, np.int32)
    classes: list[int] = []
    stats = []
    for class_id in np.flatnonzero(np.bincount(mask.ravel(), minlength=256)):
        selected = (mask == class_id).view(np.uint8)
        left, top, width, height = cv2.boundingRect(selected)
        box = np.s_[top : top + height, left : left + width]
        count, numbers, found, _ = cv2.connectedComponentsWithStats(selected[box], connectivity=8)
        cv2.add(piece_of[box], numbers + (len(classes) - 1), piece_of[box], mask=selected[box])
        classes += [int(class_id)] * (count - 1)
        stats.append(np.add(found[1:], (left, top, 0, 0, 0)))
    left, top, width, height, area = np.concatenate(stats).T.astype(np.int64)
    at_edge = (left == 0) | (top == 0) | (left + width == mask.shape[1]) | (top + height == mask.shape[0])
    return piece_of, np.array(classes, np.uint8), area, at_edge


def _contacts(
    piece_of: npt.NDArray[np.int32], small: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which pieces touch the small ones: (M,) a small piece, (M,) another, (M,) length of their border in pixels."""
    pairs = [
        first.astype(np.int64) * len(small) + second
        for one, two in ((piece_of[:, :-1], piece_of[:, 1:]), (piece_of[:-1], piece_of[1:]))
        for border in [one != two]
        for a, b in [(one[border], two[border])]
        for first, second in ((a[small[a]], b[small[a]]), (b[small[b]], a[small[b]]))
    ]
    found, contact = np.unique(np.concatenate(pairs), return_counts=True)
    return found // len(small), found % len(small), contact


def _without_spill(mask: npt.NDArray[np.uint8], photo: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Turn rim pixels of the person to Background whose colour is clearly that of the surroundings."""
    square = np.ones((2 * RIM_WIDTH + 1,) * 2, np.uint8)
    person = ((mask != BACKGROUND) & (mask != IGNORE)).view(np.uint8)
    ground = (mask == BACKGROUND).view(np.uint8)
    inner, outer = (np.asarray(cv2.erode(side, square), np.uint8) for side in (person, ground))
    rows, columns = np.nonzero((person > inner) & (cv2.dilate(ground, square) > 0))
    inside, spread, has_inside = _local_colors(photo, inner, rows, columns)
    outside, _, has_outside = _local_colors(photo, outer, rows, columns)
    colors = photo[rows, columns]
    to_inside, to_outside = (((colors - mean) ** 2).sum(axis=1) for mean in (inside, outside))
    spill = has_inside & has_outside & (((inside - outside) ** 2).sum(axis=1) >= RIM_CONTRAST**2)
    spill &= (RIM_CERTAINTY**2 * to_outside < to_inside) & (to_inside > RIM_SPREAD**2 * spread)
    cut = mask.copy()
    cut[rows[spill], columns[spill]] = BACKGROUND
    return cut


def _local_colors(
    photo: npt.NDArray[np.uint8],
    where: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Colours of the pixels `where` in a window around each of M places.

    Returns:
        Their mean (M, 3), their mean squared distance from it (M,), and (M,) whether there are any.
    """
    shown = cv2.copyTo(photo, where)
    squares = (shown.astype(np.float64) ** 2).sum(axis=2)
    # Whole numbers add up to the same sum in any order, hence in the mirror.
    count, total, total_squares = (
        cv2.boxFilter(plane, depth, (RIM_WINDOW,) * 2, normalize=False, borderType=cv2.BORDER_CONSTANT)[rows, columns]
        for plane, depth in ((where, cv2.CV_32S), (shown, cv2.CV_32S), (squares, cv2.CV_64F))
    )
    number = np.maximum(count, 1)
    mean = total / number[:, None]
    return mean, total_squares / number - (mean**2).sum(axis=1), count > 0
