"""The option back_view: how often it recognises back views, what it gains, and how often it changes front views.

    python -m benchmarks.back_view FOLDER [MODEL] [--split train] [--photos N]

FOLDER contains train.parquet, validation.parquet and, optionally, unlabelled.parquet, whose photos are counted. MODEL
is a Hub id or folder, by default the embedded weights.

All photos show people from the front. Back views are made from them: the outline of a back view is similar, so the
face is painted over with strands in the colours of the photo's own hair, completely or except for the lowest quarter,
the neck (alternately), and left and right are swapped in the truth. Photos with too little hair are left out. Each
line counts the photos recognised as back views, and gives side accuracy without and with the rule: the share of pixels
on the right side among the shoe, leg and arm pixels with the right part. "Cropped" photos begin in the middle of the
face, half-lengths end at half the photo's height. "+" marks the settings in use.
"""

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm.auto import tqdm

from benchmarks.photos import arguments, shots
from benchmarks.robustness import Labels, Pixels, grey, night
from clothseg import Segmenter
from clothseg.images.decode import load_photo
from clothseg.labels import BACKGROUND, LABEL2ID, swap_sides
from clothseg.postprocess import back_view
from clothseg.postprocess.upsample import winners
from clothseg.training.evaluation.metrics import confusion_matrix, summarize


NAMES = ("FACE_LEAST", "FACE_DOUBTED", "NECK_LOW", "NECK_SURE", "HAIR_LEAST", "HAIR_SURE")

IN_USE = tuple(getattr(back_view, name) for name in NAMES)

SETTINGS = (
    IN_USE,
    *(
        tuple({**dict(zip(NAMES, IN_USE, strict=True)), **other}.values())
        for other in (
            {"NECK_SURE": 0.0},  # without necks
            {"NECK_LOW": 0.5},
            {"NECK_LOW": 0.6},
            {"NECK_SURE": 0.1},
            {"FACE_DOUBTED": 0.7},
            {"FACE_DOUBTED": 0.8},
            {"FACE_LEAST": 0.02},
            {"HAIR_LEAST": 0.5},
        )
    ),
)

_FACE = [LABEL2ID["Face"], LABEL2ID["Sunglasses"]]


def back(photo: Pixels, truth: Labels, neck: bool, rng: np.random.Generator) -> tuple[Pixels, Labels] | None:
    """Return the photo as if it were taken from behind, and its truth; None if there is too little hair to paint with.

    Args:
        photo: (H, W, 3) uint8 RGB.
        truth: (H, W) uint8 class ids.
        neck: whether to keep the lowest quarter of the face, like the neck of a person with short hair.
        rng: draws the strands.
    """
    face, hair = np.isin(truth, _FACE), truth == LABEL2ID["Hair"]
    _, _, stats, _ = cv2.connectedComponentsWithStats(face.view(np.uint8))
    if len(stats) < 2 or hair.sum() < max(60, 0.15 * face.sum()):
        return None
    _, top, _, high, _ = stats[1 + stats[1:, cv2.CC_STAT_AREA].argmax()].tolist()
    if neck:
        face[int(top + 0.75 * high) :] = False
    inner = cv2.erode(hair.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)
    colors = photo[inner if inner.sum() >= 40 else hair].astype(np.float32)
    contrast = (colors - colors.mean(axis=0)).mean(axis=1).std()
    strands = rng.standard_normal(truth.shape, np.float32)
    strands = cv2.GaussianBlur(strands, (0, 0), sigmaX=0.8, sigmaY=max(2, high / 8))
    painted = colors.mean(axis=0) + 0.8 * contrast * (strands / strands.std())[..., None]
    share = np.maximum(face, cv2.GaussianBlur(face.astype(np.float32), (0, 0), 1.0)) * (truth != BACKGROUND)
    made = photo + (painted.clip(0, 255) - photo) * share[..., None]
    return made.round().astype(np.uint8), swap_sides(np.where(face, np.uint8(LABEL2ID["Hair"]), truth))


