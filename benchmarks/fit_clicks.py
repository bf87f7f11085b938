"""Fit the weights of `clothseg.postprocess.click_network` to clicks simulated on labelled photos.

    python -m benchmarks.fit_clicks FOLDER --split_file docs/experiments/development-split.json --model MODEL
        [--start WEIGHTS]

The model was trained on the rows for training (`make lite SPLIT=...`). A part of the clicks is on every second one of
the rows for validation, which the model does not know (`benchmarks.simulated_clicks`). The other half is for
`benchmarks.clicks`.

The corrections follow from the fitted network's own answers, so that it learns from the states that it brings about;
some are made right instead.
"""

import argparse
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from benchmarks.simulated_clicks import Clicking, Source, rows_of
from clothseg import Segmenter
from clothseg.postprocess import click_network
from clothseg.postprocess.click_features import REGION_FEATURES
from clothseg.postprocess.click_network import LEVELS
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits


CELL, AROUND = (32, 16), (24, 40, 56, 64)
"""Channels of the hidden layers of each cell, and of the levels."""

PHOTOS = 8
"""Photos in each step."""

OVERLAP = 0.15
"""Weight of the IoU in the loss."""

DECAY = 0.998
"""Of the moving average of the weights, which is what is stored."""

Plane = npt.NDArray[np.float32]


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


def fit(
    sources: list[Source], steps: int, seed: int, start: Path | None, learning_rate: float, out: Path
) -> ClickNetwork:
    """Train a network for so many steps of `PHOTOS` clicks each, from the weights in a file or from random ones.

    The second answer to a click, which knows the first one, is trained in every other step. The moving average of the
    weights is written every 250 steps.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    photos = [Clicking(sources, rng) for _ in range(PHOTOS)]
    network = ClickNetwork(len(photos[0].click()) + REGION_FEATURES).to(memory_format=torch.channels_last)
    if start:
        _load(network, start)
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(DECAY)
    )
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps + 1, pct_start=0.05)
    losses, began = [], time.monotonic()
    for step in range(1, steps + 1):
        features = [photo.click() for photo in photos]
        height, width = (max(each.shape[axis] for each in features) for axis in (1, 2))
        shape = -(-height // 2**LEVELS) * 2**LEVELS, -(-width // 2**LEVELS) * 2**LEVELS
        nothing = [np.zeros((REGION_FEATURES, *each.shape[1:]), np.float32) for each in features]
        batch = _batch([np.concatenate(each) for each in zip(features, nothing, strict=True)], shape, edge=True)
        mirrored = rng.random() < 0.5
        if rng.random() < 0.5:
            with torch.no_grad():
                answers = torch.sigmoid(_answer(network, batch, mirrored)).numpy()
            regions = [
                photo.region(answer[: each.shape[1], : each.shape[2]])
                for photo, each, answer in zip(photos, features, answers, strict=True)
            ]
            batch[:, -REGION_FEATURES:] = _batch(regions, shape, edge=True)
        logits = _answer(network, batch, mirrored)
        targets = zip(*(photo.target() for photo in photos), strict=True)
        loss = _loss(logits, *(_batch(part, shape, edge=False) for part in targets))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        averaged.update_parameters(network)
        answers = torch.sigmoid(logits.detach()).numpy()
        for photo, each, answer in zip(photos, features, answers, strict=True):
            photo.correct(answer[: each.shape[1], : each.shape[2]])
        losses.append(loss.item())
        if step % 100 == 0:
            print(f"{step} steps, {time.monotonic() - began:.0f} s, loss {np.mean(losses[-100:]):.3f}", flush=True)
        if step % 250 == 0 or step == steps:
            np.savez_compressed(out, **averaged.module.stored())
    return averaged.module


def _answer(network: ClickNetwork, batch: torch.Tensor, mirrored: bool) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        logits: torch.Tensor = network(batch.flip(-1)).flip(-1) if mirrored else network(batch)
    return logits.float()


def _loss(logits: torch.Tensor, share: torch.Tensor, weight: torch.Tensor, plain: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, and one less the soft IoU of each region."""
    entropy = functional.binary_cross_entropy_with_logits(logits, share, weight=weight, reduction="sum") / 160
    answer = torch.sigmoid(logits)
    both = (plain * answer * share).sum(dim=(1, 2))
    either = (plain * (answer + share - answer * share)).sum(dim=(1, 2))
    return entropy + OVERLAP * (1 - (both + 1) / (either + 1)).sum()


def _load(network: ClickNetwork, path: Path) -> None:
    """Load weights; inputs and channels that they do not know yet have no influence at first."""
    with np.load(path) as stored:
        known = {f"layers.{name}": torch.from_numpy(stored[name].astype(np.float32)) for name in stored.files}
    state = network.state_dict()
    for name, new in state.items():
        old = known[name]
        if name.endswith("bias"):
            new[: len(old)] = old
            continue
        new[: len(old)] = 0
        inputs = [(old.shape[1], new.shape[1])]
        if "up_" in name:  # the coarser level's, then the level's own
            level = name.replace("up_", "down_").replace(".weight", "_0.bias")
            own_old, own_new = len(known[level]), len(state[level])
            inputs = [(old.shape[1] - own_old, new.shape[1] - own_new), (own_old, own_new)]
        at_old = at_new = 0
        for count, room in inputs:
            new[: len(old), at_new : at_new + count] = old[:, at_old : at_old + count]
            at_old, at_new = at_old + count, at_new + room
    network.load_state_dict(state)


def _batch(planes: Sequence[Plane], shape: tuple[int, int], *, edge: bool) -> torch.Tensor:
    """Stack planes (..., h, w) of several sizes; below and at the right of each come its edge, or zeros."""
    stacked = np.zeros((len(planes), *planes[0].shape[:-2], *shape), np.float32)
    for whole, part in zip(stacked, planes, strict=True):
        height, width = part.shape[-2:]
        whole[..., :height, :width] = part
        if edge:
            whole[..., :height, width:] = part[..., -1:]
            whole[..., height:, :] = whole[..., height - 1 : height, :]
    return torch.from_numpy(stacked)


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
    parser.add_argument("--learning_rate", type=float, default=1.5e-3)
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="so many photos alone")
    options = parser.parse_args(argv)
    splits = load_splits(options.folder, split_file=options.split_file)
    rows = splits.train.select(range(min(len(splits.train), options.limit or len(splits.train))))
    half = splits.validation.select(range(1, len(splits.validation), 2))
    segmenter = Segmenter.from_pretrained(options.model)
    known, unknown = ([decode_row(row) for row in part] for part in (rows, half))
    rng = np.random.default_rng(options.seed)
    sources = [
        Source(0.25, 0.5, rows_of(segmenter, known)),
        Source(0.4, 0.3, rows_of(segmenter, known, rng)),
        Source(0.35, 0.3, rows_of(segmenter, unknown)),
    ]
    fit(sources, options.steps, options.seed, options.start, options.learning_rate, options.out)


if __name__ == "__main__":
    main()
