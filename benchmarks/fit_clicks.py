"""Fit the weights of `clothseg.postprocess.clicks` to clicks simulated on labelled photos.

    python -m benchmarks.fit_clicks FOLDER --split_file docs/experiments/development-split.json
        --model MODEL [--out FILE]

MODEL must not have been trained on the rows, since its errors there would be unlike those on new photos. Clicks are
simulated as in `benchmarks.clicks`; after each click its region is corrected completely or partly, so that the network
learns from all states of a correction. `--folds` prints figures for photos that the weights were not fitted on, and
fits weights for each half.
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn
from tqdm.auto import tqdm

from benchmarks.clicks import Clicked, click_through, next_click, print_table
from clothseg import Segmenter
from clothseg.labels import IGNORE, LABEL2ID
from clothseg.postprocess import clicks as library
from clothseg.postprocess.click_features import Cell, Place, features_of, place_of, view_of
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits


HIDDEN = (32, 16)
CLICKS = 7
"""Number of simulated clicks on each photo."""

PICKED, MORE = 2500, 800
"""Number of cells sampled for each click, and additionally from the region that it refers to."""

SMALL = 0.42
"""Exponent that lowers the weight of each cell of a large region: 0 weights cells equally, 1 regions."""

Rows = list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]
Samples = tuple[npt.NDArray[np.float16], npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Features (n, F), whether each cell belongs to the region (n,), and its weight (n,)."""


def samples_of(segmenter: Segmenter, rows: Rows, seed: int) -> list[Samples]:
    """Return the samples of each photo."""
    rng = np.random.default_rng(seed)
    made = []
    for photo, truth in tqdm(rows, unit=" photos", leave=False):
        result = segmenter(Image.fromarray(photo), zoom="off", orientation="upright")
        view = view_of(result.photo, result._evidence)
        small_truth = cv2.resize(truth, view.shape[::-1], interpolation=cv2.INTER_NEAREST)
        found, earlier, parts = result.label_map.copy(), list[tuple[Place, int]](), list[Any]()
        for _ in range(CLICKS):
            if (click := next_click(truth, found)) is None:
                break
            class_id = LABEL2ID[click.label]
            labels = cv2.resize(found, view.shape[::-1], interpolation=cv2.INTER_NEAREST)
            cell: Cell = library._cell(click, found.shape, view.shape)
            labels[cell] = found[click.y, click.x]
            place = place_of(view, cell)
            features = features_of(view, labels, place, class_id, earlier)
            earlier.append((place, class_id))
            parts.append(_pick(features, labels, small_truth, class_id, rng))
            found = _corrected(found, truth, (click.y, click.x), class_id, rng)
        made.append(tuple(np.concatenate(each) for each in zip(*parts, strict=True)))
    return made


def _pick(features: Any, labels: Any, truth: Any, class_id: int, rng: np.random.Generator) -> Samples:
    free = np.flatnonzero(((labels != class_id) & (truth != IGNORE)).ravel())
    region = free[truth.ravel()[free] == class_id]
    picked = rng.choice(free, min(PICKED, len(free)), replace=False)
    more = rng.choice(region, min(MORE, len(region)), replace=False)
    cells = np.concatenate([picked, more])
    right = truth.ravel()[cells] == class_id
    share = len(region) * len(picked) / len(free)
    # Errors cost less where the label is wrong in any case.
    weight = np.where(truth.ravel()[cells] == labels.ravel()[cells], 1, 0.2)
    weight[right] = share / max(1, right.sum())
    weight /= (share + 20) ** SMALL
    return (
        features.reshape(len(features), -1)[:, cells].T.astype(np.float16),
        right.astype(np.float32),
        weight.astype(np.float32),
    )


def _corrected(found: Any, truth: Any, place: Cell, class_id: int, rng: np.random.Generator) -> Any:
    """Return the label map after a correction like that of a click: of a region, completely or around the click."""
    wrong = found == found[place] if rng.random() < 0.6 else found != class_id
    _, pieces = cv2.connectedComponents(((truth == class_id) & wrong).view(np.uint8), connectivity=4)
    region = pieces == pieces[place]
    if rng.random() < 0.4:
        rows, columns = np.indices(found.shape)
        region &= np.hypot(rows - place[0], columns - place[1]) < rng.uniform(0.024, 0.24) * len(found)
    return np.where(region, np.uint8(class_id), found)


def fit(samples: list[Samples], epochs: int, seed: int) -> dict[str, npt.NDArray[np.float32]]:
    """Return the weights by name, as in `click_weights.npz`."""
    torch.manual_seed(seed)
    features, right, weight = (torch.from_numpy(np.concatenate(each)) for each in zip(*samples, strict=True))
    mean, spread = features.float().mean(dim=0), features.float().std(dim=0) + 1e-3
    weight = weight / weight.mean()
    sizes = [features.shape[1], *HIDDEN]
    layers = [nn.Linear(inputs, outputs) for inputs, outputs in zip(sizes, [*HIDDEN, 1], strict=True)]
    network = nn.Sequential(*[each for layer in layers for each in (layer, nn.ReLU())][:-1])
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4)
    size = 8192
    steps = epochs * len(features) // size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps + 1)
    for _ in range(steps):
        batch = torch.randint(0, len(features), (size,))
        logits = network((features[batch].float() - mean) / spread)[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, right[batch], weight=weight[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    made = {}
    for index, layer in enumerate(layers):
        matrix, bias = layer.weight.detach(), layer.bias.detach()
        if index == 0:  # includes the scaling
            matrix = matrix / spread
            bias = bias - matrix @ mean
        made |= {f"weight_{index}": matrix.numpy(), f"bias_{index}": bias.numpy()}
    return made


def use(path: Path) -> None:
    """Make the library use the weights in a file."""
    library.WEIGHTS = path
    library._layers.cache_clear()


def cross_validate(
    segmenter: Segmenter, rows: Rows, samples: list[Samples], epochs: int, seed: int, out: Path
) -> None:
    """Print the table of `benchmarks.clicks`, each half of the photos with weights fitted on the other half."""
    halves = []
    for half in (0, 1):
        np.savez(out, **fit(samples[1 - half :: 2], epochs, seed))
        use(out)
        halves.append(click_through(segmenter, rows[half::2]))
    print_table(
        Clicked(
            np.concatenate([half.counts for half in halves]),
            np.concatenate([half.boundary for half in halves]),
            [each for half in halves for each in half.seconds],
        )
    )


def main(argv: list[str] | None = None) -> None:
    """Fit, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="of the labelled rows, or a parquet file")
    parser.add_argument("--split_file", help="whose validation rows are used; default: the data's own validation")
    parser.add_argument("--model", required=True, help="Hub id or folder of a model that never saw these rows")
    parser.add_argument("--out", type=Path, default=library.WEIGHTS)
    parser.add_argument("--folds", action="store_true", help="print figures of photos that were not fitted to")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="so many photos alone")
    options = parser.parse_args(argv)
    found = load_splits(options.folder, split_file=options.split_file).validation
    rows = [decode_row(row) for row in found.select(range(min(len(found), options.limit or len(found))))]
    segmenter = Segmenter.from_pretrained(options.model)
    samples = samples_of(segmenter, rows, options.seed)
    if options.folds:
        cross_validate(segmenter, rows, samples, options.epochs, options.seed, options.out)
    np.savez(options.out, **fit(samples, options.epochs, options.seed))  # type: ignore[arg-type]
    print(f"\n{options.out} is fitted to {sum(len(each[1]) for each in samples):,} pixels of {len(rows)} photos.")


if __name__ == "__main__":
    main()
