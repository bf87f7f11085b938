"""The rule that removes legs and shoes in photos that end above them: what it gains there, and what it spoils
elsewhere.

    python -m benchmarks.cropped_legs FOLDER [MODEL] [--split train] [--photos N]

FOLDER contains train.parquet and validation.parquet. MODEL is a Hub id or folder, by default the embedded weights.
Photos are cropped below shares of the figure's height, to a square or to the figure's width ("wide": to the photo's
width). Each line is a crop and settings of `clothseg.postprocess.cleanup.without_legs`: in how many photos a pixel
changed, how many of these pixels are right after and before, and the mean IoU without and with the rule, over the true
classes and in brackets over all predicted classes. "+" marks the settings in use.
"""

from unittest import mock

import numpy as np
from PIL import Image

from benchmarks.photos import arguments, shots
from benchmarks.robustness import Labels, mean_iou
from clothseg import Segmenter
from clothseg.labels import BACKGROUND, IGNORE, NUM_CLASSES
from clothseg.postprocess import cleanup
from clothseg.postprocess.guided_edges import follow_edges
from clothseg.training.evaluation.metrics import confusion_matrix


CUTS = {"whole": 1.0, "75 %": 0.75, "60 %": 0.6, "45 %": 0.45, "45 %, wide": 0.45, "35 %": 0.35}

NAMES = ("LEGS_BELOW", "LEGS_LEAST", "LEGS_DOUBTED")

IN_USE = tuple(getattr(cleanup, name) for name in NAMES)

SETTINGS = (IN_USE, (2.5, 0.01, 0.03), (3.5, 0.01, 0.03), (3.0, 0.01, 0.01), (3.0, 0.01, 0.1), (3.0, 0.02, 0.03))
"""Settings: heights of the face, shares of the figure, and shares if the network is uncertain."""


def window(truth: Labels, share: float, wide: bool) -> tuple[slice, slice]:
    """Return the crop with the upper `share` of the figure and everything above it."""
    rows, columns = np.nonzero((truth != BACKGROUND) & (truth != IGNORE))
    bottom = int(rows.min() + share * np.ptp(rows))
    if wide or share == 1:
        return slice(0, truth.shape[0] if share == 1 else bottom), slice(None)
    upper = columns[rows <= bottom]
    half, middle = max(bottom, int(np.ptp(upper))) / 2, (int(upper.max()) + int(upper.min())) / 2
    return slice(0, bottom), slice(max(0, int(middle - half)), int(middle + half))


def main() -> None:
    """Print a line for each crop and each setting."""
    options = arguments(__doc__, 200).parse_args()
    segmenter = Segmenter.from_pretrained(options.model)
    settings = SETTINGS if options.split == "train" else SETTINGS[:1]
    shape = NUM_CLASSES, NUM_CLASSES
    without = {cut: np.zeros(shape, np.int64) for cut in CUTS}
    gained = {(cut, each): np.zeros(shape, np.int64) for cut in CUTS for each in settings}
    counts = {key: np.zeros(3, int) for key in gained}
    number = 0
    for _, photo, truth in shots(options):
        number += 1
        for cut, share in CUTS.items():
            part = window(truth, share, "wide" in cut)
            view, shown = np.ascontiguousarray(photo[part]), truth[part]
            logits = segmenter.logits([Image.fromarray(view)])[0]
            before = follow_edges(logits, view)
            without[cut] += confusion_matrix(shown, before)
            for each in settings:
                with mock.patch.multiple(cleanup, **dict(zip(NAMES, each, strict=True))):
                    ruled = cleanup.without_legs(logits)
                after = before if ruled is logits else follow_edges(ruled, view)
                changed = before != after
                key = cut, each
                counts[key] += [changed.any(), (changed & (after == shown)).sum(), (changed & (before == shown)).sum()]
                gained[key] += confusion_matrix(shown, after) - confusion_matrix(shown, before)
    print(f"{number} {options.split} photos, {segmenter.name}\n")
    print(
        "| crop | face heights | share | share if uncertain | photos changed | right after | right before "
        "| mIoU | with the rule |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for (cut, each), (photos, after, before) in counts.items():
        figures = [f"{a:.3f} ({b:.3f})" for a, b in map(mean_iou, (without[cut], without[cut] + gained[cut, each]))]
        name = f"{cut} +" if each == IN_USE else cut
        print(f"| {name} | {' | '.join(map(str, each))} | {photos} | {after} | {before} | {' | '.join(figures)} |")


if __name__ == "__main__":
    main()
