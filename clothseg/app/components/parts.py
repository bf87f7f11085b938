"""Parts of a photo that can be picked: each is one class of one person.

If people were not separated, a part is a whole class. Several bags or hats of one person form one part, as do the
pieces of a garment: its mask is `Segmentation.mask` of the class, limited to that person.
"""

import base64
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.labels import BACKGROUND
from clothseg.outputs.items import MIN_SHARE
from clothseg.postprocess.geometry import deepest_point
from clothseg.segmentation import Segmentation


_CODES = 256
"""Codes of one person's parts: one for each class id."""


@dataclass(frozen=True)
class Part:
    """One class of one person.

    Attributes:
        key: Identifier of the part for browser and server, equal in all results: the class's name, percent-encoded,
            followed by the person's number if people were separated: `Dress`, `Dress/2`, and `Bag/0` without a person.
        name: of its class.
        class_id: of its class.
        person: number of its wearer, as in `Segmentation.people`; None if people were not separated or it belongs to
            no person.
        box: (x, y, width, height) in the photo's pixels.
        share: of the photo, 0..1.
        confidence: mean probability (0..1) of its pixels; None if unknown.
        point: (x, y) of the pixel farthest from the part's outline, in the photo.
        depth: how far it is from the part's outline, in the photo's pixels.
    """

    key: str
    name: str
    class_id: int
    person: int | None
    box: tuple[int, int, int, int]
    share: float
    confidence: float | None
    point: tuple[int, int]
    depth: float


def key_of(name: str, person: int | None) -> str:
    """Return `Part.key` for a class's name and its wearer: 0 for nobody, None if people were not separated."""
    written = quote(name, safe="")
    return written if person is None else f"{written}/{person}"


def class_of(key: str) -> str:
    """Return the name of the class in a `Part.key`."""
    return unquote(key.partition("/")[0])


def find_parts(result: Segmentation, min_share: float = MIN_SHARE, side: int = 800) -> tuple[Part, ...]:
    """Return the parts of a photo, by person (those without a person last) and then by class.

    Args:
        result: of the photo.
        min_share: share of the photo below which a part is a speck and left out.
        side: all but the shares of classes is measured on a map whose longer side has at most so many pixels.
    """
    small = part_codes(result, _reduced(result.photo.size, side))
    found = []
    for code, share in _shares(result, small).items():
        person, class_id = divmod(code, _CODES)
        place = small == code
        if class_id == BACKGROUND or share < min_share or not place.any():
            continue
        name = result.labels.names[class_id]
        box, point, depth = _place(place, result.photo.size)
        key = key_of(name, None if result.person_map is None else person)
        found.append(Part(key, name, class_id, person or None, box, share, _confidence(result, place), point, depth))
    return tuple(sorted(found, key=lambda part: (part.person is None, part.person or 0, part.class_id)))


def mask_of_parts(result: Segmentation, keys: Iterable[str]) -> npt.NDArray[np.bool_]:
    """(H, W) bool at the photo's size: the pixels of the parts with these keys.

    A key without a person selects the class of all people. Keys that are not in the photo are ignored.
    """
    if result.person_map is None:
        known = result.labels.foreground
        names = [name for key in keys if "/" not in key and (name := class_of(key)) in known]
        return result.mask(*names) if names else np.zeros(result.label_map.shape, np.bool_)
    people = int(result.person_map.max(initial=0))
    wanted = np.zeros((people + 1) * _CODES, np.bool_)
    for key in keys:
        name, person = class_of(key), key.partition("/")[2]
        if name not in result.labels.foreground:
            continue
        class_id = result.labels.id_of(name)
        if not person:
            wanted[class_id::_CODES] = True
        elif person.isdecimal() and int(person) <= people:
            wanted[int(person) * _CODES + class_id] = True
    return wanted.take(_codes(result.label_map, result.person_map))


def part_codes(result: Segmentation, size: tuple[int, int]) -> npt.NDArray[np.uint16]:
    """(height, width) uint16 of a `size` (width, height): each pixel's class and person, by nearest neighbour."""

    def at_size(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        if labels.shape == size[::-1]:
            return labels
        return np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)

    return _codes(at_size(result.label_map), None if result.person_map is None else at_size(result.person_map))


def part_map(result: Segmentation, parts: Sequence[Part], size: tuple[int, int]) -> npt.NDArray[np.uint16]:
    """(height, width) uint16 of a `size` (width, height): 1 + the index in `parts` of each pixel's part, or 0."""
    table = np.zeros(256 * _CODES, np.uint16)
    for number, part in enumerate(parts, start=1):
        table[(part.person or 0) * _CODES + part.class_id] = number
    return table.take(part_codes(result, size))


def pack(part_ids: npt.NDArray[np.uint16]) -> str:
    """Ids as text for the browser: base64 of the zlib stream of their little-endian uint16, row after row.

    Not a PNG: some browsers add noise to what a page reads back from a canvas, against fingerprinting.
    """
    return base64.b64encode(zlib.compress(part_ids.astype("<u2").tobytes(), 1)).decode()


def unpack(packed: str, shape: tuple[int, int]) -> npt.NDArray[np.uint16]:
    """Return the array that was given to `pack`, of a shape (height, width)."""
    return np.frombuffer(zlib.decompress(base64.b64decode(packed)), "<u2").reshape(shape)


def _codes(label_map: npt.NDArray[np.uint8], person_map: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.uint16]:
    if person_map is None:
        return label_map.astype(np.uint16)
    return person_map.astype(np.uint16) * np.uint16(_CODES) + label_map


def _shares(result: Segmentation, small: npt.NDArray[np.uint16]) -> dict[int, float]:
    """Code of class and person -> share of the photo, 0..1; `small` has these codes."""
    if result.person_map is None:
        return {result.labels.id_of(name): share for name, share in result.areas.items()}
    counts = np.bincount(small.ravel())
    return {code: int(counts[code]) / small.size for code in np.flatnonzero(counts).tolist()}


def _reduced(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _place(
    inside: npt.NDArray[np.bool_], size: tuple[int, int]
) -> tuple[tuple[int, int, int, int], tuple[int, int], float]:
    """Box, deepest pixel and its depth of a mask that was made smaller, in pixels of a photo of `size`."""
    x, y, width, height = cv2.boundingRect(inside.view(np.uint8))
    across, down = size[0] / inside.shape[1], size[1] / inside.shape[0]
    left, top = int(x * across), int(y * down)
    box = left, top, round((x + width) * across) - left, round((y + height) * down) - top
    column, row, depth = deepest_point(inside)
    return box, (int((column + 0.5) * across), int((row + 0.5) * down)), depth * min(across, down)


def _confidence(result: Segmentation, place: npt.NDArray[np.bool_]) -> float | None:
    if result.probability is None:
        return None
    size = place.shape[1], place.shape[0]
    probability = np.asarray(cv2.resize(result.probability, size, interpolation=cv2.INTER_NEAREST_EXACT))
    return float(probability[place].mean()) / 255
