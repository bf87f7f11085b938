"""The model card: correct licence, measured figures, no secrets; and its plots."""

from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard, ModelCardData
from PIL import Image

from clothseg.labels import NAMES
from clothseg.training.arguments import parse_arguments
from clothseg.training.evaluation import scoring
from clothseg.training.evaluation.scoring import Scores
from clothseg.training.model import build_model
from clothseg.training.publish import plots
from clothseg.training.publish.card import (
    APACHE,
    NVIDIA,
    OWN,
    confusions,
    groups,
    licence_of,
    without_token,
    write_card,
)


@pytest.fixture(scope="module")
def scores() -> Scores:
    """Scores of six photos without a Dress (some was predicted) and with many belts confused with upper clothes."""
    rng = np.random.default_rng(0)
    matrices = rng.integers(0, 50, (6, 18, 18)) + np.diag(rng.integers(100, 900, 18))
    matrices[:, NAMES.index("Dress")] = 0
    matrices[:, NAMES.index("Belt"), NAMES.index("Upper-clothes")] += 2000
    boundary = rng.random((6, 2, 18))
    histograms = np.stack([np.full((6, 15), 10.0), np.full((6, 15), 6.0), np.full((6, 15), 7.0)], axis=-1)
    ids = [str(number) for number in range(6)]
    plain = matrices + 20  # a little worse everywhere
    return Scores(ids, matrices, matrices, boundary, histograms, rng.random((18, 15, 3)), plain)


@pytest.fixture(scope="module")
def figures(scores: Scores) -> dict[str, float]:
    return scoring.report(scores, resamples=50)["own_size"]


@pytest.mark.parametrize(
    ("argv", "kept"),
    [
        (["--push_to_hub", "--hub_token", "hf_secret", "--seed", "1"], ["--push_to_hub", "--seed", "1"]),
        (["--hub_token=hf_secret", "--seed", "1"], ["--seed", "1"]),
        (["--seed", "1", "--hub_token", "hf_secret"], ["--seed", "1"]),
        (["--seed", "1"], ["--seed", "1"]),
    ],
)
def test_token_is_removed_from_the_command_line(argv: list[str], kept: list[str]) -> None:
    assert without_token(argv) == kept


def test_licence_follows_the_weights(tiny_model: Path, tmp_path: Path) -> None:
    segformer, lite = build_model(str(tiny_model)), build_model("lite2", from_scratch=True)
    assert licence_of("nvidia/mit-b2", False, segformer) == NVIDIA
    assert licence_of("nvidia/mit-b2", True, segformer) == OWN
    assert licence_of(str(tiny_model), False, segformer) == NVIDIA  # a SegFormer without a card: the careful guess
    assert licence_of("lite2", False, lite) == APACHE
    card = ModelCard.from_template(ModelCardData(license="mit"), template_str="---\n{{ card_data }}\n---\n")
    card.save(tmp_path / "README.md")
    assert licence_of(str(tmp_path), False, lite).identifier == "mit"
    assert licence_of(str(tmp_path), False, segformer) == NVIDIA  # whatever a card says: NVIDIA's terms pass on


