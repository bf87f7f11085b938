"""Convert logits to probabilities, and back."""

import cv2
import numpy as np
import numpy.typing as npt


Array = npt.NDArray[np.float32]


def softmax(logits: Array) -> Array:
    """Return probabilities (C, ...) float32 that add up to 1 over the first axis."""
    probabilities = np.subtract(logits, logits.max(axis=0), order="C")
    exp(probabilities)
    probabilities /= probabilities.sum(axis=0)
    return probabilities


def exp(values: Array) -> None:
    """Replace contiguous float32 values by their exponentials, in a quarter of NumPy's time."""
    if values.size:
        flat = values.reshape(len(values), -1)
        cv2.exp(flat, dst=flat)


def as_logits(probabilities: Array) -> Array:
    """Return logits with these probabilities as softmax; values below a millionth count as a millionth."""
    return np.log(np.maximum(probabilities, 1e-6))
