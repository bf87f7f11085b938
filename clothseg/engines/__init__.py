"""What runs the network. Everything around it works on numpy arrays and does not care which engine it is."""

from typing import Protocol

import numpy as np
import numpy.typing as npt


class Engine(Protocol):
    """A loaded network. It need not be safe for calls from several threads at once: `Segmenter` takes turns."""

    def __call__(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Normalised RGB pixels (N, 3, h, w) float32 to logits (N, 18, h / 4, w / 4) float32."""
        ...
