"""Whether the engine that will serve answers as PyTorch does: a look at one small input, when it is asked for."""

import numpy as np

from clothseg.errors import ModelError
from clothseg.models.loading import load
from clothseg.segmenter import Segmenter


TOLERANCE = {"exact": 1e-3, "fast": 0.1}
"""Most that logits may differ, as a share of the largest, by precision: rounding makes 1e-6 and, in bfloat16, 1e-2."""


def self_check(segmenter: Segmenter, name: str | None, precision: str = "exact") -> float:
    """Compare an engine with transformers' own model, loaded anew and computed in float32 without any rewriting.

    Args:
        segmenter: whose engine to look at.
        name: what it was loaded from: a Hub name, a folder, or None for the embedded model.
        precision: what was asked of the engine.

    Returns:
        The largest difference of two logits, as a share of the largest logit.

    Raises:
        ModelError: they differ by more than `TOLERANCE`, or PyTorch's are not finite.
    """
    import torch

    from clothseg.engines.conversion import example

    model, pixels = load(name, segmenter.revision).model.eval(), example(96, 64)
    with torch.inference_mode():
        expected = model(pixel_values=pixels).logits.numpy()
    if not np.isfinite(expected).all():
        raise ModelError(f"Self-check: {segmenter.name} does not answer with finite numbers; its weights are broken.")
    found = segmenter.engine(pixels.numpy())
    share = float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max()))
    if not share <= TOLERANCE[precision]:  # also where it is not a number
        raise ModelError(
            f"Self-check: {type(segmenter.engine).__name__} gives {segmenter.name} other logits than PyTorch (they "
            f"differ by {share:.2g} of the largest; {TOLERANCE[precision]:g} is allowed). Set "
            "CLOTHSEG_PRECISION=exact and CLOTHSEG_ENGINE=torch, and remove the folder that CLOTHSEG_CACHE names."
        )
    return share
