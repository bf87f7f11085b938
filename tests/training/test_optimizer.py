"""Layer-wise learning rates: every parameter is in exactly one group, with the rate of its stage."""

from pathlib import Path

import pytest
from torch import nn

from clothseg.models.clothseg_lite import LiteConfig, LiteForSemanticSegmentation
from clothseg.training.model import build_model
from clothseg.training.optimizer import parameter_groups


@pytest.mark.parametrize("name", ["segformer", "lite"])
def test_learning_rates_decay_from_head_to_stem(name: str, tiny_model: Path) -> None:
    network: nn.Module = build_model(str(tiny_model))
    if name == "lite":
        network = LiteForSemanticSegmentation(LiteConfig.of("lite0"))
    names = {parameter: key for key, parameter in network.named_parameters()}
    decayed = [key for key in names.values() if key.endswith("weight")]
    groups = parameter_groups(
        network, decayed, learning_rate=0.8, weight_decay=0.01, encoder_scale=0.5, layer_decay=0.5
    )
    found = {names[parameter]: group for group in groups for parameter in group["params"]}
    assert len(found) == len(names) == sum(len(group["params"]) for group in groups)
    assert groups[0]["lr"] == 0.8  # the head's, which is logged
    last = 3 if name == "segformer" else 6
    for key, group in found.items():
        stage = next((index for index in range(last + 1) if f"stages.{index}." in key), -1)
        rate = 0.8 if "decode_head" in key else 0.4 * 0.5 ** (last - stage)
        assert group["lr"] == pytest.approx(rate), key
        assert group["weight_decay"] == (0.01 if key in decayed else 0)
    assert len({group["lr"] for group in groups}) == (5 if name == "segformer" else 9)
