"""Features of each pixel that show whether a click also refers to it.

All is measured on a small copy of the photo: how the network's answer, the colour and the place of a pixel differ from
those at the click, and how far it is along a path that crosses few edges (the geodesic distance of Criminisi, Sharp
and Blake, "GeoS: geodesic image segmentation", ECCV 2008, by raster scans); and the same for earlier clicks. Those
of other classes speak against it, as in Price, Morse and Cohen, "Geodesic graph cut for interactive image
segmentation" (CVPR 2010).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.labels import ATR, BACKGROUND, LabelSet
from clothseg.labels.roles import PARENTS
from clothseg.postprocess.evidence import Evidence, lay_out
from clothseg.postprocess.softmax import softmax


Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]
Cell = tuple[int, int]
"""Row and column on the grid."""

Window = tuple[slice, slice]
"""Rows and columns of the grid."""

GRID_SIDE = 160
"""Longer side of the copy, or as near as a whole number of times smaller than the photo."""

_STEP = 0.02
"""Cost of a step of the geodesic distance, in addition to what changes on the way."""

_ROUNDS = 2
"""Sweeps of the geodesic distance in each of the four directions."""

ROLES = tuple(dict.fromkeys(ATR.roles))
"""Roles of classes that the network tells apart; it takes others as unknown."""

REGION_FEATURES = 4
"""Features of a first answer, for the second one."""

_MARGIN = 8
"""Cells around a figure that a click can mean, too."""

_PLANES = ("lab", "probability", "log_probability", "unit", "role_probability")

_BINS = (12, 14, 14)
"""Of the colour histograms: lightness, and the two axes of colour."""

_NONE = {"color": 3.0, "answer": 1.0, "way": 3.0, "place": 1.5, "cosine": -1.0}
"""Features for earlier clicks if there are none: those of a click that is distant in every respect."""


class View(NamedTuple):
    """A photo on the grid.

    Attributes:
        lab: (3, h, w) CIELAB colours, smoothed.
        probability: (18, h, w), what the network said.
        log_probability: (18, h, w).
        unit: (18, h, w), the logits less their mean, as vectors of length 1.
        down: (h - 1, w) cost of the way from a cell to the one below.
        right: (h, w - 1) cost of the way to the one at the right.
        scale: height of the figure in cells.
        on_its_side: whether the people in the photo lie.
        roles: (18,) uint8 index in `ROLES` of each class; beyond its end for other roles.
        role_probability: (15, h, w), what the network said of each role.
    """

    lab: Array
    probability: Array
    log_probability: Array
    unit: Array
    down: Array
    right: Array
    scale: float
    on_its_side: bool
    roles: Labels
    role_probability: Array

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w) of the grid."""
        return self.lab.shape[1], self.lab.shape[2]

    def crop(self, window: Window) -> "View":
        """Return the part of it in a window."""
        planes = {name: getattr(self, name)[:, *window] for name in _PLANES}
        (rows, columns) = window
        down, right = (
            self.down[rows.start : rows.stop - 1, columns],
            self.right[rows, columns.start : columns.stop - 1],
        )
        return self._replace(down=down, right=right, **planes)


class Place(NamedTuple):
    """A cell as seen from all others, each (h, w) float32.

    Attributes:
        cell: where it is.
        color: difference of colours.
        lightness: that of lightness alone.
        answer: total variation of the network's probabilities, 0..1.
        cosine: of the network's logits.
        way: geodesic distance.
    """

    cell: Cell
    color: Array
    lightness: Array
    answer: Array
    cosine: Array
    way: Array

    def crop(self, window: Window) -> "Place":
        """Return the part of it in a window, in which the cell need not be."""
        row, column = (at - part.start for at, part in zip(self.cell, window, strict=True))
        return Place((row, column), *(plane[window] for plane in self[1:]))


