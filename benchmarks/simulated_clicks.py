"""Clicks simulated on labelled photos, for `benchmarks.fit_clicks`.

The errors must be those that users meet. On photos that it was trained on, a model makes fewer and others, so that its
answers for these are also computed from degraded copies (without colour, blurred, dark, with other hues or noise), and
offsets are added to the logits of classes, in the whole photo or in parts of it. The photo that a click sees is not
degraded.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm.auto import tqdm

from clothseg import Segmenter
from clothseg.labels import IGNORE
from clothseg.postprocess.click_features import (
    ROLES,
    Array,
    Cell,
    Labels,
    Place,
    features_of,
    place_of,
    region_features,
    view_of,
    window_of,
    with_known,
)
from clothseg.postprocess.evidence import Evidence, as_evidence
from clothseg.postprocess.geometry import Box


CLICKS = 6
"""Clicks on each photo."""

SMALL = 0.42
"""Exponent that lowers the weight of each cell of a large region: 0 weights cells equally, 1 regions."""

OFFSET = 1.5
"""Largest standard deviation of the offsets of logits."""


class Row(NamedTuple):
    """A labelled photo, and the model's evidence."""

    photo: npt.NDArray[np.uint8]
    truth: Labels
    evidence: Evidence


class Source(NamedTuple):
    """Rows that a share of the clicks is on; offsets are added to a share of their logits."""

    share: float
    offset: float
    rows: list[Row]


def rows_of(
    segmenter: Segmenter, rows: list[tuple[Labels, Labels]], rng: np.random.Generator | None = None
) -> list[Row]:
    """Return the model's evidence for photos, or for degraded copies of them."""
    found = []
    for photo, truth in tqdm(rows, unit=" photos", leave=False):
        seen = photo if rng is None else degraded(photo, rng)
        logits = segmenter.logits([Image.fromarray(seen)])[0]
        found.append(Row(photo, truth, as_evidence(logits, Box(0, 0, *photo.shape[1::-1]))))
    return found


