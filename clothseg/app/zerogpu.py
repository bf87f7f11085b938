"""ZeroGPU: borrow a GPU for each pass of the network, on Spaces that offer it."""

import logging
import sys

import numpy as np
import numpy.typing as npt

from clothseg.app.i18n import tr
from clothseg.engines.base import Engine


logger = logging.getLogger(__name__)


SECONDS = 15
"""Seconds requested for each pass and checked against the visitor's quota; a pass takes far less."""


class ZeroGpuEngine(Engine):
    """An engine that computes on a borrowed GPU, or on the CPU if none is available.

    Create it before the app is launched: ZeroGPU takes the model's weights only then.
    """

    def __init__(self, gpu: Engine, cpu: Engine) -> None:
        """Combine two engines of the same model.

        Args:
            gpu: engine on "cuda"; runs in a process that ZeroGPU forks.
            cpu: engine on the CPU; runs in this process.
        """
        import spaces

        self._gpu = spaces.GPU(duration=SECONDS)(lambda pixels: gpu(pixels))
        self._cpu = cpu

    def __call__(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        try:
            return self._gpu(pixels)
        except Exception as error:  # no quota, no free GPU, a dead worker, an API that does not answer
            reason = getattr(error, "title", None) or type(error).__name__
            out_of_quota = "quota" in f"{reason} {error}".lower()
            if not out_of_quota:
                logger.warning("The borrowed GPU failed.", exc_info=error)
        import gradio as gr

        sys.stderr.write(f"No GPU for this photo ({reason}): computing on the CPU.\n")
        if out_of_quota:
            gr.Info(tr("Your GPU time is used up for now. This photo takes a little longer on the CPU."))
        else:
            gr.Info(tr("The GPU is not available just now. This photo takes a little longer on the CPU."))
        return self._cpu(pixels)
