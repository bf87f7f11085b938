"""Learning rates by depth: the head's, the encoder's, and less from stage to stage towards the picture."""

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
    """Parameter groups for a torch optimizer, head first: the rate that the Trainer logs is the first group's.

    The head learns at `learning_rate`, the encoder's last stage at `encoder_scale` of it, and each stage before that
    at `layer_decay` of the next one's, the stem as the stage before the first. Early layers see edges and colours,
    which change little from task to task (ULMFiT's discriminative fine-tuning, Howard and Ruder, 2018; BEiT's
    layer-wise decay, Bao et al., 2021).

    Args:
        network: SegFormer or clothseg-lite: its head is `decode_head`, its encoder's stages are `stages.N`.
        decayed: names of the parameters that weight decay applies to.
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
    """A learning rate that rises over `warmup` steps from 0 and is then multiplied by `decay` at each step."""
    return LambdaLR(optimizer, lambda step: step / warmup if step < warmup else decay ** (step - warmup))
