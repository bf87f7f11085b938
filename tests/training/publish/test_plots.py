"""Plots show the data that they are given."""

from pathlib import Path

import numpy as np
from paper_dolls import draw
from PIL import Image

from clothseg.labels import NAMES, PALETTE
from clothseg.training.publish import plots


def colors(path: Path) -> set[tuple[int, ...]]:
    with Image.open(path) as picture:
        assert picture.width >= 500
        return set(map(tuple, np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0).tolist()))


def test_class_bars_show_defined_classes_with_and_without_intervals(tmp_path: Path) -> None:
    figures = {"mean_iou": 0.6, "iou_Hat": 0.5, "iou_Belt": 0.0, "iou_Bag": 1.0}
    plots.class_bars(figures, tmp_path / "plain.png")
    bounds = {"iou_Hat": [0.4, 0.6], "iou_Belt": [0.0, 0.0], "iou_Bag": [0.9, 0.99]}  # the last beside its figure
    plots.class_bars(figures, tmp_path / "whiskers.png", bounds)
    hat, skirt = (tuple(PALETTE[NAMES.index(name)].tolist()) for name in ("Hat", "Skirt"))
    for name in ("plain", "whiskers"):
        shown = colors(tmp_path / f"{name}.png")
        assert hat in shown and skirt not in shown
    assert (tmp_path / "plain.png").read_bytes() != (tmp_path / "whiskers.png").read_bytes()


def test_calibration_plot_shows_predicted_classes(tmp_path: Path) -> None:
    lines = [[0, 0.0, 0.0] if place < 3 else [10**place, place / 15, (place + 0.5) / 15] for place in range(15)]
    plots.calibration({"all": lines}, {"ece": 0.03, "ece_Hat": 0.2, "ece_Bag": 0.1}, tmp_path / "calibration.png")
    shown = colors(tmp_path / "calibration.png")
    hat, skirt = (tuple(PALETTE[NAMES.index(name)].tolist()) for name in ("Hat", "Skirt"))
    assert hat in shown and skirt not in shown


def test_only_significant_differences_are_coloured(tmp_path: Path) -> None:
    green, red = (0x1A, 0x7F, 0x4E), (0xC0, 0x39, 0x2B)
    found = {"mean_iou": 0.01, "iou_Hat": 0.1, "iou_Bag": -0.1}
    for shift, expected in ((0.05, {green, red}), (0.2, set())):
        bounds = {key: [value - shift, value + shift] for key, value in found.items()}
        plots.differences(found, bounds, ("one", "other"), tmp_path / "differences.png")
        assert colors(tmp_path / "differences.png") & {green, red} == expected


def test_photo_plot_has_a_row_per_example_and_a_legend(tmp_path: Path) -> None:
    doll = draw(2, 192, 128)
    unsure = np.where(doll.mask == 0, 255, doll.mask).astype(np.uint8)
    examples = [plots.Example(doll.image, unsure, doll.mask, f"doll {number}") for number in range(3)]
    plots.photos(examples, tmp_path / "three.png")
    plots.photos(examples[:1], tmp_path / "one.png")
    with Image.open(tmp_path / "three.png") as three, Image.open(tmp_path / "one.png") as one:
        assert three.width == one.width and three.height > 1.5 * one.height
    (shown,) = np.unique(doll.mask[doll.mask > 0])[:1]
    assert tuple(PALETTE[shown].tolist()) in colors(tmp_path / "three.png")  # in the legend