def degraded(photo: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return a copy (H, W, 3) with one or two faults."""
    values = photo.astype(np.float32) / 255
    for fault in rng.choice(5, rng.integers(1, 3), replace=False, p=(0.3, 0.25, 0.15, 0.15, 0.15)):
        if fault == 0:
            values = np.repeat(values.mean(axis=2, keepdims=True), 3, axis=2)
        elif fault == 1:
            sigma = max(photo.shape) / 800 * rng.uniform(1.5, 4)
            values = np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)
        elif fault == 2:
            values = np.maximum(values, 0) ** np.float32(rng.choice((rng.uniform(0.35, 0.6), rng.uniform(1.8, 3))))
        elif fault == 3:
            values = values[..., rng.permutation(3)]
        else:
            values = values + rng.normal(0, rng.uniform(0.05, 0.15), photo.shape).astype(np.float32)
    return np.asarray(np.clip(255 * values, 0, 255), np.uint8)


def with_offsets(evidence: Evidence, rng: np.random.Generator) -> Evidence:
    """Return evidence with offsets of the logits of each class: one for the photo, and one that changes smoothly."""
    ((box, logits),) = evidence
    height, width = logits.shape[1:]
    whole = rng.normal(0, OFFSET * rng.random(), (len(logits), 1, 1))
    parts = rng.normal(0, OFFSET * rng.random(), (len(logits), 5, 4)).astype(np.float32)
    smooth = np.stack([cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC) for part in parts])
    return as_evidence(logits.astype(np.float32) + whole.astype(np.float32) + smooth, box)


class Clicking:
    """A photo that is clicked; after the last click, the next one."""

    def __init__(self, sources: list[Source], rng: np.random.Generator) -> None:
        """Draw a photo."""
        self._sources, self._rng = [source for source in sources if source.rows], rng
        self._begin()

    def _begin(self) -> None:
        shares = np.array([source.share for source in self._sources])
        source = self._sources[self._rng.choice(len(shares), p=shares / shares.sum())]
        row = source.rows[self._rng.integers(len(source.rows))]
        self._photo_truth = row.truth
        evidence = with_offsets(row.evidence, self._rng) if self._rng.random() < source.offset else row.evidence
        self._view = view_of(Image.fromarray(row.photo), evidence)
        truth = cv2.resize(row.truth, self._view.shape[::-1], interpolation=cv2.INTER_NEAREST)
        if self._rng.random() < 0.1:  # as with classes of other label sets
            unknown = np.full_like(self._view.roles, len(ROLES)), np.zeros_like(self._view.role_probability)
            self._view = self._view._replace(roles=unknown[0], role_probability=unknown[1])
        self._truth = np.asarray(truth, np.uint8)
        self._labels = self._view.probability.argmax(axis=0).astype(np.uint8)
        self._earlier: list[tuple[Place, int]] = []

    def click(self) -> Array:
        """Return the features (F, h, w) of the next click, in the middle of the largest error or anywhere in it."""
        while (click := self._largest_error()) is None:
            self._begin()
        self._class_id, self._region, cell = click
        self._place = place_of(self._view, cell)
        self._window = window = window_of(self._view, self._labels, cell)
        self._part = self._view.crop(window), self._labels[window], self._place.crop(window)
        self._earlier_part = [(place.crop(window), class_id) for place, class_id in self._earlier]
        return features_of(*self._part, self._class_id, self._earlier_part)

    def region(self, share: Array) -> Array:
        """Return the features (R, h, w) of the region that the network found."""
        view, labels, place = self._part
        share = with_known(share.copy(), place, self._class_id, self._earlier_part)
        return region_features(view, labels, share, self._class_id)

    def _largest_error(self) -> tuple[int, npt.NDArray[np.bool_], Cell] | None:
        """Class, region and cell of the click; None if little is wrong or there were enough clicks."""
        wrong = (self._truth != self._labels) & (self._truth != IGNORE)
        largest, found = 3, None
        for class_id in np.unique(self._truth[wrong]).tolist() if len(self._earlier) < CLICKS else []:
            mask = (wrong & (self._truth == class_id)).view(np.uint8)
            _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
            number = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
            if stats[number, cv2.CC_STAT_AREA] > largest:
                largest, found = int(stats[number, cv2.CC_STAT_AREA]), (class_id, pieces == number)
        if found is None:
            return None
        if self._rng.random() < 0.25:
            row, column = self._rng.choice(np.argwhere(found[1]))
        else:
            depth = cv2.distanceTransform(np.pad(found[1].view(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
            row, column = np.unravel_index(depth.argmax(), depth.shape)
        return (*found, (int(row), int(column)))

    def target(self) -> tuple[Array, Array, Array]:
        """Return how much of each cell has the class, and the cell's weight: by the region's size, and without it."""
        share = cv2.resize(
            (self._photo_truth == self._class_id).astype(np.float32),
            self._view.shape[::-1],
            interpolation=cv2.INTER_AREA,
        )
        free = (self._labels != self._class_id) & (self._truth != IGNORE)
        region = free & (self._truth == self._class_id)
        # Errors weigh less where the label is wrong already.
        weight = np.asarray(np.where(region | (self._truth == self._labels), 1, 0.2) * free, np.float32)
        by_size = np.asarray(weight / (region.sum() + 8) ** SMALL, np.float32)
        return np.asarray(share[self._window], np.float32), by_size[self._window], weight[self._window]

    def correct(self, share: Array) -> None:
        """Apply the network's answer, or at times the truth."""
        region = self._region
        if self._rng.random() >= 0.15:
            region = np.zeros_like(region)
            region[self._window] = with_known(share.copy(), self._part[2], self._class_id, self._earlier_part) > 0.5
        self._labels = np.where(region, np.uint8(self._class_id), self._labels)
        self._labels[self._place.cell] = self._class_id
        self._earlier.append((self._place, self._class_id))
