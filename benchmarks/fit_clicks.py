"""Fit the weights of `clothseg.postprocess.click_network` to clicks simulated on labelled photos.

    python -m benchmarks.fit_clicks FOLDER --split_file docs/experiments/development-split.json --model MODEL
        [--start WEIGHTS]

The model was trained on the rows for training (`make lite SPLIT=...`). Its errors must be those that users meet; on
photos that it was trained on, a model makes fewer and others. So a part of the clicks is on every second one of the
rows for validation, which the model does not know. The other half is for `benchmarks.clicks`.

The corrections follow from the fitted network's own answers, so that it learns from the states that it brings about;
some are made right instead.
"""

import argparse
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from tqdm.auto import tqdm

from clothseg import Segmenter
from clothseg.labels import IGNORE
from clothseg.postprocess import click_network
from clothseg.postprocess.click_features import ROLES, Cell, Labels, Place, features_of, place_of, view_of
from clothseg.postprocess.click_network import LEVELS
from clothseg.postprocess.evidence import Evidence, as_evidence
from clothseg.postprocess.geometry import Box
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits


CELL, AROUND = (32, 16), (24, 32, 32, 32)
"""Channels of the hidden layers of each cell, and of the levels."""

CLICKS = 6
"""Clicks on each photo."""

PHOTOS = 8
"""Photos in each step."""

SHARES = (0.7, 0.3)
"""Shares of photos for training and of photos that the model does not know."""

SMALL = 0.42
"""Exponent that lowers the weight of each cell of a large region: 0 weights cells equally, 1 regions."""

Plane = npt.NDArray[np.float32]


class Row(NamedTuple):
    """A labelled photo, and the model's evidence."""

    photo: npt.NDArray[np.uint8]
    truth: Labels
    evidence: Evidence


Sources = list[tuple[float, list[Row]]]
"""Rows of each source, with the source's share."""


class ClickNetwork(nn.Module):
    """`click_network.membership` in PyTorch: (N, F, h, w), whose sides are multiples of 16, to logits (N, h, w)."""

    def __init__(self, features: int) -> None:
        """Draw weights."""
        super().__init__()
        sizes = [features, *CELL, 1]
        layers: dict[str, nn.Module] = {
            f"cell_{index}": nn.Conv2d(*pair, 1) for index, pair in enumerate(pairwise(sizes))
        }
        layers["context"] = nn.Conv2d(AROUND[0], CELL[1], 1)
        sizes = [CELL[0], *AROUND]
        for level in range(1, LEVELS + 1):
            layers[f"down_{level}_0"] = _convolution(sizes[level - 1], sizes[level])
            if level < LEVELS:
                layers[f"down_{level}_1"] = _convolution(sizes[level], sizes[level])
                layers[f"up_{level}"] = _convolution(sizes[level + 1] + sizes[level], sizes[level])
        self.layers = nn.ModuleDict(layers)
        nn.init.zeros_(layers["context"].weight)  # type: ignore[arg-type]

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        cells = functional.relu(self.layers["cell_0"](features))
        levels = [cells]
        for level in range(1, LEVELS + 1):
            planes = functional.relu(self.layers[f"down_{level}_0"](functional.avg_pool2d(levels[-1], 2)))
            if level < LEVELS:
                planes = functional.relu(self.layers[f"down_{level}_1"](planes))
            levels.append(planes)
        around = levels.pop()
        for level in range(LEVELS - 1, 0, -1):
            around = torch.cat([_doubled(around), levels[level]], dim=1)
            around = functional.relu(self.layers[f"up_{level}"](around))
        hidden = functional.relu(self.layers["cell_1"](cells) + _doubled(self.layers["context"](around)))
        return self.layers["cell_2"](hidden)[:, 0]

    def stored(self) -> dict[str, npt.NDArray[np.float16]]:
        """Return the weights as in `click_weights.npz`."""
        return {
            name.removeprefix("layers."): each.detach().contiguous().numpy().astype(np.float16)
            for name, each in self.named_parameters()
        }


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    made = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(made.weight, nonlinearity="relu")
    nn.init.zeros_(made.bias)  # type: ignore[arg-type]
    return made


