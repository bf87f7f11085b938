"""What the augmentation does to photos and masks, against the albumentations pipeline that it has replaced.

    python -m benchmarks.augmentation FOLDER [--rows 64] [--draws 4000]

FOLDER holds train.parquet; `pip install albumentations==2.0.8` brings what ours is compared with. Both change the same
photos of the training rows, each with seeds of its own. The first table compares single changes with the same
parameters, pixel by pixel; the others compare statistics of all changed photos: mean and standard deviation of both,
the largest distance between their distributions (Kolmogorov and Smirnov's D), and the probability of such a distance
between samples of the same distribution.
"""

import argparse
import random
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.stats import ks_2samp

from clothseg.labels import LABEL2ID
from clothseg.training.data import augmentation as ours
from clothseg.training.data.loading import decode_row, load_splits


Pair = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def statistics(photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Figures of one changed photo and its mask."""
    hsv = cv2.cvtColor(photo, cv2.COLOR_RGB2HSV)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    figure = (mask > 0) & (mask < 255)
    rows, columns = np.nonzero(figure)
    found = {
        "height": mask.shape[0],
        "width": mask.shape[1],
        "red": photo[..., 0].mean(),
        "blue": photo[..., 2].mean(),
        "contrast": grey.std(),
        "saturation": hsv[..., 1].mean(),
        "sharpness": np.log1p(cv2.Laplacian(grey, cv2.CV_32F).var()),
        "plain ground": (photo == np.uint8(ours.MEAN_COLOR)).all(axis=2).mean(),
        "black": (photo == 0).all(axis=2).mean(),
        "white": (photo == 255).all(axis=2).mean(),
        "figure": figure.mean(),
        "figure's row": rows.mean() / mask.shape[0] if len(rows) else np.nan,
        "figure's column": columns.mean() / mask.shape[1] if len(rows) else np.nan,
    }
    sides = [np.nonzero(mask == LABEL2ID[f"{side}-arm"])[1] for side in ("Left", "Right")]
    found["left less right arm"] = (
        (sides[0].mean() - sides[1].mean()) / mask.shape[1] if all(map(len, sides)) else np.nan
    )
    return found | {
        f"{name}'s share": (mask == LABEL2ID[name]).mean() for name in ("Face", "Upper-clothes", "Left-shoe")
    }


def single_changes(photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]) -> None:
    """Print how far apart single changes with the same parameters are."""
    import albumentations as A
    from albumentations.augmentations.blur.functional import create_gaussian_kernel_1d
    from albumentations.augmentations.geometric import functional as geometric
    from albumentations.augmentations.pixel import functional as pixel

    rng = np.random.default_rng(0)
    matrix = ours.affine_matrix(mask.shape, rng, (0.65, 1.8), 0.15, 12, 4)
    square = np.vstack([matrix, [0, 0, 1]])
    pixels: dict[str, Callable[[], Any]] = {
        "brightness and contrast": lambda: (
            A.RandomBrightnessContrast().apply(photo, 1.13, -21.7), ours.change_contrast(photo, 1.13, -21.7)
        ),
        "gamma": lambda: (pixel.gamma_transform(photo, 0.7), ours.change_gamma(photo, 0.7)),
        "hue, saturation, value": lambda: (
            pixel.shift_hsv(photo.copy(), 7.3, -22.4, 12.6), ours.shift_hsv(photo, 7.3, -22.4, 12.6)
        ),
        "grey": lambda: (pixel.to_gray(photo, 3, "weighted_average"), ours.grey(photo)),
        "blur": lambda: (
            pixel.separable_convolve(photo, create_gaussian_kernel_1d(1.7, 5)), ours.blur(photo, 5, 1.7)
        ),
        "downscaling": lambda: (
            pixel.downscale(photo, 0.55, cv2.INTER_NEAREST, cv2.INTER_NEAREST), ours.coarsen(photo, 0.55)
        ),
        "affine, photo": lambda: (
            geometric.warp_affine(
                photo, square, cv2.INTER_LINEAR, ours.MEAN_COLOR, cv2.BORDER_CONSTANT, mask.shape
            ),
            ours.warp(photo, mask, matrix, ours.MEAN_COLOR)[0],
        ),
        "affine, mask": lambda: (
            geometric.warp_affine(
                mask, square, cv2.INTER_NEAREST, 0, cv2.BORDER_CONSTANT, mask.shape
            ),
            ours.warp(photo, mask, matrix, ours.MEAN_COLOR)[1],
        ),
    }  # fmt: skip
    print("| change | largest difference, grey levels | mean difference |\n|---|---|---|")
    for name, both in pixels.items():
        apart = np.abs(np.subtract(*(one.astype(int) for one in both())))
        print(f"| {name} | {apart.max()} | {apart.mean():.3f} |")


def drawn(change: Callable[[Pair, int], Pair], pairs: list[Pair], draws: int) -> dict[str, npt.NDArray[np.float64]]:
    """Statistics of `draws` changed photos, the photos in turn."""
    found = [statistics(*change(pairs[number % len(pairs)], number)) for number in range(draws)]
    return {name: np.array([one[name] for one in found]) for name in found[0]}


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--draws", type=int, default=4000)
    arguments = parser.parse_args(argv)

    from benchmarks.albumentations_steps import A
    from benchmarks.albumentations_steps import augmentation as albumentations_of

    rows = load_splits(arguments.folder, None, 0.1, 0).train
    pairs = [decode_row(rows[number]) for number in range(min(arguments.rows, len(rows)))]
    print(f"{len(pairs)} photos, {arguments.draws} draws, albumentations {A.__version__}, OpenCV {cv2.__version__}\n")
    single_changes(*pairs[0])
    for kind, share in (("standard", 0.0), ("strong", 0.25)):
        theirs = albumentations_of(kind, share)

        def old(pair: Pair, number: int, theirs: Any = theirs) -> Pair:
            theirs.set_random_state(np.random.default_rng(number), random.Random(number))  # noqa: S311
            changed = theirs(image=pair[0], mask=pair[1])
            return changed["image"], changed["mask"]

        def new(pair: Pair, number: int, kind: str = kind, share: float = share) -> Pair:
            return ours.augment(*pair, np.random.default_rng([1, number]), kind, share)

        before, after = drawn(old, pairs, arguments.draws), drawn(new, pairs, arguments.draws)
        print(f"\n`{kind}`, windows about a class in {share:.0%} of the photos:\n")
        print("| statistic | albumentations | ours | D | p |\n|---|---|---|---|---|")
        for name in before:
            one, other = (values[name][~np.isnan(values[name])] for values in (before, after))
            test = ks_2samp(one, other)
            cells = [f"{values.mean():.4g} ({values.std():.3g})" for values in (one, other)]
            print(f"| {name} | {cells[0]} | {cells[1]} | {test.statistic:.3f} | {test.pvalue:.2f} |")


if __name__ == "__main__":
    main()
