"""Gain of the zoom crop by the share of the photo that the figure fills, to choose where the crop is used.

    python -m benchmarks.zoom FOLDER [MODEL] [--split train|validation] [--photos N]

FOLDER contains train.parquet and validation.parquet. MODEL is a Hub id or folder, by default the embedded weights.
Settings are chosen on training photos; the model was trained on these, so only differences count.

Each photo is reduced to several sizes in the centre of a grey picture of its own size, and every figure is segmented
again, whatever its size. A row is for the pictures in which the figure with its margin fills that share of the frame:
mean IoU on the pixels of the reduced photo after the first pass and with the crop, with the 95 % interval of the
difference, by bootstrap over pictures (1,000 resamples, seed 0). Then follow the mean IoU with a hard edge, without
blending, and how many pictures have a seam with a hard edge and with blending: a straight line at an edge of the crop,
or in its blended border, over more than a hundredth of the crop's longer side, where classes change that do not change
in either result alone.

The second table is for wide photos: each is widened to several proportions by repeating its outermost columns on both
sides. There the crop is used where it is used by default.
"""

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.photos import arguments, shots
from benchmarks.robustness import Labels, mean_iou, small
from clothseg import Segmenter
from clothseg.postprocess.decoding import decode_logits
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.zoom_crop import FADE, blend_crop, find_zoom_crop, paste
from clothseg.training.evaluation.bootstrap import bootstrap_weights, interval
from clothseg.training.evaluation.metrics import confusion_matrix


SIZES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Sizes of the reduced photos, as shares of their original size."""

WIDTHS = (0.75, 0.85, 1.0, 1.25, 1.5, 1.78)
"""Widths of the widened photos, relative to their height."""

BINS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Limits of the bins, by the share of the frame that the figure fills."""


def main() -> None:
    """Print a line for each bin."""
    options = arguments(__doc__, 100).parse_args()
    segmenter = Segmenter.from_pretrained(options.model)
    aspect = segmenter.image_size[0] / segmenter.image_size[1]
    filled, seams, pairs = [], [], []
    for _, photo, truth in shots(options):
        for size in SIZES:
            view = small(128, size)(photo, truth)
            whole = Image.fromarray(view.photo)
            logits = segmenter.logits([whole])[0]
            first = decode_logits(whole, logits, guided=True).label_map
            box = find_zoom_crop(logits, first.shape, aspect, below=1.0)
            if box is None:
                continue
            part = whole.crop(box)
            nearer = segmenter.logits([part])[0]
            hard = decode_logits(part, nearer, guided=True).label_map
            soft = decode_logits(part, blend_crop(nearer, logits, box, first.shape), guided=True).label_map
            ways = [first, paste(first, hard, box, first.shape), paste(first, soft, box, first.shape)]
            filled.append(_filled(box, first.shape))
            seams.append([seam(first, hard, way, box) > 0.01 * max(hard.shape) for way in ways[1:]])
            shown = view.shown(truth)
            pairs.append([confusion_matrix(shown, labels[view.part]) for labels in (ways[0], ways[2], ways[1])])
    print(f"{options.photos} {options.split} photos in {len(SIZES)} sizes, {segmenter.name}\n")
    print(
        "| the figure fills | pictures | mIoU, one pass | with zoom crop | difference | hard edge "
        "| seams, hard edge | seams |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for low, high in pairwise(BINS):
        inside = [low < each <= high for each in filled]
        if sum(inside) > 1:
            chosen = np.array(pairs)[inside]
            edge = f"{mean_iou(chosen[:, 2].sum(axis=0))[0]:.3f}"
            counts = np.array(seams)[inside].sum(axis=0)
            print(f"| {low:.1f} to {high:.1f} | {line(chosen[:, :2])} | {edge} | {counts[0]} | {counts[1]} |")
    print("\n| width to height | pictures | with zoom crop | mIoU, one pass | with zoom crop | difference |")
    print("|---|---|---|---|---|---|")
    for ratio in WIDTHS:
        twice, pairs = 0, []
        for _, photo, truth in shots(options):
            wider = max(0, round(ratio * len(photo)) - photo.shape[1])
            left = wider // 2
            part = slice(left, left + photo.shape[1])
            photo = np.asarray(cv2.copyMakeBorder(photo, 0, 0, left, wider - left, cv2.BORDER_REPLICATE), np.uint8)
            ways = [segmenter(photo, zoom=zoom).label_map for zoom in ("off", "auto")]
            twice += bool((ways[0] != ways[1]).any())
            pairs.append([confusion_matrix(truth, labels[:, part]) for labels in ways])
        count, *figures = line(np.array(pairs)).split(" | ")
        print(f"| {ratio} | {count} | {twice} | {' | '.join(figures)} |")


def _filled(box: Box, size: tuple[int, int]) -> float:
    return max((box.bottom - box.top) / size[0], (box.right - box.left) / size[1])


def seam(first: Labels, nearer: Labels, both: Labels, box: Box) -> int:
    """Return the number of class changes along one line near an edge of the crop that neither result alone has there,
    the largest.

    Args:
        first: (H, W) uint8, after the first pass.
        nearer: (h, w) uint8, the result for the crop alone.
        both: (H, W) uint8, the final result.
        box: the crop.
    """
    inside = slice(box.top, box.bottom), slice(box.left, box.right)
    most = 0
    for axis, (start, end) in enumerate(((box.top, box.bottom), (box.left, box.right))):
        near, old, new = (np.moveaxis(labels, axis, 0) for labels in (nearer, first, both))
        across = inside[1 - axis]
        reach = round(2 * FADE * (end - start))  # as wide as the space around the figure
        for edge, step in ((start, 1), (end, -1)):
            if not 0 < edge < len(new):
                continue
            for row in range(edge, edge + step * reach, step):
                changes = (new[row - 1] != new[row]) & (old[row - 1] == old[row])
                changes = changes[across]
                if row != edge:
                    changes &= near[row - start - 1] == near[row - start]
                most = max(most, np.count_nonzero(changes))
    return most


def line(pairs: npt.NDArray[np.int64]) -> str:
    """Return the number of pictures, mean IoU before and after, the difference and its interval, of matrices (N, 2,
    18, 18)."""
    before, after = (mean_iou(matrix)[0] for matrix in pairs.sum(axis=0))
    weights = np.concatenate(list(bootstrap_weights(len(pairs), 1000, 0)))
    drawn = [np.rint(np.tensordot(weight, pairs, 1)).astype(np.int64) for weight in weights]
    low, high = interval(np.array([mean_iou(two[1])[0] - mean_iou(two[0])[0] for two in drawn]))
    return f"{len(pairs)} | {before:.3f} | {after:.3f} | {after - before:+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
