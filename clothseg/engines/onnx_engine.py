"""The ONNX Runtime engine, for machines without OpenVINO; computes in float32 only."""

import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clothseg.engines.base import Engine
from clothseg.engines.cache import converted
from clothseg.engines.onnx_session import open_session
from clothseg.models.loading import LoadedModel


PREPARED = 2
"""Number of input sizes kept prepared; each has a copy of the weights and its own buffers."""


class OnnxEngine(Engine):
    """A network exported to ONNX, run on the CPU by ONNX Runtime.

    A session is prepared for each new size of photo (0.1 s), because a graph with known shapes is up to a quarter
    faster. Photos of a batch are computed one by one, which needs the memory of one and is not slower. The export
    needs PyTorch and is kept on disk.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        """Export a model, or read an earlier export.

        Raises:
            ImportError: onnxruntime is not installed, or onnx where the model is yet to be exported.
            ModelError: the model cannot be exported.
        """
        import onnxruntime  # noqa: F401 - its absence shows here, not with the first photo

        packages = ("onnx", "onnxruntime", "torch", "transformers")
        self._file = converted(
            "onnx", loaded.digest, packages, lambda folder: _export(loaded, folder / "model.onnx"), _read
        )
        self._prepared = lru_cache(maxsize=PREPARED)(self._prepare)
        self._turn = threading.Lock()
        self._process = os.getpid()

    def __call__(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if os.getpid() != self._process:  # forked: the sessions' threads do not exist here; waiting would block
            self._inherited, self._prepared = self._prepared, lru_cache(maxsize=PREPARED)(self._prepare)
            self._process, self._turn = os.getpid(), threading.Lock()
        with self._turn:
            session = self._prepared(*pixels.shape[2:])
            return np.concatenate([session.run(None, {"pixel_values": photo[None]})[0] for photo in pixels])

    def _prepare(self, height: int, width: int) -> Any:
        return open_session(self._file, {"batch": 1, "height": height, "width": width})


def _read(folder: Path) -> bytes:
    return (folder / "model.onnx").read_bytes()


def _export(loaded: LoadedModel, path: Path) -> None:
    from clothseg.engines.conversion import Network, export_onnx

    network = Network(loaded.model, None if loaded.any_size else loaded.input_size)
    export_onnx(network, path, loaded.name)