def _doubled(planes: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(planes, scale_factor=2, mode="bilinear", align_corners=False)


def rows_of(segmenter: Segmenter, rows: list[tuple[Labels, Labels]]) -> list[Row]:
    """Return the model's evidence for photos."""
    found = []
    for photo, truth in tqdm(rows, unit=" photos", leave=False):
        logits = segmenter.logits([Image.fromarray(photo)])[0]
        found.append(Row(photo, truth, as_evidence(logits, Box(0, 0, *photo.shape[1::-1]))))
    return found


class Clicking:
    """A photo that is clicked; after the last click, the next one."""

    def __init__(self, sources: Sources, rng: np.random.Generator) -> None:
        """Draw a photo."""
        self._sources, self._rng = sources, rng
        self._begin()

    def _begin(self) -> None:
        shares = np.array([share * bool(rows) for share, rows in self._sources])
        rows = self._sources[self._rng.choice(len(shares), p=shares / shares.sum())][1]
        row = rows[self._rng.integers(len(rows))]
        self._photo_truth = row.truth
        self._view = view_of(Image.fromarray(row.photo), row.evidence)
        truth = cv2.resize(row.truth, self._view.shape[::-1], interpolation=cv2.INTER_NEAREST)
        if self._rng.random() < 0.1:  # as with classes of other label sets
            unknown = np.full_like(self._view.roles, len(ROLES)), np.zeros_like(self._view.role_probability)
            self._view = self._view._replace(roles=unknown[0], role_probability=unknown[1])
        self._truth = np.asarray(truth, np.uint8)
        self._labels = self._view.probability.argmax(axis=0).astype(np.uint8)
        self._earlier: list[tuple[Place, int]] = []

    def click(self) -> Plane:
        """Return the features (F, h, w) of the next click: in the centre of the largest error, or anywhere in it."""
        while (click := self._largest_error()) is None:
            self._begin()
        self._class_id, self._region, cell = click
        self._place = place_of(self._view, cell)
        return features_of(self._view, self._labels, self._place, self._class_id, self._earlier)

    def _largest_error(self) -> tuple[int, npt.NDArray[np.bool_], Cell] | None:
        """Class, region and cell of the click; None if little is wrong or there were enough clicks."""
        wrong = (self._truth != self._labels) & (self._truth != IGNORE)
        largest, found = 3, None
        for class_id in np.unique(self._truth[wrong]).tolist() if len(self._earlier) < CLICKS else []:
            mask = (wrong & (self._truth == class_id)).view(np.uint8)
            _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
            number = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
            if stats[number, cv2.CC_STAT_AREA] > largest:
                largest, found = int(stats[number, cv2.CC_STAT_AREA]), (class_id, pieces == number)
        if found is None:
            return None
        if self._rng.random() < 0.25:
            row, column = self._rng.choice(np.argwhere(found[1]))
        else:
            depth = cv2.distanceTransform(np.pad(found[1].view(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
            row, column = np.unravel_index(depth.argmax(), depth.shape)
        return (*found, (int(row), int(column)))

    def target(self) -> tuple[Plane, Plane]:
        """Return how much of each cell has the class, and the weight of the cell."""
        share = cv2.resize(
            (self._photo_truth == self._class_id).astype(np.float32),
            self._view.shape[::-1],
            interpolation=cv2.INTER_AREA,
        )
        free = (self._labels != self._class_id) & (self._truth != IGNORE)
        region = free & (self._truth == self._class_id)
        # Errors weigh less where the label is wrong already.
        weight = np.where(region | (self._truth == self._labels), 1, 0.2)
        return np.asarray(share, np.float32), np.asarray(weight * free / (region.sum() + 8) ** SMALL, np.float32)

    def correct(self, share: Plane) -> None:
        """Apply the network's answer, or at times the truth."""
        for place, class_id in self._earlier:
            if class_id != self._class_id:
                share[place.cell] = 0
        region = self._region if self._rng.random() < 0.15 else share > 0.5
        self._labels = np.where(region, np.uint8(self._class_id), self._labels)
        self._labels[self._place.cell] = self._class_id
        self._earlier.append((self._place, self._class_id))


def fit(
    sources: Sources, steps: int, seed: int, start: Path | None = None, learning_rate: float = 3e-3
) -> ClickNetwork:
    """Train a network for so many steps of `PHOTOS` clicks each, from the weights in a file or from random ones."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    photos = [Clicking(sources, rng) for _ in range(PHOTOS)]
    network = ClickNetwork(len(photos[0].click())).to(memory_format=torch.channels_last)
    if start:
        _load(network, start)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps + 1, pct_start=0.05)
    losses, began = [], time.monotonic()
    for step in range(1, steps + 1):
        features = [photo.click() for photo in photos]
        targets = [photo.target() for photo in photos]
        height, width = (max(each.shape[axis] for each in features) for axis in (1, 2))
        shape = -(-height // 2**LEVELS) * 2**LEVELS, -(-width // 2**LEVELS) * 2**LEVELS
        batch = torch.from_numpy(np.stack([_padded(each, shape, "edge") for each in features]))
        batch = batch.to(memory_format=torch.channels_last)
        share, weight = (
            torch.from_numpy(np.stack([_padded(each, shape, "constant") for each in part]))
            for part in zip(*targets, strict=True)
        )
        mirrored = rng.random() < 0.5
        logits = network(batch.flip(-1)).flip(-1) if mirrored else network(batch)
        loss = functional.binary_cross_entropy_with_logits(logits, share, weight=weight, reduction="sum") / 160
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        answers = torch.sigmoid(logits.detach()).numpy()
        for photo, each, answer in zip(photos, features, answers, strict=True):
            photo.correct(answer[: each.shape[1], : each.shape[2]].copy())
        losses.append(loss.item())
        if step % 100 == 0:
            print(f"{step} steps, {time.monotonic() - began:.0f} s, loss {np.mean(losses[-100:]):.3f}", flush=True)
    return network


def _load(network: ClickNetwork, path: Path) -> None:
    """Load weights; features that they do not know yet have no influence at first."""
    with np.load(path) as stored:
        weights = {f"layers.{name}": torch.from_numpy(stored[name].astype(np.float32)) for name in stored.files}
    first = weights["layers.cell_0.weight"]
    new = network.layers["cell_0"].in_channels - first.shape[1]
    weights["layers.cell_0.weight"] = functional.pad(first, (0, 0, 0, 0, 0, new))
    network.load_state_dict(weights)


def _padded(planes: Plane, shape: tuple[int, int], mode: Any) -> Plane:
    """(..., h, w) with zeros, or its edge, below and at the right."""
    below, right = shape[0] - planes.shape[-2], shape[1] - planes.shape[-1]
    return np.pad(planes, [(0, 0)] * (planes.ndim - 2) + [(0, below), (0, right)], mode=mode)


def use(path: Path) -> None:
    """Make the library use the weights in a file."""
    click_network.WEIGHTS = path
    click_network._layers.cache_clear()


def main(argv: list[str] | None = None) -> None:
    """Fit, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="of the labelled rows, or a parquet file")
    parser.add_argument("--split_file", help="which rows are for training; default: the data's own split")
    parser.add_argument("--model", required=True, help="Hub id or folder; not trained on the rows for validation")
    parser.add_argument("--out", type=Path, default=click_network.WEIGHTS)
    parser.add_argument("--start", type=Path, help="weights to start from; default: random ones")
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="so many photos alone")
    options = parser.parse_args(argv)
    splits = load_splits(options.folder, split_file=options.split_file)
    rows = splits.train.select(range(min(len(splits.train), options.limit or len(splits.train))))
    half = splits.validation.select(range(1, len(splits.validation), 2))
    segmenter = Segmenter.from_pretrained(options.model)
    found = [rows_of(segmenter, [decode_row(row) for row in part]) for part in (rows, half)]
    sources = list(zip(SHARES, found, strict=True))
    network = fit(sources, options.steps, options.seed, options.start, options.learning_rate)
    np.savez_compressed(options.out, **network.stored())  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
