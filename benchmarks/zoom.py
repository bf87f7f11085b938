"""How much a second look brings, by how much of the photo the figure fills: where the zoom should set in.

    python -m benchmarks.zoom FOLDER [MODEL] [--photos N]

FOLDER holds train.parquet; MODEL is a Hub id or folder, by default the embedded weights. Training photos, since a
setting is chosen here; the model has seen them, so that only differences mean something. Each photo is shrunk to
several sizes in the middle of a grey picture of its own size, and every figure is looked at again, whatever its size.
A row is about the pictures in which the figure with air about it fills that much of the frame: mean IoU on the pixels
of the shrunk photo after the first look and after the second, with the 95 % interval of the difference, by bootstrap
over pictures (1,000 resamples, seed 0). The last column counts the pictures in which a class stops on the edge of the
window that was looked at again and did not after the first look: a seam.

The second table is about photos that are wide, not small: each is brought to several proportions by its outermost
columns, repeated on both sides. There a second look is taken where the zoom takes one by itself.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from benchmarks.views import Labels, mean_iou, small
from clothseg import Segmenter
from clothseg.training.data import decode_row, load_splits
from clothseg.training.metrics import confusion_matrix
from clothseg.training.statistics import draws, interval
from clothseg.zoom import Box, paste, surroundings


SIZES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Of the shrunk photos, as shares of their own."""

WIDTHS = (0.75, 0.85, 1.0, 1.25, 1.5, 1.78)
"""Of the widened photos, relative to their height."""

BINS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Of how much of the frame the figure fills."""


def main() -> None:
    """Print a line per bin."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", nargs="?", help="Hub id or folder; default: the embedded weights")
    parser.add_argument("--photos", type=int, default=100, help="evenly drawn from the training photos (default 100)")
    options = parser.parse_args()
    segmenter = Segmenter.from_pretrained(options.model)
    rows = load_splits(str(options.folder), None, 0.1, 0).train
    chosen = np.linspace(0, len(rows) - 1, options.photos).astype(int)
    filled, seams, pairs = [], [], []
    for index in tqdm(chosen.tolist(), unit=" photos", leave=False):
        photo, truth = decode_row(rows[index])
        for size in SIZES:
            view = small(128, size)(photo, truth)
            first = segmenter(view.photo, zoom="off").label_map
            box = surroundings(first, segmenter.image_size[0] / segmenter.image_size[1], below=1.0)
            if box is None:
                continue
            closer = segmenter(np.ascontiguousarray(view.photo[_inside(box)]), zoom="off").label_map
            second = paste(first, closer, box, first.shape)
            filled.append(_filled(box, first.shape))
            seams.append(_seam(first, second, box) > 0)
            shown = view.shown(truth)
            pairs.append([confusion_matrix(shown, labels[view.part]) for labels in (first, second)])
    print(f"{len(chosen)} training photos in {len(SIZES)} sizes, {segmenter.name}\n")
    print("| the figure fills | pictures | mIoU, one look | two | difference | seams |\n|---|---|---|---|---|---|")
    for low, high in pairwise(BINS):
        inside = [low < each <= high for each in filled]
        if sum(inside) > 1:
            print(f"| {low:.1f} to {high:.1f} | {_line(np.array(pairs)[inside])} | {sum(np.array(seams)[inside])} |")
    print("\n| width to height | pictures | looked at twice | mIoU, one look | with second looks | difference |")
    print("|---|---|---|---|---|---|")
    for ratio in WIDTHS:
        twice, pairs = 0, []
        for index in tqdm(chosen.tolist(), unit=" photos", leave=False):
            photo, truth = decode_row(rows[index])
            wider = max(0, round(ratio * len(photo)) - photo.shape[1])
            left = wider // 2
            part = slice(left, left + photo.shape[1])
            photo = np.asarray(cv2.copyMakeBorder(photo, 0, 0, left, wider - left, cv2.BORDER_REPLICATE), np.uint8)
            ways = [segmenter(photo, zoom=zoom).label_map for zoom in ("off", "auto")]
            twice += bool((ways[0] != ways[1]).any())
            pairs.append([confusion_matrix(truth, labels[:, part]) for labels in ways])
        count, *figures = _line(np.array(pairs)).split(" | ")
        print(f"| {ratio} | {count} | {twice} | {' | '.join(figures)} |")


def _inside(box: Box) -> tuple[slice, slice]:
    return slice(box.top, box.bottom), slice(box.left, box.right)


def _filled(box: Box, size: tuple[int, int]) -> float:
    return max((box.bottom - box.top) / size[0], (box.right - box.left) / size[1])


def _seam(first: Labels, second: Labels, box: Box) -> int:
    """Pixels on the window's edge inside the photo where one class stops, and another begins."""
    height, width = first.shape
    pairs = []
    for edge, limit, axis in (
        (box.top, height, 0),
        (box.bottom, height, 0),
        (box.left, width, 1),
        (box.right, width, 1),
    ):
        if 0 < edge < limit:
            along = slice(box.left, box.right) if axis == 0 else slice(box.top, box.bottom)
            before, after = second.take(edge - 1, axis)[along], second.take(edge, axis)[along]
            old_before, old_after = first.take(edge - 1, axis)[along], first.take(edge, axis)[along]
            pairs.append((before != after) & (old_before == old_after))
    return int(sum(np.count_nonzero(each) for each in pairs))


def _line(pairs: npt.NDArray[np.int64]) -> str:
    before, after = (mean_iou(matrix)[0] for matrix in pairs.sum(axis=0))
    weights = np.concatenate(list(draws(len(pairs), 1000, 0)))
    drawn = [np.rint(np.tensordot(weight, pairs, 1)).astype(np.int64) for weight in weights]
    low, high = interval(np.array([mean_iou(two[1])[0] - mean_iou(two[0])[0] for two in drawn]))
    return f"{len(pairs)} | {before:.3f} | {after:.3f} | {after - before:+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
