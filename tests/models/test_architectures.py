"""Every semantic segmentation architecture of transformers is supported, with labels other than ATR's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from paper_dolls import draw
from PIL import Image
from transformers import (
    ConvNextConfig,
    DPTConfig,
    DPTForSemanticSegmentation,
    DPTImageProcessorPil,
    EomtConfig,
    EomtForUniversalSegmentation,
    EomtImageProcessorPil,
    Mask2FormerConfig,
    Mask2FormerForUniversalSegmentation,
    Mask2FormerImageProcessorPil,
    MobileViTConfig,
    MobileViTForSemanticSegmentation,
    MobileViTImageProcessorPil,
    SegformerImageProcessorPil,
    SwinConfig,
    UperNetConfig,
    UperNetForSemanticSegmentation,
)

from clothseg import ModelError, Segmenter
from clothseg.self_check import self_check


NAMES = ("background", "hair", "face", "top", "left shoe", "right shoe", "zebra")
ID2LABEL = dict(enumerate(NAMES))
STAGES = ["stage1", "stage2", "stage3", "stage4"]


def upernet() -> tuple[Any, Any]:
    backbone = ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], out_features=STAGES)
    config = UperNetConfig(
        backbone_config=backbone, hidden_size=16, auxiliary_in_channels=24, auxiliary_channels=8, id2label=ID2LABEL
    )
    return UperNetForSemanticSegmentation(config), SegformerImageProcessorPil(size={"height": 96, "width": 64})


def dpt() -> tuple[Any, Any]:
    config = DPTConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=64,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 16, 16, 16],
        fusion_hidden_size=16,
        id2label=ID2LABEL,
    )
    return DPTForSemanticSegmentation(config), DPTImageProcessorPil(size={"height": 64, "width": 64})


def mobilevit() -> tuple[Any, Any]:
    sizes = {"hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 16, 16, 24, 32, 64]}
    config = MobileViTConfig(image_size=64, id2label=ID2LABEL, **sizes)
    return MobileViTForSemanticSegmentation(config), MobileViTImageProcessorPil()


def mask2former() -> tuple[Any, Any]:
    backbone = SwinConfig(embed_dim=16, depths=[1] * 4, num_heads=[1, 1, 2, 2], window_size=4, out_features=STAGES)
    config = Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        num_attention_heads=2,
        encoder_layers=1,
        decoder_layers=2,
        num_queries=10,
        encoder_feedforward_dim=16,
        dim_feedforward=16,
        id2label=ID2LABEL,
    )
    processor = Mask2FormerImageProcessorPil(size={"shortest_edge": 128, "longest_edge": 256})
    return Mask2FormerForUniversalSegmentation(config), processor


def eomt() -> tuple[Any, Any]:
    config = EomtConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=64,
        patch_size=16,
        num_queries=10,
        num_blocks=2,
        id2label=ID2LABEL,
    )
    return EomtForUniversalSegmentation(config), EomtImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 64})


SIZES = {upernet: (96, 64), dpt: (64, 64), mobilevit: (256, 256), mask2former: (128, 128), eomt: (64, 64)}
MODELS = tuple(SIZES)
CONVERSIONS = [(upernet, "openvino", True), (upernet, "onnx", False), (dpt, "openvino", True), (dpt, "onnx", True)]
"""Networks, engines, and whether the engine can convert the network without changing its results.

The engines check every network that they convert; these are the ones that take the least time.
"""


@pytest.fixture(scope="module", params=MODELS, ids=lambda make: make.__name__)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A factory of a model, and a folder with its random weights."""
    torch.manual_seed(0)
    model, processor = request.param()
    folder = tmp_path_factory.mktemp(request.param.__name__)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return request.param, folder


def test_architecture_runs_with_its_labels_and_size(made: tuple[Any, Path]) -> None:
    make, folder = made
    segmenter = Segmenter.from_pretrained(folder, device="cpu")
    assert segmenter.labels.names == NAMES and segmenter.image_size == SIZES[make]
    photo = Image.fromarray(draw(3, 120, 90).image)
    for options in ({}, {"tta": True}, {"people": "all", "rules": True}, {"exclude": "zebra", "back_view": "auto"}):
        result = segmenter(photo, **options)
        assert result.label_map.shape == (120, 90) and result.label_map.max() < len(NAMES)
        assert sum(result.areas.values()) == pytest.approx(1)
        assert "exclude" not in options or "zebra" not in result.areas
    assert self_check(segmenter, str(folder)) < 1e-3


def test_mask_classifier_equals_transformers_post_processing() -> None:
    from clothseg.models.architectures import MaskClassifier

    torch.manual_seed(0)
    model, processor = mask2former()
    pixels = torch.randn(1, 3, 384, 384)
    with torch.inference_mode():
        logits = MaskClassifier(model.eval())(pixel_values=pixels).logits
        (expected,) = processor.post_process_semantic_segmentation(model(pixel_values=pixels), [(96, 96)])
    assert logits.shape == (1, len(NAMES), 96, 96)
    assert (logits[0].argmax(0) == expected).float().mean() > 0.99


def test_pixels_equal_the_processor() -> None:
    """Includes a processor that reverses the channels."""
    from clothseg.models.preprocessing import NetworkInput

    processor = MobileViTImageProcessorPil(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})
    photo = Image.fromarray(draw(1, 64, 64).image)
    made = NetworkInput(processor)
    expected = processor(images=[photo], return_tensors="np")["pixel_values"]
    assert made.reversed and made.size == (64, 64)
    np.testing.assert_allclose(made([photo], (64, 64)), expected, atol=1e-6)


@pytest.mark.parametrize(("made", "engine", "convertible"), CONVERSIONS, indirect=["made"])
def test_conversion_is_verified_or_rejected(made: tuple[Any, Path], engine: str, convertible: bool) -> None:
    """A network gives the same logits after conversion, or is rejected with a remedy."""
    pytest.importorskip("onnxruntime" if engine == "onnx" else "openvino")
    _, folder = made
    photo = Image.fromarray(draw(3, 120, 90).image)
    if not convertible:
        with pytest.raises(ModelError, match="use engine='torch'"):
            Segmenter.from_pretrained(folder, engine=engine, device="cpu")
        return
    converted = Segmenter.from_pretrained(folder, engine=engine, device="cpu")
    plain = Segmenter.from_pretrained(folder, engine="torch", device="cpu")
    np.testing.assert_allclose(converted.logits([photo]), plain.logits([photo]), atol=1e-2)
