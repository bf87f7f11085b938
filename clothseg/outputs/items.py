"""Single items in a photo: each garment, shoe, bag and hat with its box, colours and wearer.

An item consists of connected pieces of one class. Pieces of a garment belong together if they have one wearer (if
people were not separated: if they are in one connected figure) and are at most a head apart, an eighth of the figure's
longer side: a belt behind a hand or trousers behind a bag are one item. One person may have several bags and hats:
their pieces are separate items if they are more than half a head (an arm's width) apart, except for pieces below a
tenth of the largest, such as a strap behind a lapel. Left and right shoes are separate classes, so they are two items.
An item below `MIN_SHARE` of the photo in total is a speck and is left out, and so are pieces below a tenth of that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.errors import ConfigError
from clothseg.labels import ATR, BACKGROUND, LabelSet
from clothseg.outputs.color_names import Color, dominant
from clothseg.outputs.mask_encoding import polygons, run_lengths


Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""(x, y, width, height) in pixels."""

Numbers = npt.NDArray[np.integer]

MIN_SHARE = 3e-4
"""Items below this share of the photo are left out, as in `clothseg.postprocess.cleanup.drop_specks`."""

_PIECE = 0.1
"""Pieces below this share of the smallest item are left out."""

_SEVERAL = ("bag", "hat")
"""Roles of classes of which one person may have several items."""

_PART = 0.1
"""Pieces of these classes below this share of a larger piece nearby belong to it."""

_HEAD, _ARM = 1 / 8, 1 / 16
"""Share of a figure's longer side: gaps up to this are bridged, in garments, and in bags and hats."""


