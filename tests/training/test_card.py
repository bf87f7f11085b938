"""The model card: true licence, own figures, no secrets; and the pictures beside it."""

from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard, ModelCardData
from PIL import Image

from clothseg.labels import NAMES
from clothseg.training import plots
from clothseg.training.card import APACHE, NVIDIA, OWN, licence_of, without_token, write_card
from clothseg.training.config import parse_arguments
from clothseg.training.metrics import summarize
from clothseg.training.model import build_model


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 50, (18, 18)) + np.diag(rng.integers(100, 900, 18))
    matrix[7] = 0  # no Dress in these photos, though some was predicted
    return summarize(matrix)


@pytest.mark.parametrize(
    ("argv", "kept"),
    [
        (["--push_to_hub", "--hub_token", "hf_secret", "--seed", "1"], ["--push_to_hub", "--seed", "1"]),
        (["--hub_token=hf_secret", "--seed", "1"], ["--seed", "1"]),
        (["--seed", "1", "--hub_token", "hf_secret"], ["--seed", "1"]),
        (["--seed", "1"], ["--seed", "1"]),
    ],
)
def test_token_never_gets_into_the_card(argv: list[str], kept: list[str]) -> None:
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


def test_card_states_figures_recipe_and_licence(figures: dict[str, float], tiny_model: Path, tmp_path: Path) -> None:
    argv = ["--output_dir", str(tmp_path / "run"), "--hub_token", "hf_secret", "--image_size", "64", "--seed", "7"]
    parsing, training = parse_arguments(argv)
    write_card(
        tmp_path,
        repo_id="user/name",
        model=build_model(str(tiny_model)),
        parsing=parsing,
        training=training,
        figures=figures,
        network_figures=figures,
        rows=(17600, 106),
        dataset_commit="0123abc",
        argv=argv,
        epochs=6.0,
        seconds=90,
    )
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.license == "other" and card.data.license_name == "nvidia-segformer"
    assert card.data.base_model == "nvidia/mit-b2" and card.data.datasets == ["mattmdjaga/human_parsing_dataset"]
    results = {result.metric_type: result for result in card.data.eval_results}
    assert results["mean_iou"].metric_value == round(figures["mean_iou"], 4)
    assert results["mean_iou"].dataset_revision == "0123abc"
    text = card.text
    assert f"| mean IoU | {figures['mean_iou']:.3f} |" in text and "106 photos" in text and "0123abc" in text
    assert f"| Hat | {figures['accuracy_Hat']:.3f} | {figures['iou_Hat']:.3f} |" in text
    assert "| Dress | not in these photos | 0.000 |" in text
    assert "17600 photos, 6 epochs in batches of 8, seed 7" in text and "1.5 minutes" in text
    assert "hf_secret" not in card.content and "--image_size 64" in text
    assert "{{" not in card.content and "{%" not in card.content


def test_plots_are_pictures(figures: dict[str, float], tmp_path: Path) -> None:
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
