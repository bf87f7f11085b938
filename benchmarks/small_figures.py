"""Figures of a tenth to a third of the height of their photos: the loss, and how much of it comes from the zoom crop.

    python -m benchmarks.small_figures FOLDER [MODEL] [--split train|validation] [--photos N]

FOLDER contains train.parquet and validation.parquet. MODEL is a Hub id or folder, by default the embedded weights.
Each photo is reduced to a height of 424 pixels, a share of the height of an upright picture, on grey or on its own
background: the wider strip next to the figure, enlarged, which contains walls, cars and passers-by that can
be mistaken for the figure. The columns are the mean IoU on the photo's pixels after one pass, with the zoom crop, with
the true crop, and of the result for the photo alone on the same pixels; then the loss against the true crop and the
total loss against the photo alone, with 95 % intervals by bootstrap over photos (1,000 resamples, seed 0).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.photos import arguments, shots
from benchmarks.robustness import Labels, Pixels, View, shrunk
from clothseg import Segmenter
from clothseg.labels import BACKGROUND, IGNORE
from clothseg.postprocess.decoding import decode_logits
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.zoom_crop import blend_crop, paste, window
from clothseg.training.evaluation.bootstrap import bootstrap_weights, interval
from clothseg.training.evaluation.metrics import confusion_matrix


HEIGHTS = {0.1: 4240, 0.15: 2830, 0.2: 2120, 0.3: 1410}
"""Heights of the picture, 12 to 1.3 megapixels, by the photo's share of it: the figure's pixels never change."""


def ground(photo: Pixels, truth: Labels, size: tuple[int, int]) -> Pixels:
    """Return (H, W, 3) uint8 of the strip beside the figure, or grey if there is none."""
    columns = np.flatnonzero(_figure(truth).any(axis=0))
    left, right = photo[:, : max(0, columns[0] - 4)], photo[:, columns[-1] + 5 :]
    strip = left if left.shape[1] >= right.shape[1] else right
    if strip.shape[1] < 8:
        return np.full((*size, 3), 128, np.uint8)
    height = min(len(strip), round(strip.shape[1] * size[0] / size[1]))
    top = (len(strip) - height) // 2
    part = Image.fromarray(np.ascontiguousarray(strip[top : top + height]))
    return np.asarray(part.resize(size[::-1], Image.Resampling.BICUBIC))


def far(photo: Pixels, truth: Labels, share: float, own: bool) -> View:
    """Return the photo at a share of the height of a 2:3 picture, on grey or on its own background."""
    size = HEIGHTS[share], round(HEIGHTS[share] * 2 / 3)
    canvas = ground(photo, truth, size) if own else np.full((*size, 3), 128, np.uint8)
    return shrunk(photo, truth, canvas, round(share * size[0]))


def surely(segmenter: Segmenter, view: View, shown: Labels) -> Labels:
    """Return the label map with a crop at the figure's true position."""
    whole, size = Image.fromarray(view.photo), view.photo.shape[:2]
    logits = segmenter.logits([whole])[0]
    rows, columns = np.nonzero(_figure(shown))
    top, left = view.part[0].start, view.part[1].start
    figure = Box(left + columns.min(), top + rows.min(), left + columns.max() + 1, top + rows.max() + 1)
    box = window(figure, segmenter.image_size[0] / segmenter.image_size[1], size)
    part = whole.crop(box)
    nearer = blend_crop(segmenter.logits([part])[0], logits, box, size)
    return paste(
        decode_logits(whole, logits, guided=True).label_map,
        decode_logits(part, nearer, guided=True).label_map,
        box,
        size,
    )


def _figure(truth: Labels) -> npt.NDArray[np.bool_]:
    return (truth != BACKGROUND) & (truth != IGNORE)


def main(argv: list[str] | None = None) -> None:
    """Print a line for each share and background."""
    options = arguments(__doc__, 100).parse_args(argv)
    segmenter = Segmenter.from_pretrained(options.model)
    kinds = [(share, own) for share in HEIGHTS for own in (False, True)]
    matrices: dict[tuple[float, bool], list[list[npt.NDArray[np.int64]]]] = {kind: [] for kind in kinds}
    for _, photo, truth in shots(options):
        alone = segmenter(photo).label_map
        for kind in kinds:
            view = far(photo, truth, *kind)
            shown = view.shown(truth)
            ways = [segmenter(view.photo, zoom=zoom).label_map for zoom in ("off", "auto")]
            ways.append(surely(segmenter, view, shown))
            seen = [*(labels[view.part] for labels in ways), view.shown(alone)]
            matrices[kind].append([confusion_matrix(shown, labels) for labels in seen])
    number = len(matrices[kinds[0]])
    weights = np.concatenate(list(bootstrap_weights(number, 1000, 0)))
    print(f"{number} {options.split} photos, {segmenter.name}\n")
    print("| height | background | one pass | zoom crop | true crop | photo alone | loss from the crop | total loss |")
    print("|---|---|---|---|---|---|---|---|")
    for (share, own), each in matrices.items():
        stack = np.array(each)
        figures = _figures(stack.sum(axis=0))
        drawn = _figures(np.tensordot(weights, stack.astype(float), 1))
        cells = [f"{figure:.3f}" for figure in figures]
        for best in (2, 3):
            low, high = interval(drawn[:, best] - drawn[:, 1])
            cells.append(f"{figures[best] - figures[1]:+.3f} ({low:+.3f} to {high:+.3f})")
        print(f"| {share:.0%} | {'own' if own else 'grey'} | {' | '.join(cells)} |")


def _figures(matrices: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the mean IoU over the true classes: (...) of matrices (..., 18, 18)."""
    both, true = np.diagonal(matrices, axis1=-2, axis2=-1), matrices.sum(axis=-1)
    either = true + matrices.sum(axis=-2) - both
    return np.nanmean(np.where(true > 0, both / np.maximum(either, 1), np.nan), axis=-1)


if __name__ == "__main__":
    main()