def test_card_contains_figures_recipe_and_licence(scores: Scores, tiny_model: Path, tmp_path: Path) -> None:
    report = scoring.report(scores, resamples=50)
    figures = report["own_size"]
    argv = ["--output_dir", str(tmp_path / "run"), "--hub_token", "hf_secret", "--image_size", "64", "--seed", "7"]
    parsing, training = parse_arguments(argv)
    write_card(
        tmp_path,
        repo_id="user/name",
        model=build_model(str(tiny_model)),
        parsing=parsing,
        training=training,
        report=report,
        matrix=scores.own_size.sum(axis=0),
        rows=(17600, 106),
        dataset_commit="0123abc",
        argv=argv,
        epochs=6.0,
        seconds=90,
        split={"reported": "validation", "skipped": 3, "straddling_groups": 2},
        averaged=False,
        resumed=(212, 704),
        log=[
            {"epoch": 0.09, "step": 200, "loss": 1.5, "learning_rate": 9.6e-5},
            {"epoch": 0.09, "step": 200, "eval_loss": 1.25, "eval_mean_iou": 0.25, "eval_mean_accuracy": 0.5}
            | {"eval_overall_accuracy": 0.75},
        ],
    )
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.license == "other" and card.data.license_name == "nvidia-segformer"
    assert card.data.base_model == "nvidia/mit-b2" and card.data.datasets == ["mattmdjaga/human_parsing_dataset"]
    results = {result.metric_type: result for result in card.data.eval_results}
    plain = report["plain"]  # figures of transformers' pipeline
    assert plain["mean_iou"] < figures["mean_iou"]
    assert results["mean_iou"].metric_value == round(plain["mean_iou"], 4)
    assert "plain transformers" in results["mean_iou"].dataset_name
    assert results["mean_iou"].dataset_revision == "0123abc"
    text = card.text
    totals = next(line for line in text.splitlines() if line.startswith("| mean IoU |")).split("|")
    assert totals[2].startswith(f" {plain['mean_iou']:.3f} (") and totals[3].startswith(
        f" {figures['mean_iou']:.3f} ("
    )
    assert "106 photos" in text and "0123abc" in text
    assert f"| Hat | {figures['accuracy_Hat']:.3f} | {figures['iou_Hat']:.3f} (" in text
    assert "| Dress | not in these photos | 0.000 (0.000–0.000) |" in text
    assert "Belt for Upper-clothes 7" in text and "by 10.0 percentage points" in text
    assert "3 rows could not be trained on and were left out" in text and "2 groups by perceptual hash" in text
    assert "moving average" not in text
    assert str(tmp_path) not in card.content and "--output_dir run" in text
    assert "17600 photos, 6 epochs in batches of 8, seed 7" in text and "1.5 minutes" in text
    assert "| epoch | iteration | training loss | validation loss | mIoU | mean accuracy | overall accuracy |" in text
    assert "\n| 0.09 | 200 | 1.5000 | 1.2500 | 0.2500 | 0.5000 | 0.7500 | 9.60e-05 |\n" in text
    assert "CPU core" in text and "in float32" in text and "for the last 212 of 704 steps" in text
    assert "hf_secret" not in card.content and "--image_size 64" in text
    assert "{{" not in card.content and "{%" not in card.content


def test_group_means_skip_absent_classes() -> None:
    found = {group.name: group for group in groups({"iou_Hair": 0.8, "iou_Face": 0.6, "iou_Hat": 0.3})}
    assert set(found) == {"head", "small and rare"}
    assert found["head"].mean_iou == pytest.approx(0.7) and found["head"].weakest == "Face"


def test_confusions_are_sorted_by_share_of_the_true_class() -> None:
    matrix = np.diag(np.full(18, 90))
    matrix[8, 4], matrix[7, 4], matrix[3, 11] = 210, 60, 2
    assert [(one.truth, one.prediction) for one in confusions(matrix)] == [
        ("Belt", "Upper-clothes"),
        ("Dress", "Upper-clothes"),
    ]
    assert confusions(matrix)[0].share == pytest.approx(0.7)


def test_plots_are_not_empty(figures: dict[str, float], tmp_path: Path) -> None:
    log = [
        {"epoch": 0.5, "loss": 2.0},
        {
            "epoch": 1.0,
            "eval_loss": 1.0,
            "eval_mean_iou": 0.1,
            "eval_mean_accuracy": 0.2,
            "eval_overall_accuracy": 0.3,
        },
    ]
    plots.learning_curves(log, tmp_path / "curves.png")
    plots.class_bars(figures, tmp_path / "bars.png")
    plots.confusion(np.eye(len(NAMES), dtype=np.int64), tmp_path / "confusion.png")
    for name in ("curves", "bars", "confusion"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.width > 500 and len(set(picture.convert("L").tobytes())) > 10
