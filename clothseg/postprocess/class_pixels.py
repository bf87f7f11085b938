"""The classes of a label map: which there are, where, how many pixels they have, and the boxes around them."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt


_PART = 2**20
"""Pixels, or pairs, that are processed at once; OpenCV counts in float32, which is exact up to 2**24."""


def present_classes(label_map: npt.NDArray[np.uint8], classes: int) -> list[int]:
    """Return the ids of the classes that have a pixel, ascending: bytes are found in a tenth of the time of counting.

    Args:
        label_map: (H, W) uint8 class ids.
        classes: number of classes; ids beyond them are ignored.
    """
    present: set[int] = set()
    for rows in _strips(label_map):
        part = rows.tobytes()
        present.update(each for each in range(classes) if each not in present and each in part)
    return sorted(present)


def count_classes(label_map: npt.NDArray[np.uint8], classes: int) -> npt.NDArray[np.int64]:
    """Return how many pixels each class has: (classes,) int64.

    Neighbouring pixels are counted as pairs, in half of OpenCV's time for single ones, which is half of NumPy's.

    Args:
        label_map: (H, W) uint8 class ids; ids beyond the classes are not counted.
        classes: number of classes.
    """
    flat = np.ascontiguousarray(label_map).ravel()
    if not len(flat):
        return np.zeros(classes, np.int64)
    pairs = flat[: len(flat) // 2 * 2].view(np.uint16)[None]
    ids = max(classes, int(flat.max()) + 1)
    counts = np.bincount(flat[2 * pairs.size :], minlength=256)  # the last one of an odd number
    for start in range(0, pairs.size, _PART):
        part = pairs[:, start : start + _PART]
        both = cv2.calcHist([part], [0], None, [256 * ids], [0, 256 * ids]).reshape(ids, 256)
        counts += both.sum(axis=0, dtype=np.int64)
        counts[:ids] += both.sum(axis=1, dtype=np.int64)
    return counts[:classes].astype(np.int64)


def class_mask(label_map: npt.NDArray[np.uint8], class_ids: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Return the pixels of any of some classes, as bool of the label map's shape (H, W)."""
    if not label_map.size:
        return np.zeros(label_map.shape, np.bool_)
    wanted = np.zeros(256, np.uint8)
    wanted[list(class_ids)] = 1
    return np.asarray(cv2.LUT(np.ascontiguousarray(label_map), wanted), np.uint8).view(np.bool_)


def class_boxes(label_map: npt.NDArray[np.uint8], class_ids: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """Return the boxes (x, y, width, height) around the pixels of classes that are in a label map (H, W) uint8.

    All classes are found at once, as bits of the rows and columns that contain them.

    Args:
        label_map: class ids.
        class_ids: the classes, ascending.
    """
    boxes: list[tuple[int, int, int, int]] = []
    height, width = label_map.shape
    for first in range(0, 256, 32):
        wanted = [class_id - first for class_id in class_ids if first <= class_id < first + 32]
        if not wanted:
            continue
        in_rows, in_columns = [], np.zeros(width, np.uint32)
        for strip in _strips(label_map):
            bits = np.left_shift(np.uint32(1), strip - np.uint8(first), dtype=np.uint32)  # 0 for ids of other groups
            in_rows.append(np.bitwise_or.reduce(bits, axis=1))
            in_columns |= np.bitwise_or.reduce(bits, axis=0)
        shifts = np.array(wanted, np.uint32)[:, None]
        across, down = ((line >> shifts) & 1 for line in (in_columns, np.concatenate(in_rows)))
        left, top = across.argmax(axis=1), down.argmax(axis=1)
        right, bottom = width - across[:, ::-1].argmax(axis=1), height - down[:, ::-1].argmax(axis=1)
        boxes += zip(*(each.tolist() for each in (left, top, right - left, bottom - top)), strict=True)
    return boxes


def _strips(label_map: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
    rows = max(1, _PART // max(1, label_map.shape[1]))
    return (label_map[start : start + rows] for start in range(0, len(label_map), rows))
