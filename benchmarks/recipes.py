"""Effect of each part of `--preset better`: trainings of equal time, from the same initial weights.

    python -m benchmarks.recipes FOLDER --work runs/recipes

FOLDER contains train.parquet and validation.parquet. Sizes are scaled down by the same factor for all rows, so that a
row takes minutes on a CPU. Each row gets the number of steps that fit into the time of the default recipe's epochs, by
a calibration in interleaved rounds before, so a more expensive loss or a larger input gets fewer steps. Finished runs
are kept in --work and not repeated; `--rows` and `--seeds` divide the work among processes. A Markdown table is
printed at the end.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from datasets import load_dataset

from clothseg.training.arguments import parse_arguments
from clothseg.training.run import run


RARE = ("Hat", "Sunglasses", "Belt", "Scarf")
DEFAULT = {"image_size": [160, 160]}  # the default's 512x512, scaled by 5/16 as all sizes here
# the preset's learning rates are for transformers; clothseg-lite's convolutions, where all rows start, allow more
RATES = {"learning_rate": 1.5e-3, "encoder_lr_scale": 0.5}
BETTER = {"preset": "better", "image_size": [192, 128], "bf16": False, **RATES}

ROWS: dict[str, dict[str, object]] = {
    "default": DEFAULT,
    "default, unweighted": {**DEFAULT, "class_weight": 1},
    "default, unweighted, focal": {**DEFAULT, "class_weight": 1, "focal_gamma": 2},
    "default, Dice added": {**DEFAULT, "dice_weight": 1},
    "default, better's rates and schedule": {
        **DEFAULT,
        **RATES,
        **{"layer_lr_decay": 0.9, "lr_decay": 0, "lr_scheduler_type": "cosine", "warmup_steps": 0.05},
    },
    "better": BETTER,
    "better, Lovász in place of Dice": {**BETTER, "dice_weight": 0, "lovasz_weight": 1},
    "better, no region term": {**BETTER, "dice_weight": 0},
    "better, weights 1 and 3": {**BETTER, "class_weighting": "fixed"},
    "better, one rate for all stages": {**BETTER, "layer_lr_decay": 1, "encoder_lr_scale": 1},
    "better, 1e-4 and 0.9998 per step": {**BETTER, "learning_rate": 1e-4, "lr_decay": 0.9998, "warmup_steps": 0},
    "better, no average": {**BETTER, "ema_decay": 0},
    "better, without rare-class sampling": {**BETTER, "rare_sampling": 0, "class_crop": 0},
    "better, the default's size": {**BETTER, "image_size": [160, 160]},
}


def main() -> None:
    """Run missing rows, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="where runs and results are kept")
    parser.add_argument("--model", default="lite2", help="initial weights, the same for all rows")
    parser.add_argument("--epochs", type=float, default=6, help="of the default recipe; its time is everybody's")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="the first is for all rows")
    parser.add_argument("--rows", nargs="*", help="only these, by number; default: all")
    parser.add_argument("--table", action="store_true", help="print the table of what is there, run nothing")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    names = list(ROWS)
    if not options.table:
        seconds = calibrate(options)
        picked = [names[int(number)] for number in options.rows] if options.rows else names
        for seed in options.seeds:
            for name in picked:
                # the parts by the first seed, the two whole recipes by all
                if seed == options.seeds[0] or name in ("default", "better"):
                    train(options, name, seed, seconds)
    print_table(options)


def arguments(options: argparse.Namespace, name: str, folder: Path, output: Path, steps: int, seed: int) -> list[str]:
    """Return the command line of a row."""
    flags: list[str] = []
    for key, value in ROWS[name].items():
        flags += [f"--{key}", *map(str, value if isinstance(value, list) else [value])]
    common = ["--model_name_or_path", options.model, "--dataset_name", str(folder), "--output_dir", str(output)]
    quiet = ["--eval_strategy", "no", "--save_strategy", "no", "--dataloader_num_workers", "1", "--use_cpu", "true"]
    return [*flags, *common, *quiet, "--max_steps", str(steps), "--seed", str(seed)]


def figures_of(argv: list[str], output: Path) -> dict[str, dict[str, float]]:
    """Train by a command line and return the contents of figures.json; the weights are deleted."""
    shutil.rmtree(output, ignore_errors=True)
    figures = json.loads((run(*parse_arguments(argv), argv) / "figures.json").read_text())
    shutil.rmtree(output)
    return figures


def calibrate(options: argparse.Namespace, rounds: int = 2, steps: int = 8) -> dict[str, float]:
    """Return the seconds per step of every row: the smallest of interleaved rounds on a few photos."""
    file = options.work / "seconds_per_step.json"
    if file.is_file():
        return json.loads(file.read_text())
    few = options.work / "few"
    few.mkdir(exist_ok=True)
    for split, count in (("train", 64), ("validation", 1)):
        rows = load_dataset("parquet", data_files=str(options.folder / f"{split}.parquet"), split="train")
        rows.select(range(count)).to_parquet(few / f"{split}.parquet")
    seconds: dict[str, float] = {}
    for _ in range(rounds):
        for name in ROWS:
            output = options.work / "calibration"
            found = figures_of(arguments(options, name, few, output, steps, 0), output)["training"]
            seconds[name] = min(seconds.get(name, np.inf), found["seconds"] / steps)
    file.write_text(json.dumps(seconds, indent=1))
    return seconds


def train(options: argparse.Namespace, name: str, seed: int, seconds: dict[str, float]) -> None:
    """Train a row with one seed, unless its result exists."""
    label = f"{list(ROWS).index(name):02}-{seed}"
    file = options.work / f"{label}.json"
    if file.is_file():
        return
    photos = len(load_dataset("parquet", data_files=str(options.folder / "train.parquet"), split="train"))
    default_steps = round(options.epochs * photos / 8)
    steps = round(default_steps * seconds["default"] / seconds[name])
    argv = arguments(options, name, options.folder, options.work / label, steps, seed)
    figures = figures_of(argv, options.work / label)
    file.write_text(json.dumps({"name": name, "seed": seed, "steps": steps, **figures["own_size"]}, indent=1))


def print_table(options: argparse.Namespace) -> None:
    """Print the mean over the seeds, with the range if there are several."""
    found = [json.loads(file.read_text()) for file in sorted(options.work.glob("[0-9]*-*.json"))]
    print("| recipe | seeds | steps | mIoU | overall accuracy | Hat, Sunglasses, Belt, Scarf |")
    print("|---|---|---|---|---|---|")
    for name in ROWS:
        runs = [one for one in found if one["name"] == name]
        if not runs:
            continue
        rare = [float(np.mean([one.get(f"iou_{part}", 0) for part in RARE])) for one in runs]
        cells = [[one["mean_iou"] for one in runs], [one["overall_accuracy"] for one in runs], rare]
        shown = [
            f"{np.mean(cell):.3f}" + (f" ({min(cell):.3f}–{max(cell):.3f})" if len(cell) > 1 else "") for cell in cells
        ]
        print(f"| {name} | {len(runs)} | {runs[0]['steps']} | {' | '.join(shown)} |")


if __name__ == "__main__":
    main()
