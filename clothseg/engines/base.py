"""The protocol that all engines follow. Everything around an engine works on arrays and does not care which it is."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt


if TYPE_CHECKING:
    from PIL import Image


class Engine(Protocol):
    """A loaded network. Subclasses need `__call__` alone; the rest has defaults.

    It need not be safe for calls from several threads at once: `Segmenter` takes turns.

    Attributes:
        streams: the same network for several calls at once, each slower but all together faster; None if it has none.
    """

    streams: "StreamEngine | None" = None

    def __call__(self, pixels: Any) -> Any:
        """Normalised RGB pixels (N, 3, h, w) float32 to logits (N, 18, h / 4, w / 4) float32.

        A list of what `preprocess` returned gives a tensor on the engine's device, where
        `clothseg.postprocess.pipeline` draws label maps.
        """
        ...

    def preprocess(
        self, photo: "Image.Image", size: tuple[int, int], resample: int, values: npt.NDArray[np.float32]
    ) -> Any:
        """The network's input for an RGB photo, a tensor (1, 3, h, w) made on the engine's device.

        Args:
            photo: RGB.
            size: (h, w) to resize to.
            resample: PIL's filter.
            values: (3, 256), what each level of a channel is to the network.

        Returns:
            None where the engine leaves that to `Segmenter.pixels`.
        """
        return None


class StreamEngine(Engine, Protocol):
    """An engine that is safe for threads.

    Attributes:
        count: how many calls run at once; others wait.
    """

    count: int


class FunctionEngine(Engine):
    """A function from pixels to logits as an engine."""

    def __init__(self, function: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> None:
        """Wrap a function."""
        self._function = function

    def __call__(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return self._function(pixels)


def as_engine(engine: Engine | Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> Engine:
    """An engine as it is, or a function as one."""
    # Not isinstance: of a protocol it would evaluate `streams`.
    return cast(Engine, engine) if Engine in type(engine).__mro__ else FunctionEngine(engine)
