"""Arguments of benchmarks that select photos, and the selected photos."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits


Shot = tuple[int, npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
"""A photo's number in its split, the (H, W, 3) uint8 RGB photo, and its (H, W) uint8 class ids."""


def arguments(description: str | None, photos: int) -> argparse.ArgumentParser:
    """Return a parser for `FOLDER [MODEL] [--split] [--photos]`; `photos` is the default number of photos."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", nargs="?", help="Hub id or folder; default: the embedded weights")
    parser.add_argument("--split", choices=("train", "validation"), default="train", help="default: train")
    parser.add_argument("--photos", type=int, default=photos, help=f"evenly drawn from the split (default {photos})")
    return parser


def shots(options: argparse.Namespace) -> Iterator[Shot]:
    """Return the photos that `arguments` select, evenly spaced in the split."""
    rows = getattr(load_splits(str(options.folder), None, 0.1, 0), options.split)
    chosen = np.unique(np.linspace(0, len(rows) - 1, options.photos).astype(int)).tolist()
    for index in tqdm(chosen, unit=" photos", leave=False):
        yield index, *decode_row(rows[index])