def view_of(photo: Image.Image, evidence: Evidence, rotation: int = 0, labels: LabelSet = ATR) -> View:
    """Return the data of a photo and its evidence that the features of all clicks need.

    Args:
        photo: RGB.
        evidence: of it.
        rotation: by how many degrees clockwise it must be turned for people to stand upright.
        labels: the classes.
    """
    shrink = max(1, round(max(photo.size) / GRID_SIDE))
    colors = cv2.cvtColor(np.asarray(photo.reduce(shrink), np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab = np.stack([np.asarray(cv2.medianBlur(plane, 5), np.float32) for plane in cv2.split(colors)])
    logits = lay_out(evidence, photo.size, lab.shape[1:])
    probability = softmax(logits)
    unit = logits - logits.mean(axis=0)
    unit /= np.maximum(np.linalg.norm(unit, axis=0), 1e-6)
    down, right = _costs(lab, probability, 1), _costs(lab, probability, 2)
    axis = 0 if rotation in (90, 270) else 1
    extent = np.flatnonzero((probability[BACKGROUND] < 0.5).any(axis=axis))
    scale = max(20.0, float(np.ptp(extent)) if len(extent) else 0)
    log_probability = np.log(np.maximum(probability, 1e-5))
    known = [PARENTS.get(role, role) for role in labels.roles]
    roles = np.array([ROLES.index(role) if role in ROLES else len(ROLES) for role in known], np.uint8)
    role_probability = np.stack([probability[roles == role].sum(axis=0) for role in range(len(ROLES))])
    on_its_side = rotation in (90, 270)
    return View(lab, probability, log_probability, unit, down, right, scale, on_its_side, roles, role_probability)


def _costs(lab: Array, probability: Array, axis: int) -> Array:
    """Cost of the step from each cell to the next along an axis."""
    changes = [np.abs(np.diff(planes, axis=axis)).sum(axis=0) for planes in (lab, probability)]
    return np.asarray(_STEP + changes[0] / 20 + 2 * changes[1], np.float32)


def place_of(view: View, cell: Cell) -> Place:
    """A cell as seen from all others."""
    row, column = cell
    around = slice(max(0, row - 1), row + 2), slice(max(0, column - 1), column + 2)
    lab, probability, unit = (
        planes[:, *around].mean(axis=(1, 2)) for planes in (view.lab, view.probability, view.unit)
    )
    color = np.sqrt(sum((plane - value) ** 2 for plane, value in zip(view.lab, lab, strict=True)))
    answer = 0.5 * sum(np.abs(plane - value) for plane, value in zip(view.probability, probability, strict=True))
    cosine = np.tensordot(unit, view.unit, 1)
    return Place(
        cell, color, np.abs(view.lab[0] - lab[0]), answer, cosine, geodesic_distance(view.down, view.right, cell)
    )


def geodesic_distance(down: Array, right: Array, cell: Cell) -> Array:
    """Distance (h, w) float32 of all cells from one along the best path, by a few raster scans.

    Args:
        down: (h - 1, w) float32 cost of the way from a cell to the one below.
        right: (h, w - 1) float32 cost of the way to the one at the right.
        cell: from which it is measured.
    """
    distance = np.full((right.shape[0], down.shape[1]), 1e9, np.float32)
    distance[cell] = 0
    across = np.ascontiguousarray(right.T)
    for _ in range(_ROUNDS):
        _sweep(distance, down)
        turned = np.ascontiguousarray(distance.T)
        _sweep(turned, across)
        distance = np.ascontiguousarray(turned.T)
    return distance


def _sweep(distance: Array, costs: Array) -> None:
    """Carry distances down and up, in place."""
    for at in range(1, len(distance)):
        np.minimum(distance[at], distance[at - 1] + costs[at - 1], out=distance[at])
    for at in range(len(distance) - 2, -1, -1):
        np.minimum(distance[at], distance[at + 1] + costs[at], out=distance[at])


def features_of(
    view: View, labels: Labels, place: Place, class_id: int, earlier: Sequence[tuple[Place, int]] = ()
) -> Array:
    """Features (F, h, w) float32 that show whether cells belong to the region of a click.

    Args:
        view: of the photo.
        labels: (h, w) uint8 class ids before the click.
        place: of the click.
        class_id: that was given there.
        earlier: places and class ids of earlier clicks.
    """
    row, column = cell = place.cell
    was = int(labels[cell])
    logs, probability = view.log_probability, view.probability
    own = np.take_along_axis(logs, labels[None].astype(np.intp), axis=0)[0]
    _, pieces, stats, _ = cv2.connectedComponentsWithStats((labels == was).view(np.uint8), connectivity=4)
    piece = (pieces == pieces[cell]).view(np.uint8)
    padded = cv2.copyMakeBorder(piece, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth = np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)[1:-1, 1:-1]
    rows, columns = np.indices(view.shape, np.float32)
    away = np.abs(rows - row) / view.scale, np.abs(columns - column) / view.scale
    straight = np.hypot(*away)
    margin = (logs[class_id] - logs[was]) / 4
    one = np.ones(view.shape, np.float32)
    planes = [
        (logs[class_id] - own) / 4,
        probability[class_id],
        probability[class_id] - probability[class_id][cell],
        probability[was] - probability[was][cell],
        (logs[class_id] - logs[class_id][cell]) / 4,
        (logs[was] - logs[was][cell]) / 4,
        margin,
        one * margin[cell],
        place.answer,
        place.cosine,
        np.log1p(place.color / 5),
        place.lightness / 30,
        np.log1p(place.way) / 3,
        np.sqrt(straight),
        away[view.on_its_side],
        away[not view.on_its_side],
        labels == was,
        piece,
        labels == BACKGROUND,
        one * (class_id == BACKGROUND),
        one * (was == BACKGROUND),
        probability.max(axis=0),
        one * (stats[pieces[cell], cv2.CC_STAT_AREA] ** 0.5 / view.scale),
        one * (depth[cell] / view.scale),
        one * (depth[cell] / max(1, depth.max())),
        np.log1p(straight * view.scale / max(1, depth[cell])),
        np.minimum(depth, 20) / 20,
        *_of_earlier(view, [each for each, given in earlier if given != class_id], rows, columns),
        *_of_same([each for each, given in earlier if given == class_id], one),
        labels == class_id,
        *view.lab / 50,
        *view.role_probability,
    ]
    roles = np.arange(len(ROLES))[:, None, None]
    one_hot = [
        np.broadcast_to(roles == role, (len(ROLES), *view.shape))
        for role in (view.roles[labels], view.roles[class_id], view.roles[was])
    ]
    return np.concatenate([np.stack([np.asarray(plane, np.float32) for plane in planes]), *one_hot], dtype=np.float32)


def _of_earlier(view: View, places: list[Place], rows: Array, columns: Array) -> list[Array]:
    """Distances of cells, in each feature, to the nearest click of another class."""
    made = [np.full(view.shape, value, np.float32) for value in _NONE.values()]
    for place in places:
        straight = np.hypot(rows - place.cell[0], columns - place.cell[1]) / view.scale
        here: tuple[npt.NDArray[np.floating], ...] = (
            np.log1p(place.color / 5),
            place.answer,
            np.log1p(place.way) / 3,
            np.sqrt(straight),
        )
        for plane, value in zip(made, here, strict=False):
            np.minimum(plane, value, out=plane)
        np.maximum(made[-1], place.cosine, out=made[-1])
    return made


def _of_same(places: list[Place], one: Array) -> list[Array]:
    """The same for clicks of the same class: colour and way alone."""
    color, way = (np.full_like(one, _NONE[name]) for name in ("color", "way"))
    for place in places:
        np.minimum(color, np.log1p(place.color / 5), out=color)
        np.minimum(way, np.log1p(place.way) / 3, out=way)
    return [color, way]


def window_of(view: View, labels: Labels, cell: Cell) -> Window:
    """Rows and columns that a click can mean: what may be a figure, and the click, with a margin.

    Args:
        view: of the photo.
        labels: (h, w) uint8 class ids before the click.
        cell: that was clicked.
    """
    figure = (labels != BACKGROUND) | (view.probability[BACKGROUND] < 0.9)
    margin = round(0.25 * view.scale) if labels[cell] == BACKGROUND else _MARGIN
    row, column = cell
    figure[max(0, row - margin) : row + margin + 1, max(0, column - margin) : column + margin + 1] = True
    left, top, width, height = cv2.boundingRect(figure.view(np.uint8))
    return (
        slice(max(0, top - _MARGIN), min(top + height + _MARGIN, view.shape[0])),
        slice(max(0, left - _MARGIN), min(left + width + _MARGIN, view.shape[1])),
    )


def region_features(view: View, labels: Labels, share: Array, class_id: int) -> Array:
    """Features (`REGION_FEATURES`, h, w) float32 of cells by the region that was found: whether they belong to it, how
    often their colour is in it rather than around it, and how they differ from its mean in colour and in what the
    network said.

    Args:
        view: of the photo.
        labels: (h, w) uint8 class ids before the click.
        share: (h, w), how probable it is that cells belong to the region.
        class_id: that the click gave.
    """
    free = labels != class_id
    inside = share * free
    side = max(5, round(0.3 * view.scale)) | 1
    near = cv2.blur(inside, (side, side), borderType=cv2.BORDER_REPLICATE)
    outside = (1 - share) * free * (near + 0.01 * near.max())
    weight = inside / max(float(inside.sum()), 1e-6)
    color = np.tensordot(weight, view.lab, ((0, 1), (1, 2)))
    answer = np.tensordot(weight, view.probability, ((0, 1), (1, 2)))
    return np.stack(
        [
            inside,
            _color_ratio(view.lab, inside, outside),
            np.log1p(np.sqrt(sum((plane - value) ** 2 for plane, value in zip(view.lab, color, strict=True))) / 5),
            0.5 * sum(np.abs(plane - value) for plane, value in zip(view.probability, answer, strict=True)),
        ],
        dtype=np.float32,
    )


def with_known(share: Array, place: Place, class_id: int, earlier: Sequence[tuple[Place, int]]) -> Array:
    """Set the share (h, w) of cells that were clicked, in place, and return it: 1 here, 0 where another class was
    given."""
    for each, given in earlier:
        row, column = each.cell
        if given != class_id and 0 <= row < len(share) and 0 <= column < share.shape[1]:
            share[each.cell] = 0
    share[place.cell] = 1
    return share


def _color_ratio(lab: Array, inside: Array, outside: Array) -> Array:
    """Logarithm of how much more frequent the colours (3, h, w) are inside than outside, in -1..1."""
    light, *colors = (
        np.clip((plane - low) / step, 0, bins - 1).astype(np.intp)
        for plane, low, step, bins in zip(lab, (0, -56, -56), (100 / 12, 8, 8), _BINS, strict=True)
    )
    number = ((light * _BINS[1] + colors[0]) * _BINS[2] + colors[1]).ravel()
    counts = []
    for weight in (inside, outside):
        count: Any = np.bincount(number, weight.ravel(), int(np.prod(_BINS))).reshape(_BINS)
        for axis in range(3):
            padded = np.pad(count, [(1, 1) if each == axis else (0, 0) for each in range(3)])
            first, middle, last = (np.take(padded, range(start, start + _BINS[axis]), axis=axis) for start in range(3))
            count = (first + 2 * middle + last) / 4
        counts.append(count.ravel() / max(float(count.sum()), 1e-6) + 1e-4)
    ratio = np.clip(np.log(counts[0] / counts[1]) / 4, -1, 1)
    return np.asarray(ratio[number].reshape(inside.shape), np.float32)
