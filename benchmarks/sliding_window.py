"""Whether overlapping windows over a figure that fills the photo improve results, each at a higher resolution.

    python -m benchmarks.sliding_window FOLDER [MODEL] [--split train|validation] [--photos N]

FOLDER contains train.parquet and validation.parquet. MODEL is a Hub id or folder, by default the embedded weights.
Windows with a share of the photo's sides, and its proportions, go down the middle of the figure and overlap by at
least a third, over which their probabilities are blended; around them the first pass counts. "Averaged" gives windows
and first pass equal weights. The columns are mean IoU, and that of the thin items (Hat, Sunglasses, Belt, Scarf), with
plain edges at the photo's own size, with 95 % intervals of the differences to the first pass, by bootstrap over photos
(1,000 resamples, seed 0). Choose on training photos, on which the model was trained, and report on validation photos.
"""

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.photos import arguments, shots
from clothseg import Segmenter
from clothseg.labels import BACKGROUND, LABEL2ID
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.softmax import softmax
from clothseg.training.evaluation.bootstrap import bootstrap_weights, interval
from clothseg.training.evaluation.metrics import confusion_matrix


Planes = npt.NDArray[np.float32]

SHARES = (0.8, 0.65, 0.5)
"""Sides of a window, relative to the photo's."""

THIN = [LABEL2ID[name] for name in ("Hat", "Sunglasses", "Belt", "Scarf")]


def windows(figure: Box, share: float, size: tuple[int, int]) -> list[Box]:
    """Return windows of `share` of a photo of `size` (h, w) that go down the middle of a figure and overlap by a
    third."""
    height, width = round(share * size[0]), round(share * size[1])
    left = min(max(0, (figure.left + figure.right - width) // 2), size[1] - width)
    top, bottom = figure.top, max(figure.bottom, figure.top + height)
    count = 1 + max(0, int(np.ceil((bottom - top - height) / (height * 2 / 3))))
    tops = np.linspace(top, bottom - height, count).round().astype(int)
    return [Box(left, y, left + width, y + height) for y in np.clip(tops, 0, size[0] - height).tolist()]


def _planes(segmenter: Segmenter, photo: Image.Image) -> Planes:
    """Return the probabilities (H, W, 18) at the photo's size."""
    shares = softmax(segmenter.logits([photo])[0])
    return np.stack([cv2.resize(plane, photo.size) for plane in shares], axis=-1)


def ways(segmenter: Segmenter, photo: Image.Image) -> dict[str, tuple[int, npt.NDArray[np.uint8]]]:
    """Return the passes and the label map of each method."""
    first = _planes(segmenter, photo)
    found = {"one pass": (1, first.argmax(axis=-1).astype(np.uint8))}
    mask = (found["one pass"][1] != BACKGROUND).view(np.uint8)
    left, top, wide, high = cv2.boundingRect(mask)
    for share in SHARES:
        boxes = windows(Box(left, top, left + wide, top + high), share, (photo.height, photo.width))
        total, weights = np.zeros_like(first), np.zeros((*first.shape[:2], 1), np.float32)
        for box in boxes:
            rows = np.arange(box.bottom - box.top, dtype=np.float32)
            weight = (1 + np.minimum(rows, rows[::-1]))[:, None, None]  # strongest in the middle
            inside = slice(box.top, box.bottom), slice(box.left, box.right)
            total[inside] += weight * _planes(segmenter, photo.crop(box))
            weights[inside] += weight
        seen = np.where(weights > 0, total / np.maximum(weights, 1e-6), first)
        for name, mixed in ((f"windows of {share}", seen), (f"windows of {share}, averaged", seen + first)):
            found[name] = (1 + len(boxes), mixed.argmax(axis=-1).astype(np.uint8))
    return found


def _ious(matrices: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean IoU over all classes, and over the thin items: (..., 2) of matrices (..., 18, 18)."""
    both = np.diagonal(matrices, axis1=-2, axis2=-1)
    either = matrices.sum(axis=-1) + matrices.sum(axis=-2) - both
    found = np.where(either > 0, both / np.maximum(either, 1), np.nan)
    return np.stack([np.nanmean(found, axis=-1), np.nanmean(found[..., THIN], axis=-1)], axis=-1)


def main(argv: list[str] | None = None) -> None:
    """Print a line for each method."""
    options = arguments(__doc__, 100).parse_args(argv)
    segmenter = Segmenter.from_pretrained(options.model)
    matrices: dict[str, list[npt.NDArray[np.int64]]] = {}
    passes: dict[str, list[int]] = {}
    for _, photo, truth in shots(options):
        for name, (count, labels) in ways(segmenter, Image.fromarray(photo)).items():
            matrices.setdefault(name, []).append(confusion_matrix(truth, labels))
            passes.setdefault(name, []).append(count)
    number = len(matrices["one pass"])
    print(f"{number} {options.split} photos, {segmenter.name}, plain edges, seed 0\n")
    print("| method | passes | mIoU | difference | thin items | difference |\n|---|---|---|---|---|---|")
    weights = np.concatenate(list(bootstrap_weights(number, 1000, 0)))
    drawn = {name: _ious(np.tensordot(weights, np.array(each, float), 1)) for name, each in matrices.items()}
    for name, each in matrices.items():
        figures = _ious(np.array(each, float).sum(axis=0))
        ends = [interval(values) for values in (drawn[name] - drawn["one pass"]).T]
        cells = [f"{value:.3f} | {low:+.3f} to {high:+.3f}" for value, (low, high) in zip(figures, ends, strict=True)]
        print(f"| {name} | {np.mean(passes[name]):.1f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
