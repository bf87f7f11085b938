"""The protocol of all engines. Code around an engine works on arrays and does not depend on the engine."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt


if TYPE_CHECKING:
    from PIL import Image


class Engine(Protocol):
    """A loaded network. Subclasses need only `__call__`; the rest has defaults.

    It need not be thread-safe: `Segmenter` serialises its calls.

    Attributes:
        streams: the same network for several calls at once, each slower but faster in total; None if not available.
    """

    streams: "StreamEngine | None" = None

    def __call__(self, pixels: Any) -> Any:
        """Compute logits (N, 18, h / 4, w / 4) float32 of normalised RGB pixels (N, 3, h, w) float32.

        For a list of results of `preprocess`, return a tensor on the engine's device, where
        `clothseg.postprocess.pipeline` draws label maps.
        """
        ...

    def preprocess(
        self, photo: "Image.Image", size: tuple[int, int], resample: int, values: npt.NDArray[np.float32]
    ) -> Any:
        """Return the network's input for an RGB photo, a tensor (1, 3, h, w) made on the engine's device.

        Args:
            photo: RGB.
            size: (h, w) to resize to.
            resample: PIL's filter.
            values: (3, 256), the network's value for each level of a channel.

        Returns:
            None if `Segmenter.pixels` should do this.
        """
        return None


class StreamEngine(Engine, Protocol):
    """A thread-safe engine.

    Attributes:
        count: number of calls that run at once; others wait.
    """

    count: int


class FunctionEngine(Engine):
    """An engine that calls a function from pixels to logits."""

    def __init__(self, function: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> None:
        """Wrap a function."""
        self._function = function

    def __call__(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return self._function(pixels)


def as_engine(engine: Engine | Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> Engine:
    """Return an engine unchanged; wrap a function into one."""
    # Not isinstance, which would evaluate `streams` for a protocol.
    return cast(Engine, engine) if Engine in type(engine).__mro__ else FunctionEngine(engine)
