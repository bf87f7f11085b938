"""Corrections by clicks: the region that a click means takes the class that was given for it.

The region is found on a small copy of the photo from three things: how far a pixel is from the click along a path
that crosses few edges of colour or of the network's answer (the geodesic distance of Criminisi, Sharp and Blake,
"GeoS: geodesic image segmentation", ECCV 2008, by raster scans), whether the network's answer is as it is at the
click, and whether the colours are. The guided filter then carries it over to the photo.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError
from clothseg.postprocess.corrections import class_id_of
from clothseg.postprocess.evidence import Evidence, lay_out
from clothseg.postprocess.guided_edges import follow_edges
from clothseg.postprocess.softmax import softmax


Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

GRID_SIDE = 256
"""Longer side of the copy on which regions are found, or as near as a whole number of times smaller."""


@dataclass(frozen=True)
class Click:
    """A place in a photo whose class somebody gave.

    Attributes:
        x: column, in pixels of the photo, from 0 at the left; fractions are cut off.
        y: row, from 0 at the top.
        label: name of the class, "Background" included.

    Raises:
        UnknownClassError: the class is not one of the 18; a group of classes is none.
        ConfigError: a coordinate is no number.
    """

    x: int
    y: int
    label: str

    def __post_init__(self) -> None:
        class_id_of(self.label)
        for name in ("x", "y"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
                raise ConfigError(f"The {name} of a click must be a number of pixels, not {repr(value)[:50]}.")
            object.__setattr__(self, name, int(np.floor(value)))

    def check_inside(self, photo_size: tuple[int, int]) -> None:
        """Check that the click is in a photo of (W, H).

        Raises:
            ConfigError: it is not.
        """
        width, height = photo_size
        if not (0 <= self.x < width and 0 <= self.y < height):
            raise ConfigError(f"The click at ({self.x}, {self.y}) is outside the photo of {width} x {height} pixels.")


class View(NamedTuple):
    """A photo on the grid on which regions are found.

    Attributes:
        lab: (3, h, w) float32, colours in CIELAB.
        probability: (18, h, w) float32, what the network said.
    """

    lab: Array
    probability: Array


def view_of(photo: Image.Image, evidence: Evidence) -> View:
    """What is needed of an RGB photo and of what the network said of it, for any number of clicks."""
    shrink = max(1, round(max(photo.size) / GRID_SIDE))
    small = np.asarray(photo.reduce(shrink), np.float32) / 255
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    probability = softmax(lay_out(evidence, photo.size, small.shape[:2]))
    return View(np.ascontiguousarray(lab.transpose(2, 0, 1)), probability)


def apply_click(photo: Image.Image, label_map: Labels, view: View, click: Click) -> Labels:
    """The label map (H, W) uint8 of an RGB photo after a click."""
    class_id = class_id_of(click.label)
    shape = view.lab.shape[1:]
    labels = np.asarray(cv2.resize(label_map, shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
    cell = click.y * shape[0] // label_map.shape[0], click.x * shape[1] // label_map.shape[1]
    labels[cell] = label_map[click.y, click.x]
    share = region_of(view, labels, cell)
    region = (share > 0.5) & (labels != class_id)
    region[cell] = True
    near = cv2.dilate(region.view(np.uint8), np.ones((5, 5), np.uint8)).view(np.bool_)
    share = np.where((labels == class_id) & near, 1, np.where(near, share, 0))
    share[cell] = 1
    log = np.log(np.clip(np.stack([1 - share, share]), 1e-4, 1)).astype(np.float32)
    inside = follow_edges(log, photo) == 1
    inside[click.y, click.x] = True
    return np.where(inside, np.uint8(class_id), label_map)


def region_of(view: View, labels: Labels, cell: tuple[int, int]) -> Array:
    """(h, w) in 0..1: whether the grid's cells are of the region that a click at `cell` means."""
    lab = np.stack([np.asarray(cv2.medianBlur(plane, 5), np.float32) for plane in view.lab])
    row, column = cell
    around = lab[:, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].mean(axis=(1, 2))
    colour = np.sqrt(((lab - around[:, None, None]) ** 2).sum(axis=0))
    answer = np.abs(view.probability - view.probability[:, row, column][:, None, None]).sum(axis=0)
    way = geodesic_distance([*(lab / 30), *(2 * view.probability)], cell, 0.005)
    score = 1.5 - colour / 15 - answer - way / 4
    return np.asarray(1 / (1 + np.exp(-4 * np.where(labels == labels[cell], score, score - 1))), np.float32)


def geodesic_distance(planes: Sequence[Array], cell: tuple[int, int], step: float, rounds: int = 2) -> Array:
    """How far cells are from one of them along the best path: the sum of steps and of differences on the way.

    Args:
        planes: (h, w) float32 each, whose differences between neighbours cost.
        cell: row and column from which it is measured.
        step: cost of a step from a cell to the next, in addition.
        rounds: sweeps down, up, right and left.
    """
    height, width = planes[0].shape
    down = np.full((height - 1, width), step, np.float32)
    right = np.full((height, width - 1), step, np.float32)
    for plane in planes:
        down += np.abs(np.diff(plane, axis=0))
        right += np.abs(np.diff(plane, axis=1))
    distance = np.full((height, width), 1e9, np.float32)
    distance[cell] = 0
    for _ in range(rounds):
        for turned, costs in ((distance, down), (distance.T, right.T)):
            for at in range(1, len(turned)):
                np.minimum(turned[at], turned[at - 1] + costs[at - 1], out=turned[at])
            for at in range(len(turned) - 2, -1, -1):
                np.minimum(turned[at], turned[at + 1] + costs[at], out=turned[at])
    return distance
