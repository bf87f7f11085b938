"""Photos turned by 90, 180 and 270 degrees: accuracy and network passes with and without the option orientation.

    python -m benchmarks.orientation FOLDER [MODEL] [--split train] [--photos N]

FOLDER contains train.parquet, validation.parquet and, optionally, flatlay.parquet with clothes without a wearer. MODEL
is a Hub id or folder, by default the embedded weights. Each photo is segmented upright and turned, with orientation
"upright" and "auto" and default options otherwise, and scored against the truth turned in the same way. "Taken as
turned" counts photos whose result has a rotation other than 0, "right" those with the true rotation. "More passes"
counts photos that take more passes with "auto" than with "upright"; passes are means over the photos. The last column
counts results with a note that no face, hair or limbs were found, or hardly anything.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from benchmarks.photos import arguments, shots
from clothseg import Segmenter
from clothseg.images.decode import load_photo
from clothseg.labels import NUM_CLASSES
from clothseg.outputs.notes import HARDLY_ANYTHING, NOBODY
from clothseg.postprocess.orientation import ROTATIONS
from clothseg.segmentation import Segmentation
from clothseg.training.evaluation.metrics import confusion_matrix, summarize


FLAT_LAYS = 150


class Counts:
    """Sums over the photos of a row of the table."""

    def __init__(self) -> None:
        self.photos = self.turned = self.right = self.more = self.passes = self.usual = self.notes = 0
        self.matrices = np.zeros((2, NUM_CLASSES, NUM_CLASSES), np.int64)

    def add(self, usual: Segmentation, result: Segmentation, passes: tuple[int, int], rotation: int) -> None:
        """A photo's results and passes with orientation "upright" and "auto", and its true rotation."""
        self.photos += 1
        self.turned += result.rotation != 0
        self.right += result.rotation == rotation
        self.more += passes[1] > passes[0]
        self.usual, self.passes = self.usual + passes[0], self.passes + passes[1]
        self.notes += bool({HARDLY_ANYTHING, NOBODY} & set(result.notes))

    def line(self, name: str) -> str:
        """Its row of the table."""
        figures = ["", ""]
        if self.matrices.any():
            figures = [f"{summarize(matrix)['mean_iou']:.3f}" for matrix in self.matrices]
        usual, passes = self.usual / self.photos, self.passes / self.photos
        counts = [self.photos, self.turned, self.right, *figures, self.more, f"{usual:.2f}", f"{passes:.2f}"]
        return f"| {name} | {' | '.join(map(str, counts))} | {passes / usual:.2f} | {self.notes} |"


@contextmanager
def counted(known: dict[bytes, Any]) -> Iterator[list[int]]:
    """A list to which each pass of a network is added, as the number of its photos.

    Args:
        known: what the network has answered to these pixels; the turned photo and the photo turned back share passes.
    """
    passes: list[int] = []
    run = Segmenter._logits

    def count(segmenter: Segmenter, pixels: Any) -> Any:
        passes.append(len(pixels))
        key = pixels.tobytes()
        if key not in known:
            known[key] = run(segmenter, pixels)
        return known[key]

    with mock.patch.object(Segmenter, "_logits", count):
        yield passes


def both(
    segmenter: Segmenter, photo: Image.Image, known: dict[bytes, Any]
) -> tuple[Segmentation, Segmentation, tuple[int, int]]:
    """Return the results with orientation "upright" and "auto", and the number of passes of each."""
    results, passes = [], []
    for orientation in ("upright", "auto"):
        with counted(known) as count:
            results.append(segmenter(photo, orientation=orientation))  # type: ignore[arg-type]
        passes.append(sum(count))
    return results[0], results[1], (passes[0], passes[1])


def main() -> None:
    """Print a line for each rotation, and one for clothes without a wearer."""
    options = arguments(__doc__, 200).parse_args()
    segmenter = Segmenter.from_pretrained(options.model)
    rows = {f"turned by {rotation}°": Counts() for rotation in ROTATIONS}
    for _, photo, truth in shots(options):
        known: dict[bytes, Any] = {}
        for counts, rotation in zip(list(rows.values()), ROTATIONS, strict=True):
            times = rotation // 90  # counterclockwise, so that the same angle clockwise is correct
            turned, labels = (np.ascontiguousarray(np.rot90(each, times)) for each in (photo, truth))
            *results, passes = both(segmenter, Image.fromarray(turned), known)
            counts.add(*results, passes, rotation)
            counts.matrices += [confusion_matrix(labels, result.label_map) for result in results]
    if (path := options.folder / "flatlay.parquet").exists():
        from datasets import Dataset

        flat = Dataset.from_parquet(str(path)).select_columns(["image"]).with_format("arrow")
        rows["clothes without a wearer"] = Counts()
        for index in tqdm(np.linspace(0, len(flat) - 1, FLAT_LAYS).astype(int).tolist(), unit=" photos", leave=False):
            photo = load_photo(flat[index : index + 1]["image"][0].as_py()["bytes"])
            rows["clothes without a wearer"].add(*both(segmenter, photo, {}), 0)
    print(f"{rows['turned by 0°'].photos} {options.split} photos, {segmenter.name}\n")
    print(
        "| | photos | taken as turned | right | mIoU, upright | mIoU, auto | more passes | passes, upright | "
        "passes, auto | ratio | noted |"
    )
    print("|---" * 11 + "|")
    for name, counts in rows.items():
        print(counts.line(name))


if __name__ == "__main__":
    main()