@dataclass(frozen=True, eq=False)
class Item:
    """A single item in a photo.

    Attributes:
        index: from 1, by class and then from left to right.
        name: of its class.
        class_id: of its class.
        area: in pixels.
        share: of the photo, 0..1.
        box: (x, y, width, height) in pixels of the photo.
        confidence: mean probability (0..1) of its pixels; None if unknown.
        colors: main colours, the largest first.
        wearer: number of the person who wears it, as in `Segmentation.people`; None if people were not separated.
        mask: (height, width) bool over the box; read-only.
        size: (height, width) of the photo.
    """

    index: int
    name: str
    class_id: int
    area: int
    share: float
    box: Box
    confidence: float | None
    colors: tuple[Color, ...]
    wearer: int | None
    mask: Mask = field(repr=False)
    size: tuple[int, int] = field(repr=False)

    def full_mask(self) -> Mask:
        """Return the mask at the photo's size, (H, W) bool."""
        x, y, width, height = self.box
        full = np.zeros(self.size, np.bool_)
        full[y : y + height, x : x + width] = self.mask
        return full

    @property
    def rle(self) -> dict[str, Any]:
        """Return COCO's compressed run lengths at the photo's size: `size` [height, width] and `counts`, as text."""
        return run_lengths(self.full_mask())

    @property
    def polygons(self) -> list[list[float]]:
        """Return COCO's polygons [x0, y0, x1, y1, ...] in pixels of the photo, one for each connected piece."""
        return polygons(self.mask, self.box[:2])

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; `box` is [x, y, width, height] in pixels."""
        return {
            "index": self.index,
            "id": self.class_id,
            "name": self.name,
            "area": self.area,
            "share": round(self.share, 6),
            "box": list(self.box),
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "colors": [{"name": c.name, "hex": c.hex, "share": round(c.share, 4)} for c in self.colors],
            "wearer": self.wearer,
        }


def find_items(
    photo: Pixels,
    label_map: Pixels,
    probability: Pixels | None,
    person_map: Pixels | None,
    class_ids: Sequence[int],
    min_share: float = MIN_SHARE,
    labels: LabelSet = ATR,
) -> tuple[Item, ...]:
    """Find the items of some classes, by class and then from left to right.

    Args:
        photo: (H, W, 3) uint8 RGB.
        label_map: (H, W) uint8 class ids.
        probability: (h, w) uint8 grid over the photo, 255 times the winner's probability, or None.
        person_map: (H, W) uint8 numbers of people, 0 for nobody; or None.
        class_ids: classes to find.
        min_share: share of the photo below which an item is left out.
        labels: the classes.

    Raises:
        ConfigError: `min_share` is not within 0..1.
    """
    if not 0 <= min_share <= 1:
        raise ConfigError(f"min_share must lie between 0 and 1, not {min_share}.")
    owners, boxes = _owners(label_map, person_map)
    found: list[Item] = []
    several = labels.with_roles(*_SEVERAL)
    for class_id in sorted(set(class_ids)):
        things = _things(label_map, owners, boxes, class_id, min_share * label_map.size, class_id in several)
        for owner, box, mask in sorted(things, key=lambda thing: thing[1]):
            x, y, width, height = box
            rows, columns = slice(y, y + height), slice(x, x + width)
            area = int(np.count_nonzero(mask))
            found.append(
                Item(
                    index=len(found) + 1,
                    name=labels.names[class_id],
                    class_id=class_id,
                    area=area,
                    share=area / label_map.size,
                    box=box,
                    confidence=_confidence(probability, label_map.shape, rows, columns, mask),
                    colors=dominant(photo[rows, columns], mask),
                    wearer=owner if person_map is not None and owner else None,
                    mask=mask,
                    size=(label_map.shape[0], label_map.shape[1]),
                )
            )
    return tuple(found)


def items_to_dict(
    items: Sequence[Item], photo: str | None = None, notes: Sequence[str] = (), labels: LabelSet = ATR
) -> dict[str, Any]:
    """Return a JSON-ready list of items, with the number of each class: {"photo", "notes", "counts", "items"}."""
    counts = {name: sum(item.name == name for item in items) for name in labels.names}
    return {
        "photo": photo,
        "notes": list(notes),
        "counts": {name: count for name, count in counts.items() if count},
        "items": [item.to_dict() for item in items],
    }


def _owners(label_map: Pixels, person_map: Pixels | None) -> tuple[Numbers, list[Box]]:
    """Return the owner of each pixel, (H, W) numbers of people or of connected figures, and the box of each number."""
    if person_map is None:
        _, figures, stats, _ = cv2.connectedComponentsWithStats((label_map != BACKGROUND).view(np.uint8))
        return figures, [(x, y, width, height) for x, y, width, height, _ in stats.tolist()]
    return person_map, [_box(person_map == number) for number in range(int(person_map.max()) + 1)]


def _things(
    label_map: Pixels, owners: Numbers, boxes: list[Box], class_id: int, least: float, several: bool
) -> Iterator[tuple[int, Box, Mask]]:
    """Yield owner, box and mask over the box of each item of a class."""
    areas = np.bincount(owners[label_map == class_id], minlength=1)
    for owner in np.flatnonzero(areas >= max(1.0, least)).tolist():
        left, top, width, height = boxes[owner]
        side = max(width, height)
        part = np.s_[top : top + height, left : left + width]
        mask = (label_map[part] == class_id) & (owners[part] == owner)
        x, y, width, height = _box(mask)
        left, top, mask = left + x, top + y, mask[y : y + height, x : x + width].copy()
        _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
        keep = stats[:, cv2.CC_STAT_AREA] >= _PIECE * least
        keep[0] = False
        mask = keep.take(pieces)
        things = _groups(mask, _HEAD * side)
        if several:
            things = _apart(things, _groups(mask, _ARM * side))
        for number in np.flatnonzero(np.bincount(things.ravel())[1:] >= max(1.0, least)).tolist():
            thing = things == number + 1
            x, y, width, height = _box(thing)
            thing = thing[y : y + height, x : x + width].copy()
            thing.flags.writeable = False
            yield owner, (left + x, top + y, width, height), thing


def _groups(mask: Mask, gap: float) -> npt.NDArray[np.int32]:
    """Number, from 1, the groups of a mask's pieces that are more than `gap` pixels apart."""
    distance = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    _, numbers = cv2.connectedComponents((distance <= gap / 2).view(np.uint8))
    return np.where(mask, numbers, 0).astype(np.int32, copy=False)


def _apart(near: npt.NDArray[np.int32], parts: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the numbers of `parts`, each within one group of `near`; small parts get the number of the largest."""
    areas = np.bincount(parts.ravel())
    group = np.zeros_like(areas)
    group[parts.ravel()] = near.ravel()
    same = np.arange(len(areas))
    for number in np.unique(group[1:]):
        within = 1 + np.flatnonzero(group[1:] == number)
        largest = within[areas[within].argmax()]
        same[within[areas[within] < _PART * areas[largest]]] = largest
    return same.astype(np.int32).take(parts)


def _box(mask: Mask) -> Box:
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return x, y, width, height


def _confidence(
    probability: Pixels | None, size: tuple[int, ...], rows: slice, columns: slice, mask: Mask
) -> float | None:
    if probability is None:
        return None
    down = np.arange(rows.start, rows.stop) * probability.shape[0] // size[0]
    across = np.arange(columns.start, columns.stop) * probability.shape[1] // size[1]
    return float(probability[np.ix_(down, across)][mask].mean() / 255)
