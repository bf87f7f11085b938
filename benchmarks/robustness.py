"""Loss of a model on other views of the same photos: half-lengths, small figures, grey, dark, mirrored.

    python -m benchmarks.robustness FOLDER [MODEL] [--zoom off]

FOLDER contains validation.parquet. MODEL is a Hub id or folder, by default the embedded weights. Each view of a photo
and the photo itself are segmented; both are scored on the pixels of the view, against the same truth. The mean is over
the classes in the view, and in brackets over all predicted classes as well: a class without a pixel in the view counts
as 0 if a single pixel of a single photo gets its label. `--zoom off` turns off the zoom crop; the difference is its
effect.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm.auto import tqdm

from clothseg import Segmenter
from clothseg.labels import BACKGROUND, IGNORE, NAMES, NUM_CLASSES, mirror
from clothseg.options import SegmentOptions, options_of
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits
from clothseg.training.evaluation.metrics import confusion_matrix, summarize


Labels = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.uint8]


class View(NamedTuple):
    """A changed photo, how a label map of the photo shows in it, and which part of the view that is."""

    photo: Pixels
    shown: Callable[[Labels], Labels]
    part: tuple[slice, slice] = (slice(None), slice(None))


def half_length(photo: Pixels, truth: Labels) -> View:
    """Crop at the waist: the upper 45 % of the figure, to a square or to the figure's width."""
    return _upper(photo, truth, 0.45)


def portrait(photo: Pixels, truth: Labels) -> View:
    """Crop to head and shoulders: the upper 25 % of the figure."""
    return _upper(photo, truth, 0.25)


def _upper(photo: Pixels, truth: Labels, share: float) -> View:
    rows, columns = np.nonzero((truth != BACKGROUND) & (truth != IGNORE))
    bottom = int(rows.min() + share * (rows.max() - rows.min()))
    upper = columns[rows <= bottom]
    half = max(bottom, int(upper.max() - upper.min())) / 2
    middle = (int(upper.max()) + int(upper.min())) / 2
    window = slice(0, bottom), slice(max(0, int(middle - half)), int(middle + half))
    return View(photo[window], lambda labels: labels[window])


def small(fill: int, share: float = 1 / 3) -> Callable[[Pixels, Labels], View]:
    """Reduce the photo to a share of its sides in the centre of a plain picture of its size."""

    def view(photo: Pixels, truth: Labels) -> View:
        return shrunk(photo, truth, np.full_like(photo, fill), round(share * len(photo)))

    return view


def far(photo: Pixels, truth: Labels) -> View:
    """Reduce the photo to a tenth of the height of an upright 12-megapixel picture, on grey."""
    return shrunk(photo, truth, np.full((4240, 2830, 3), 128, np.uint8), 424)


def shrunk(photo: Pixels, truth: Labels, canvas: Pixels, height: int) -> View:
    """Reduce the photo to a height in pixels in the centre of a picture, which is changed in place."""
    width = round(height * truth.shape[1] / truth.shape[0])
    top, left = (canvas.shape[0] - height) // 2, (canvas.shape[1] - width) // 2
    window = slice(top, top + height), slice(left, left + width)
    canvas = canvas.copy()
    canvas[window] = np.asarray(Image.fromarray(photo).resize((width, height)))
    return View(canvas, lambda labels: _nearest(labels, width, height), window)


def _nearest(labels: Labels, width: int, height: int) -> Labels:
    return np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST))


def grey(photo: Pixels, truth: Labels) -> View:
    """Make the photo black and white."""
    return View(np.asarray(Image.fromarray(photo).convert("L").convert("RGB")), lambda labels: labels)


def night(photo: Pixels, truth: Labels) -> View:
    """Reduce the light to a fifth, and add noise."""
    noise = np.random.default_rng(0).normal(0, 4, photo.shape)
    return View((photo * 0.2 + noise).clip(0, 255).astype(np.uint8), lambda labels: labels)


def mirrored(photo: Pixels, truth: Labels) -> View:
    """Mirror the photo; the sides swap."""
    return View(np.ascontiguousarray(photo[:, ::-1]), mirror)


VIEWS: dict[str, Callable[[Pixels, Labels], View]] = {
    "portrait, head and shoulders": portrait,
    "half-length, cropped at the waist": half_length,
    "a third of the size, on grey": small(128),
    "a third of the size, on white": small(255),
    "a tenth of the height of 12 megapixels": far,
    "black and white": grey,
    "a fifth of the light, noisy": night,
    "mirrored": mirrored,
}


def main() -> None:
    """Print a line for each view."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", nargs="?", help="Hub id or folder; default: the embedded weights")
    parser.add_argument(
        "--zoom",
        choices=options_of(SegmentOptions)["zoom"].choices,
        default="auto",
        help="the zoom crop of small figures (default auto)",
    )
    options = parser.parse_args()
    segmenter = Segmenter.from_pretrained(options.model)
    rows = load_splits(str(options.folder), None, 0.1, 0).validation
    counts = {name: np.zeros((2, NUM_CLASSES, NUM_CLASSES), np.int64) for name in VIEWS}
    for row in tqdm(rows, unit=" photos", leave=False):
        photo, truth = decode_row(row)
        whole = segmenter(photo, zoom=options.zoom).label_map
        for name, make in VIEWS.items():
            view = make(photo, truth)
            found = segmenter(np.ascontiguousarray(view.photo), zoom=options.zoom).label_map[view.part]
            counts[name][0] += confusion_matrix(view.shown(truth), found)
            counts[name][1] += confusion_matrix(view.shown(truth), view.shown(whole))
    print(f"{len(rows)} photos, {segmenter.name}, zoom {options.zoom}\n")
    print("| view | mIoU | whole photo's result on the same pixels | loss |\n|---|---|---|---|")
    for name, pair in counts.items():
        (seen, seen_all), (whole, whole_all) = map(mean_iou, pair)
        figures = zip((seen, whole, whole - seen), (seen_all, whole_all, whole_all - seen_all), strict=True)
        print(f"| {name} | {' | '.join(f'{one:.3f} ({other:.3f})' for one, other in figures)} |")


def mean_iou(matrix: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Return the mean IoU of a confusion matrix (18, 18), truth in rows: over the true classes, and over all classes
    that occur."""
    figures = summarize(matrix)
    shown = [figures[f"iou_{name}"] for index, name in enumerate(NAMES) if matrix[index].any()]
    return float(np.mean(shown)), figures["mean_iou"]


if __name__ == "__main__":
    main()