def face_as_wall(photo: Pixels, truth: Labels) -> Pixels | None:
    """Return the photo with the face painted in the colour of the background beside it, which the network takes for
    Background.

    It imitates a person in profile before a bright wall. None if there is no face, or no background beside it.
    """
    face = np.isin(truth, _FACE)
    _, _, stats, _ = cv2.connectedComponentsWithStats(face.view(np.uint8))
    if len(stats) < 2:
        return None
    _, top, _, high, _ = stats[1 + stats[1:, cv2.CC_STAT_AREA].argmax()].tolist()
    rows = slice(max(0, top - high // 2), top + high)
    beside = photo[rows][truth[rows] == BACKGROUND]
    if len(beside) < 50:
        return None
    share = np.maximum(face, cv2.GaussianBlur(face.astype(np.float32), (0, 0), 1.0))[..., None]
    wall = np.median(beside, axis=0) + np.random.default_rng(0).normal(0, 3, photo.shape)
    made: Pixels = (photo + (wall - photo) * share).clip(0, 255).astype(np.uint8)
    return made


def views(photo: Pixels, truth: Labels, number: int) -> Iterator[tuple[str, Pixels, Labels]]:
    """Yield (name, photo, truth) of a photo: unchanged, in worse conditions, and as back views."""
    yield "front", photo, truth
    yield "front, black and white", grey(photo, truth).photo, truth
    yield "front, a fifth of the light", night(photo, truth).photo, truth
    yield "front, blurred", cv2.GaussianBlur(photo, (0, 0), len(photo) / 200).astype(np.uint8), truth
    yield "front, a sixth of the size", _smaller(photo, 6), _smaller(truth, 6)
    faces = np.flatnonzero(np.isin(truth, _FACE).any(axis=1))
    if len(faces):
        middle = int(np.median(faces))
        yield "front, cut", np.ascontiguousarray(photo[middle:]), truth[middle:]
    yield "front, half-length", photo[: len(photo) // 2], truth[: len(photo) // 2]
    if (hidden := face_as_wall(photo, truth)) is not None:
        yield "front, face like the wall behind", hidden, truth
    if made := back(photo, truth, number % 2 == 0, np.random.default_rng(number)):
        yield "back, neck in view" if number % 2 == 0 else "back", *made


def _smaller(picture: npt.NDArray[np.uint8], factor: int) -> npt.NDArray[np.uint8]:
    size = picture.shape[1] // factor, picture.shape[0] // factor
    method = Image.Resampling.NEAREST if picture.ndim == 2 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(picture).resize(size, method))


def main() -> None:
    """Print a line for each view and each setting."""
    options = arguments(__doc__, 200).parse_args()
    segmenter = Segmenter.from_pretrained(options.model)
    settings = SETTINGS if options.split == "train" else SETTINGS[:1]
    photos, found, matrices = {}, {}, {}
    for index, whole, shown in shots(options):
        for name, photo, truth in views(whole, shown, index):
            photos[name] = photos.get(name, 0) + 1
            logits = segmenter.logits([Image.fromarray(photo)])[0]
            labels = winners(logits, truth.shape)
            ways = [confusion_matrix(truth, each) for each in (labels, swap_sides(labels))]
            for each in settings:
                behind = _behind(logits, each)
                found[name, each] = found.get((name, each), 0) + behind
                pair = np.stack([ways[0], ways[behind]])
                matrices[name, each] = matrices.get((name, each), 0) + pair
    if (more := options.folder / "unlabelled.parquet").exists() and options.split == "train":
        name = "front, unlabelled"
        for photo in tqdm(_photos(more), unit=" photos", leave=False):
            photos[name] = photos.get(name, 0) + 1
            logits = segmenter.logits([photo])[0]
            for each in settings:
                found[name, each] = found.get((name, each), 0) + _behind(logits, each)
    print(f"{photos['front']} {options.split} photos, {segmenter.name}\n")
    print(f"| | {' | '.join(NAMES)} | photos | recognised as back view | side accuracy | with the rule |")
    print("|---" * (5 + len(NAMES)) + "|")
    for (name, each), count in found.items():
        pair = matrices.get((name, each), [])
        figures = [f"{summarize(matrix)['side_accuracy']:.3f}" for matrix in pair] or ["", ""]
        mark = " +" if each == IN_USE else ""
        print(f"| {name}{mark} | {' | '.join(map(str, (*each, photos[name], count, *figures)))} |")


def _behind(logits: npt.NDArray[np.float32], settings: tuple[float, ...]) -> bool:
    with mock.patch.multiple(back_view, **dict(zip(NAMES, settings, strict=True))):
        return back_view.from_behind(logits)


def _photos(path: Path) -> Iterator[Image.Image]:
    from datasets import Dataset

    for row in Dataset.from_parquet(str(path)).select_columns(["image"]).with_format("arrow").iter(1):
        yield load_photo(row["image"][0].as_py()["bytes"])


if __name__ == "__main__":
    main()
