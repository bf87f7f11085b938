"""The folded decode head equals SegFormer's, forwards and backwards."""

import copy

import pytest
import torch
from torch import nn
from transformers import AutoModelForSemanticSegmentation, SegformerConfig, SegformerForSemanticSegmentation
from transformers.models.segformer.modeling_segformer import SegformerDecodeHead

from clothseg.models.clothseg_lite import LiteConfig
from clothseg.models.decode_head import FoldedDecodeHead, FrozenDecodeHead, fuse_for_inference


def heads() -> tuple[SegformerDecodeHead, FoldedDecodeHead]:
    sizes = {"decoder_hidden_size": 24, "hidden_sizes": [4, 6, 8, 10], "num_labels": 18}
    config = SegformerConfig(**sizes, classifier_dropout_prob=0)
    torch.manual_seed(0)
    stock, folded = SegformerDecodeHead(config).double(), FoldedDecodeHead(config).double()
    folded.load_state_dict(stock.state_dict())
    return stock, folded


def features(height: int, width: int) -> list[torch.Tensor]:
    torch.manual_seed(1)
    sizes = [(4, 1), (6, 2), (8, 4), (10, 8)]
    return [torch.randn(2, channels, -(-height // by), -(-width // by)).double() for channels, by in sizes]


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (24, 16), (17, 9)])
def test_folded_head_equals_the_original(height: int, width: int, training: bool) -> None:
    stock, folded = (head.train(training) for head in heads())
    maps = features(height, width)
    expected, found = stock(maps), folded(maps)
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)

    expected.square().sum().backward()
    found.square().sum().backward()
    for (name, theirs), ours in zip(stock.named_parameters(), folded.parameters(), strict=True):
        # before a batch norm in training, the projections' biases have zero gradients except for rounding
        scale = theirs.grad.abs().max().clamp(min=1e-6)
        assert (theirs.grad - ours.grad).abs().max() < 1e-7 * scale.clamp(min=1), name


def stir(model: nn.Module) -> nn.Module:
    """Randomise batch norms as after training: statistics and scales, some of them negative."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.3, 3)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return model


@pytest.mark.parametrize(("height", "width"), [(16, 16), (24, 16), (17, 9)])
def test_frozen_head_absorbs_batch_norm_exactly(height: int, width: int) -> None:
    stock, folded = (head.eval() for head in heads())
    stir(stock)
    folded.load_state_dict(stock.state_dict())
    maps = features(height, width)
    expected, found = stock(maps), FrozenDecodeHead(folded)(maps)
    assert expected.std() > 0.01
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)


def models() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    sizes = {"hidden_sizes": [8, 16, 24, 32], "num_attention_heads": [1, 1, 2, 2], "decoder_hidden_size": 32}
    segformer = SegformerConfig(depths=[1, 1, 1, 1], num_labels=18, **sizes)
    lite = LiteConfig.of("lite0", num_labels=18, decoder_hidden_size=16)
    return {
        "segformer": SegformerForSemanticSegmentation(segformer),
        "clothseg-lite": AutoModelForSemanticSegmentation.from_config(lite),
    }


@pytest.mark.parametrize("name", ["segformer", "clothseg-lite"])
def test_frozen_models_give_equal_logits_without_batch_norms(name: str) -> None:
    model = stir(models()[name]).double().eval()
    pixels = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        expected = model(pixel_values=pixels).logits
        frozen = fuse_for_inference(copy.deepcopy(model))
        found = frozen(pixel_values=pixels).logits
    assert (found - expected).abs().max() < 1e-10 * expected.abs().max()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in frozen.modules())
    assert not any(parameter.requires_grad for parameter in frozen.parameters())


def test_freezing_is_idempotent() -> None:
    frozen = fuse_for_inference(models()["clothseg-lite"])
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    after = fuse_for_inference(frozen).state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
