"""Check on request whether the engine that will serve agrees with PyTorch, on one small input."""

import numpy as np

from clothseg.errors import ModelError
from clothseg.models.loading import load
from clothseg.segmenter import Segmenter


TOLERANCE = {"exact": 1e-3, "fast": 0.1, "int8": 0.3}
"""Largest allowed difference of logits, as a share of the largest, by precision. Rounding makes 1e-6 and, in bfloat16,
1e-2."""


def self_check(segmenter: Segmenter, name: str | None, precision: str = "exact") -> float:
    """Compare an engine with transformers' own model, loaded separately and computed in float32 without rewriting.

    Args:
        segmenter: whose engine to check.
        name: what it was loaded from: a Hub name, a folder, or None for the embedded model.
        precision: the precision requested of the engine.

    Returns:
        The largest difference of two logits, as a share of the largest logit.

    Raises:
        ModelError: they differ by more than `TOLERANCE`, or PyTorch's are not finite.
    """
    import torch

    from clothseg.engines.conversion import example

    loaded = load(name, segmenter.revision)
    model, pixels = loaded.model.eval(), example(*(96, 64) if loaded.any_size else loaded.input_size)
    with torch.inference_mode():
        expected = model(pixel_values=pixels).logits.numpy()
    if not np.isfinite(expected).all():
        raise ModelError(f"Self-check: {segmenter.name} returns numbers that are not finite; its weights are broken.")
    found = segmenter.engine(pixels.numpy())
    share = float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max()))
    if not share <= TOLERANCE[precision]:  # also if it is NaN
        raise ModelError(
            f"Self-check: {type(segmenter.engine).__name__} gives {segmenter.name} other logits than PyTorch (they "
            f"differ by {share:.2g} of the largest; {TOLERANCE[precision]:g} is allowed). Set "
            "CLOTHSEG_PRECISION=exact and CLOTHSEG_ENGINE=torch, and remove the folder that CLOTHSEG_CACHE names."
        )
    return share
