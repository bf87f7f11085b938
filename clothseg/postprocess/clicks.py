"""Corrections by clicks: the region that a click means takes the class that was given for it.

A click in the middle of a wrong region does not show its extent. For each cell of a grid, a small network says how
probable it is that it belongs to the region (`clothseg.postprocess.click_network`), from the photo's colours and the
main network's answer (`clothseg.postprocess.click_features`), so that it serves every engine and model. It learnt from
clicks that were simulated on labelled photos, as in Xu et al., "Deep interactive object selection" (CVPR 2016). The
guided filter then carries the region over to the photo, and narrow strips that it leaves over are taken, too
(`clothseg.postprocess.remains`). docs/experiments/clicks.md compares other ways.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError
from clothseg.labels import ATR, LabelSet
from clothseg.postprocess.click_features import (
    Array,
    Cell,
    Labels,
    Place,
    View,
    features_of,
    place_of,
    region_features,
    view_of,
    window_of,
    with_known,
)
from clothseg.postprocess.click_network import membership
from clothseg.postprocess.corrections import Correction, check_label
from clothseg.postprocess.evidence import Evidence
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.guided_edges import follow_edges
from clothseg.postprocess.remains import take_remains


THRESHOLD = 0.45
"""Probability from which a cell belongs to the region."""

_NEAR = np.ones((5, 5), np.uint8)


@dataclass(frozen=True)
class Click:
    """A point in a photo with the class that a user gave it.

    Attributes:
        x: column, in pixels of the photo, from 0 at the left; fractions are cut off.
        y: row, from 0 at the top.
        label: name of the class, "Background" included.

    Raises:
        UnknownClassError: the class is not text.
        ConfigError: a coordinate is no number.
    """

    x: int
    y: int
    label: str

    def __post_init__(self) -> None:
        check_label(self.label)
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


def clicks_of(corrections: Sequence[Correction]) -> list[Click]:
    """The clicks among corrections."""
    return [
        Click(each.x, each.y, each.label)
        for each in corrections
        if each.x is not None and each.y is not None and each.label is not None
    ]


class ClickRefiner:
    """A photo to which clicks are applied.

    Where the photo was cropped for a small figure, or for one of several people, clicks in the crop are applied there:
    the region ends with it, and the figure is seen at its higher resolution.
    """

    def __init__(self, photo: Image.Image, evidence: Evidence, rotation: int = 0, labels: LabelSet = ATR) -> None:
        """Compute nothing yet.

        Args:
            photo: RGB.
            evidence: what the network said of it; the first box is the whole photo.
            rotation: by how many degrees clockwise it must be turned for people to stand upright.
            labels: the classes.
        """
        self._labels = labels
        self._photo, self._evidence, self._rotation = photo, evidence, rotation
        self._views: dict[int, View] = {}
        self._places: dict[tuple[int, Cell], Place] = {}

    def apply(self, label_map: Labels, click: Click, earlier: Sequence[Click] = ()) -> Labels:
        """The label map (H, W) uint8 after a click, which holds where it is; so do earlier ones of other places."""
        class_id = self._labels.id_of(click.label)
        if label_map[click.y, click.x] == class_id:
            return label_map
        number, box = self._window(click)
        part = slice(box.top, box.bottom), slice(box.left, box.right)
        crop, labels = self._photo.crop(box), label_map[part]
        if number not in self._views:
            logits = self._evidence[number][1]
            self._views[number] = view_of(crop, ((Box(0, 0, *crop.size), logits),), self._rotation, self._labels)
        view = self._views[number]
        moved = [_moved(each, box) for each in earlier]
        place = partial(self._place, number)
        inside = _region(crop, labels, view, place, _moved(click, box), moved, self._labels, self._rotation)
        label_map = label_map.copy()
        label_map[part][inside] = class_id
        return label_map

    def _place(self, number: int, cell: Cell) -> Place:
        if (number, cell) not in self._places:
            self._places[number, cell] = place_of(self._views[number], cell)
        return self._places[number, cell]

    def _window(self, click: Click) -> tuple[int, Box]:
        """Number and box of the evidence in which a click is seen best."""
        for number in range(len(self._evidence) - 1, 0, -1):
            box = self._evidence[number][0]
            if box.left <= click.x < box.right and box.top <= click.y < box.bottom:
                return number, box
        return 0, Box(0, 0, *self._photo.size)


def _moved(click: Click, box: Box) -> Click:
    return Click(click.x - box.left, click.y - box.top, click.label)


def _region(
    photo: Image.Image,
    label_map: Labels,
    view: View,
    place: Callable[[Cell], Place],
    click: Click,
    earlier: Sequence[Click],
    label_set: LabelSet,
    rotation: int,
) -> npt.NDArray[np.bool_]:
    """(H, W): the pixels that a click means."""
    class_id, shape = label_set.id_of(click.label), view.shape
    labels = np.asarray(cv2.resize(label_map, shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
    cell = _cell(click, label_map.shape, shape)
    labels[cell] = label_map[click.y, click.x]
    others = [each for each in earlier if (each.x, each.y) != (click.x, click.y)]
    others = [each for each in others if 0 <= each.x < photo.width and 0 <= each.y < photo.height]
    cells = [_cell(each, label_map.shape, shape) for each in others]
    given = [label_set.id_of(each.label) for each in others]
    window = window_of(view, labels, cell)
    places = [(place(each).crop(window), other) for each, other in zip(cells, given, strict=True)]
    share = np.zeros(shape, np.float32)
    share[window] = _share(view.crop(window), labels[window], place(cell).crop(window), class_id, places, rotation)
    found = (share > 0.5) & (labels != class_id)
    near = cv2.dilate(found.view(np.uint8), _NEAR).view(np.bool_)
    # Pixels that already have the class are included; otherwise a seam would remain.
    share = np.where(near, np.where(labels == class_id, 1, share), 0)
    logits = np.log(np.clip(np.stack([1 - share, share]), 1e-4, 1)).astype(np.float32)
    inside = follow_edges(logits, photo) == 1
    kept = [(each.y, each.x) for each, other in zip(others, given, strict=True) if other != class_id]
    inside = take_remains(label_map, inside, class_id, kept)
    for held, other in zip(others, given, strict=True):
        inside[held.y, held.x] &= other == class_id
    inside[click.y, click.x] = True
    return inside


def _share(
    view: View, labels: Labels, place: Place, class_id: int, earlier: list[tuple[Place, int]], rotation: int
) -> Array:
    """(h, w) float32 in 0..1: whether a click means a cell, from 0.5. The network answers twice; the second time, it
    knows its first answer."""
    features = features_of(view, labels, place, class_id, earlier)
    share = with_known(membership(features, rotation=rotation), place, class_id, earlier)
    share = membership(features, region_features(view, labels, share, class_id), rotation)
    return with_known(np.clip(share + 0.5 - THRESHOLD, 0, 1), place, class_id, earlier)


def _cell(click: Click, photo_shape: tuple[int, ...], shape: tuple[int, int]) -> Cell:
    return click.y * shape[0] // photo_shape[0], click.x * shape[1] // photo_shape[1]
