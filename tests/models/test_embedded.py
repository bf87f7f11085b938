"""The embedded model is complete and small, equals transformers' results, and is accurate."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from app_server import ROOT
from huggingface_hub import ModelCard
from paper_dolls import draw
from PIL import Image
from safetensors import safe_open
from transformers import AutoImageProcessor, AutoModelForSemanticSegmentation

from clothseg import Segmenter
from clothseg.labels import mirror, swap_sides
from clothseg.models.loading import EMBEDDED
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits
from clothseg.training.evaluation.metrics import summarize
from clothseg.training.evaluation.scoring import score


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.from_pretrained()


def stock_labels(photos: list[Image.Image]) -> list[np.ndarray]:
    """Label maps from plain transformers."""
    processor = AutoImageProcessor.from_pretrained(EMBEDDED, backend="pil")
    model = AutoModelForSemanticSegmentation.from_pretrained(EMBEDDED, dtype=torch.float32).eval()
    maps = []
    for photo in photos:
        with torch.inference_mode():
            outputs = model(**processor(photo, return_tensors="pt"))
        size = [(photo.height, photo.width)]
        maps.append(processor.post_process_semantic_segmentation(outputs, target_sizes=size)[0].numpy())
    return maps


def assert_agreement(segmenter: Segmenter, photos: list[Image.Image]) -> None:
    for photo, expected in zip(photos, stock_labels(photos), strict=True):
        assert (segmenter(photo, edges="plain").label_map == expected).mean() >= 0.999


def test_embedded_weights_are_small_float16_safetensors() -> None:
    assert not [path for path in EMBEDDED.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".pkl")]
    assert sum(path.stat().st_size for path in EMBEDDED.iterdir()) < 13e6
    with safe_open(EMBEDDED / "model.safetensors", framework="pt") as weights:
        kinds = {weights.get_tensor(name).dtype for name in weights.keys()}
    assert kinds <= {torch.float16, torch.int64}


def test_card_states_licence_data_command_and_figures() -> None:
    card = ModelCard.load(EMBEDDED / "README.md")
    assert card.data.license == "apache-2.0"
    results = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert results["mean_iou"] >= 0.5
    text = " ".join(card.text.split())
    assert "CCP-as-ATR" in text and "make lite DATA=" in text and "seed 42" in text
    assert "minutes" in text and "CPU cores" in text


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_embedded_model_equals_transformers_on_dolls(seed: int, segmenter: Segmenter) -> None:
    assert_agreement(segmenter, [Image.fromarray(draw(seed, 640, 426).image)])


def test_embedded_model_is_accurate_on_real_samples(shared_data: Path, tmp_path: Path, segmenter: Segmenter) -> None:
    for split in ("train", "validation"):
        (tmp_path / f"{split}.parquet").symlink_to(shared_data / f"sample_{split}.parquet")
    rows = load_splits(str(tmp_path), None, 0.1, 0).validation
    assert_agreement(segmenter, [Image.fromarray(decode_row(row)[0]) for row in rows])
    figures = summarize(score(segmenter, rows).own_size.sum(axis=0))
    assert figures["overall_accuracy"] > 0.9 and figures["mean_iou"] > 0.45 and figures["side_accuracy"] > 0.9


def test_embedded_model_segments_the_example_photo(segmenter: Segmenter) -> None:
    """A real photo unlike the training photos: a half-length portrait in a suit, annotated by eye."""
    result = segmenter(ROOT / "examples" / "astronaut.jpg")
    assert result.label_map.shape == (512, 512)
    # In portraits cropped at the chest, the model may label part of a top as dress (a limit that the card states).
    places = {("Face",): (140, 225), ("Hair",): (60, 225), ("Upper-clothes", "Dress"): (420, 130)}
    for names, (row, column) in (places | {("Background",): (60, 330)}).items():
        assert result.mask(*names)[row - 6 : row + 7, column - 6 : column + 7].mean() > 0.9, names
    assert result.confidence["Face"] > 0.6


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_mirrored_photo_swaps_the_sides(seed: int, segmenter: Segmenter) -> None:
    """The mirrored photo gives nearly the mirrored label map with swapped sides."""
    photo = draw(seed, 640, 426).image
    there = segmenter(photo).label_map
    back = mirror(segmenter(np.ascontiguousarray(photo[:, ::-1])).label_map)
    assert (there == back).mean() > 0.9
    # without swapping, pixels of sided classes would disagree
    sided = (swap_sides(there) != there) & (swap_sides(back) != back)
    assert sided.any() and (there == back)[sided].mean() > 0.6 > (there == swap_sides(back))[sided].mean()


def test_embedded_model_result_is_json(segmenter: Segmenter) -> None:
    told = json.loads(segmenter(draw(2, 300, 200).image).to_json())
    assert told["model"] == "clothseg-lite" and (told["width"], told["height"]) == (200, 300)
    assert sum(found["share"] for found in told["classes"]) == pytest.approx(1, abs=1e-4)
