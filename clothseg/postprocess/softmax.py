"""Logits to probabilities, and back."""

import numpy as np
import numpy.typing as npt


Array = npt.NDArray[np.float32]


def softmax(logits: Array) -> Array:
    """Probabilities (C, ...) float32 that add up to 1 over the first axis."""
    probabilities = np.exp(logits - logits.max(axis=0))
    probabilities /= probabilities.sum(axis=0)
    return probabilities


def as_logits(probabilities: Array) -> Array:
    """Logits whose softmax these probabilities are; what is below a millionth counts as that."""
    return np.log(np.maximum(probabilities, 1e-6))
