"""Convert logits to probabilities, and back."""

import numpy as np
import numpy.typing as npt


Array = npt.NDArray[np.float32]


def softmax(logits: Array) -> Array:
    """Return probabilities (C, ...) float32 that add up to 1 over the first axis."""
    probabilities = np.exp(logits - logits.max(axis=0))
    probabilities /= probabilities.sum(axis=0)
    return probabilities


def as_logits(probabilities: Array) -> Array:
    """Return logits with these probabilities as softmax; values below a millionth count as a millionth."""
    return np.log(np.maximum(probabilities, 1e-6))
