"""clothseg-lite: architecture, ImageNet weights, and saving and loading like any transformers model."""

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForSemanticSegmentation

from clothseg.labels import ID2LABEL
from clothseg.models.clothseg_lite import VARIANTS, LiteConfig, LiteForSemanticSegmentation, scaled_stages
from clothseg.training.model import imagenet_weights


def model_of(variant: str) -> LiteForSemanticSegmentation:
    torch.manual_seed(0)
    return LiteForSemanticSegmentation(LiteConfig.of(variant, id2label=ID2LABEL)).eval()


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_have_a_quarter_of_the_input_size(variant: str) -> None:
    logits = model_of(variant)(torch.randn(2, 3, 96, 64)).logits
    assert logits.shape == (2, 18, 24, 16)


def test_scaled_stages_equal_the_published_ones() -> None:
    assert [stage[-1] for stage in scaled_stages(*VARIANTS["lite0"])] == [16, 24, 40, 80, 112, 192, 320]
    assert [stage[-1] for stage in scaled_stages(*VARIANTS["lite2"])] == [16, 24, 48, 88, 120, 208, 352]
    assert [stage[0] for stage in scaled_stages(*VARIANTS["lite2"])] == [1, 3, 3, 4, 4, 5, 1]


def test_imagenet_weights_load_in_order() -> None:
    model, state = model_of("lite2"), imagenet_weights("lite2")
    model.load_imagenet(state)
    ours = model.encoder.state_dict()
    assert torch.equal(ours["stem.1.weight"], state["_conv_stem.weight"])
    last = "_blocks.20._bn2.running_var"  # the last tensor of the encoder: all before it lined up
    assert torch.equal(ours[[name for name in ours if name.endswith("running_var")][-1]], state[last])


def test_imagenet_features_are_not_shifted() -> None:
    """Wrong asymmetric padding shifts features: those of a centred dot must be centred."""
    model = model_of("lite2")
    model.load_imagenet(imagenet_weights("lite2"))
    blank = torch.zeros(1, 3, 128, 128)
    dot = blank.clone()
    dot[..., 56:72, 56:72] = 2.0
    with torch.no_grad():
        change = (model.encoder(dot)[1] - model.encoder(blank)[1]).abs().sum(dim=1)[0]
    places = torch.arange(16.0)
    assert abs((change.sum(dim=0) * places).sum() / change.sum() - 7.5) < 0.6
    assert abs((change.sum(dim=1) * places).sum() / change.sum() - 7.5) < 0.6


def test_round_trip_through_the_auto_classes(tmp_path: Path) -> None:
    model = model_of("lite0")
    model.save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).id2label == ID2LABEL
    again = AutoModelForSemanticSegmentation.from_pretrained(tmp_path)
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(pixels).logits, again(pixels).logits)


def test_half_precision_file_is_small_and_accurate(tmp_path: Path) -> None:
    model = model_of("lite2")
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = model(pixels).logits
    model.half().save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size < 13e6
    again = AutoModelForSemanticSegmentation.from_pretrained(tmp_path, dtype=torch.float32)
    with torch.no_grad():
        assert (again(pixels).logits - before).abs().max() < 0.02 * before.abs().max()


def test_loss_ignores_255() -> None:
    model, pixels = model_of("lite0"), torch.randn(1, 3, 64, 64)
    labels = torch.randint(0, 18, (1, 64, 64))
    half = labels.clone()
    half[:, 32:] = 255
    with torch.no_grad():
        outputs = model(pixels, labels=half)
        expected = torch.nn.functional.cross_entropy(
            torch.nn.functional.interpolate(outputs.logits, (64, 64), mode="bilinear")[:, :, :32], half[:, :32]
        )
    assert torch.allclose(outputs.loss, expected)


def test_drop_path_is_active_only_in_training() -> None:
    model, pixels = model_of("lite0"), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(pixels).logits, model(pixels).logits)
        model.train()
        assert not torch.equal(model(pixels).logits, model(pixels).logits)
