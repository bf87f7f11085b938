"""The network that predicts whether pixels belong to the region of a click.

Each cell's features pass through a small multilayer perceptron. Its second layer also takes what an encoder and
decoder with skip connections (Ronneberger, Fischer and Brox, "U-Net", MICCAI 2015) see around the cell, on grids of a
half to a sixteenth of the size. 229,000 weights; `python -m benchmarks.fit_clicks` fits them. In NumPy, since the
OpenVINO engine does without PyTorch, whose import takes longer than any click.
"""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from clothseg.postprocess.click_features import REGION_FEATURES


Array = npt.NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("click_weights.npz")

LEVELS = 4
"""Times that the grid is halved."""


def membership(features: Array, region: Array | None = None, rotation: int = 0) -> Array:
    """Return how probable it is that cells belong to the region of a click.

    Args:
        features: (F, h, w), from `features_of`.
        region: (R, h, w), from `region_features` of a first answer; None for the first one.
        rotation: by how many degrees clockwise the grid must be turned for people to stand upright.

    Returns:
        (h, w) float32 in 0..1.
    """
    if region is None:
        region = np.zeros((REGION_FEATURES, *features.shape[1:]), np.float32)
    upright = np.rot90(np.concatenate([features, region]), -rotation // 90, axes=(1, 2))
    height, width = upright.shape[1:]
    step = 2**LEVELS
    padded = np.pad(upright, ((0, 0), (0, -height % step), (0, -width % step)), mode="edge")
    share = 1 / (1 + np.exp(-np.clip(_logits(padded), -30, 30)))
    return np.ascontiguousarray(np.rot90(share[:height, :width], rotation // 90), np.float32)


def _logits(features: Array) -> Array:
    """(h, w) of (F, h, w), whose sides are multiples of 16."""
    cells = np.maximum(_dense(np.moveaxis(features, 0, 2), "cell_0"), 0)
    levels = [cells]
    for level in range(1, LEVELS + 1):
        planes = _convolved(_halved(levels[-1]), f"down_{level}_0")
        levels.append(planes if level == LEVELS else _convolved(planes, f"down_{level}_1"))
    around = levels.pop()
    for level in range(LEVELS - 1, 0, -1):
        around = _convolved(np.concatenate([_doubled(around), levels[level]], axis=2), f"up_{level}")
    around = _doubled(_dense(around, "context"))
    return _dense(np.maximum(_dense(cells, "cell_1") + around, 0), "cell_2")[..., 0]


def _dense(planes: Array, name: str) -> Array:
    """A linear function of each cell's values: (h, w, C) to (h, w, D)."""
    weight, bias = _layers()[name]
    return planes @ weight + bias


def _convolved(planes: Array, name: str) -> Array:
    """(h, w, C) to (h, w, D): a convolution of 3 x 3 cells, and ReLU."""
    weight, bias = _layers()[name]
    height, width, channels = planes.shape
    padded = np.pad(planes, ((1, 1), (1, 1), (0, 0)))
    near = [padded[row : row + height, column : column + width] for row in range(3) for column in range(3)]
    return np.maximum(np.concatenate(near, axis=2).reshape(-1, 9 * channels) @ weight + bias, 0).reshape(
        height, width, -1
    )


def _halved(planes: Array) -> Array:
    height, width, channels = planes.shape
    return planes.reshape(height // 2, 2, width // 2, 2, channels).mean(axis=(1, 3))


def _doubled(planes: Array) -> Array:
    height, width, _ = planes.shape
    return np.asarray(cv2.resize(planes, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR), np.float32)


@cache
def _layers() -> dict[str, tuple[Array, Array]]:
    """Weights (inputs, outputs) and biases (outputs,) of each layer; inputs of convolutions are by row, column and
    channel."""
    with np.load(WEIGHTS) as stored:
        loaded = {name: stored[name].astype(np.float32) for name in stored.files}
    return {
        name.removesuffix(".weight"): (
            np.ascontiguousarray(weight.transpose(2, 3, 1, 0).reshape(-1, len(weight))),
            loaded[name.replace(".weight", ".bias")],
        )
        for name, weight in loaded.items()
        if name.endswith(".weight")
    }
