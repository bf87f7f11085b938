"""Learning rates by depth: the head's, the encoder's, and lower ones for earlier stages."""

import re
from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


_STAGE = re.compile(r"\bstages\.(\d+)\.")


def parameter_groups(
    network: nn.Module,
    decayed: Iterable[str],
    *,
    learning_rate: float,
    weight_decay: float,
    encoder_scale: float,
    layer_decay: float,
) -> list[dict[str, Any]]:
    """Return parameter groups for a torch optimizer. The head's come first, since the Trainer logs the first group's
    rate.

    The head learns at `learning_rate`, the encoder's last stage at `encoder_scale` times that, and each earlier stage
    at `layer_decay` times the rate of the next one; the stem counts as the stage before the first. Early layers detect
    edges and colours, which differ little between tasks (discriminative fine-tuning in ULMFiT, Howard and Ruder, 2018;
    layer-wise decay in BEiT, Bao et al., 2021).

    Args:
        network: SegFormer or clothseg-lite: its head is `decode_head`, its encoder's stages are `stages.N`.
        decayed: names of the parameters that weight decay applies to.
        learning_rate: of the head.
        weight_decay: for the `decayed` parameters.
        encoder_scale: factor for the encoder's last stage.
        layer_decay: factor from each stage to the one before.
    """
    names = [name for name, _ in network.named_parameters() if "decode_head" not in name]
    last = max((int(found[1]) for name in names if (found := _STAGE.search(name))), default=0)
    decayed = set(decayed)
    groups: dict[tuple[bool, float, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            head, found = "decode_head" in name, _STAGE.search(name)
            stage = int(found[1]) if found else -1
            scale = 1.0 if head else encoder_scale * layer_decay ** (last - stage)
            groups.setdefault((head, scale, name in decayed), []).append(parameter)
    return [
        {"params": parameters, "lr": learning_rate * scale, "weight_decay": weight_decay if decay else 0.0}
        for (_, scale, decay), parameters in sorted(groups.items(), key=lambda group: group[0], reverse=True)
    ]


def exponential_schedule(optimizer: Optimizer, decay: float, warmup: int) -> LambdaLR:
    """Return a schedule that rises linearly from 0 over `warmup` steps, then multiplies the rate by `decay` at each
    step."""
    return LambdaLR(optimizer, lambda step: step / warmup if step < warmup else decay ** (step - warmup))
