"""The folded head equals SegFormer's own, forwards and backwards."""

import pytest
import torch
from transformers import SegformerConfig
from transformers.models.segformer.modeling_segformer import SegformerDecodeHead

from clothseg.fold import FoldedDecodeHead


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
def test_equals_the_stock_head(height: int, width: int, training: bool) -> None:
    stock, folded = (head.train(training) for head in heads())
    maps = features(height, width)
    expected, found = stock(maps), folded(maps)
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)

    expected.square().sum().backward()
    found.square().sum().backward()
    for (name, theirs), ours in zip(stock.named_parameters(), folded.parameters(), strict=True):
        # the projections' biases have no gradient behind a batch norm in training: both are rounding
        scale = theirs.grad.abs().max().clamp(min=1e-6)
        assert (theirs.grad - ours.grad).abs().max() < 1e-7 * scale.clamp(min=1), name
