"""Repair label maps: ATR's known errors are holes inside garments, loose specks, and spill over the silhouette.

The limits come from an inspection of real masks at 640 px. Nearly all enclosed Background pieces smaller than a
thousandth of the person are errors, and nearly all larger ones are real, such as handles of bags or the gap under an
arm. Pieces of another class inside a garment are mostly real down to a quarter of that (a brooch, visible parts of a
strap), so only smaller specks are removed, and never the largest piece of a class.
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
"""Width in pixels of the rim along the silhouette. Its colours are compared with those further inside and outside."""
RIM_WINDOW = 15
"""Side in pixels of the window over which those colours are averaged; odd."""
RIM_CONTRAST = 60
"""Least colour difference (RGB, Euclidean) between inside and outside for a decision."""
RIM_CERTAINTY = 4
"""A rim pixel is spill if it is this many times closer to the outside colour than to the inside colour ..."""
RIM_SPREAD = 2
"""... and this many times as far from the inside colour as inside pixels are on average, so that patterns are kept."""


class Repair(NamedTuple):
    """A repaired label map and what was changed.

    Attributes:
        mask: (H, W) uint8.
        holes: number of filled holes.
        hole_pixels: their pixels.
        specks: number of removed specks.
        speck_pixels: their pixels.
        rim_pixels: pixels that were cut off the silhouette.
    """

    mask: npt.NDArray[np.uint8]
    holes: int
    hole_pixels: int
    specks: int
    speck_pixels: int
    rim_pixels: int


def repair(mask: npt.NDArray[np.uint8], photo: npt.NDArray[np.uint8] | None = None) -> Repair:
    """Fill small holes, give specks the class around them and, if there is a photo, cut off spill.

    Pixels labelled 255 are not changed, and no pixel becomes 255. No class disappears. Holes and specks are repaired
    until none is left, so a second call finds none; a second call may cut the rim a little deeper. The repair of a
    mirrored pair is the mirrored repair.

    Args:
        mask: (H, W) uint8, class ids and 255.
        photo: (H, W, 3) uint8 RGB; None leaves the silhouette unchanged.
    """
    left, top, width, height = cv2.boundingRect((mask != BACKGROUND).view(np.uint8))
    # Only the area around the person is examined, which saves most of the time.
    near = tuple(
        slice(max(start - RIM_WINDOW, 0), start + length + RIM_WINDOW)
        for start, length in ((top, height), (left, width))
    )
    repaired = mask.copy()
    merged, (holes, hole_pixels, specks, speck_pixels) = _merged(np.ascontiguousarray(mask[near]))
    repaired[near] = merged
    if photo is None:
        return Repair(repaired, holes, hole_pixels, specks, speck_pixels, 0)
    cut, _ = _merged(_without_spill(merged, np.ascontiguousarray(photo[near])))  # inner cuts are holes
    repaired[near] = cut
    rim_pixels = int(np.count_nonzero(cut != merged))
    return Repair(repaired, holes, hole_pixels, specks, speck_pixels, rim_pixels)


def _merged(mask: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], list[int]]:
    """Merge holes and specks until there are none; return the map and the summed counts of `_merge_pieces`."""
    total = np.zeros(4, np.int64)
    while True:
        mask, found = _merge_pieces(mask)
        if not found.any():
            return mask, total.tolist()
        total += found


def _merge_pieces(mask: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Run one round: give every hole and speck that touches a remaining piece the class of that piece.

    Pieces are only merged into pieces that remain, so each round leaves fewer pieces and the rounds end.

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
    around[own] = other  # the only neighbour, if there is one
    hole = small & ~at_edge & (classes == BACKGROUND) & (neighbours == 1)
    hole &= (classes[around] != IGNORE) & (areas <= HOLE_OF_ITEM * areas[around])
    speck = small & ~hole & (areas <= np.minimum(SPECK_OF_PERSON * person, SPECK_OF_CLASS * largest[classes]))

    votes = np.zeros((len(areas), int(classes[classes != IGNORE].max(initial=0)) + 1), np.int64)
    stays = ~(hole | speck)[other] & (classes[other] != IGNORE)
    np.add.at(votes, (own[stays], classes[other[stays]]), contact[stays])
    best = votes.max(axis=1)
    # Ties are not changed, since the choice between equal classes would differ in the mirror image.
    decided = (hole | speck) & (best > 0) & ((votes == best[:, None]).sum(axis=1) == 1)
    new = np.where(decided, votes.argmax(axis=1), classes).astype(np.uint8)
    hole, speck = hole & decided, speck & decided
    counts = np.array([hole.sum(), areas[hole].sum(), speck.sum(), areas[speck].sum()])
    return new[piece_of], counts


def _pieces(
    mask: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the 8-connected pieces of each class: (H, W) numbers from 0; each piece's class, area, and whether it
    touches the edge."""
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
    """Return the pieces that touch small ones: (M,) a small piece, (M,) the other one, (M,) length of their border in
    pixels."""
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
    """Change rim pixels of the person to Background if their colour clearly belongs to the surroundings."""
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
    """Average the colours of the pixels `where` in a window around each of M positions.

    Returns:
        Their mean (M, 3), their mean squared distance from it (M,), and (M,) whether there are any.
    """
    shown = cv2.copyTo(photo, where)
    squares = (shown.astype(np.float64) ** 2).sum(axis=2)
    # Integers give the same sum in any order, so also in the mirror image.
    count, total, total_squares = (
        cv2.boxFilter(plane, depth, (RIM_WINDOW,) * 2, normalize=False, borderType=cv2.BORDER_CONSTANT)[rows, columns]
        for plane, depth in ((where, cv2.CV_32S), (shown, cv2.CV_32S), (squares, cv2.CV_64F))
    )
    number = np.maximum(count, 1)
    mean = total / number[:, None]
    return mean, total_squares / number - (mean**2).sum(axis=1), count > 0
