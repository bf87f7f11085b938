"""Engines compute logits from pixels. Builds the requested engine, or the fastest one installed for the device."""

import logging
import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from clothseg.engines import forking  # noqa: F401 - for what it registers
from clothseg.engines.base import Engine
from clothseg.engines.int8 import effective_precision
from clothseg.errors import ConfigError, ModelError, install_command


if TYPE_CHECKING:
    from clothseg.models.loading import LoadedModel

ENGINES = ("auto", "torch", "openvino", "onnx")
PRECISIONS = ("exact", "fast", "int8")

PACKAGES = {"openvino": ("openvino",), "onnx": ("onnxruntime", "onnx")}
"""Packages that the engines other than PyTorch need, the fastest first."""

CONVERTED = ("segformer", "clothseg-lite")
"""transformers' names of the architectures whose conversion is tested; "auto" uses PyTorch for others."""

_GPU_NODES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Device files of NVIDIA's driver, of AMD's, and of either in WSL."""

_log = logging.getLogger(__name__)


def build_engine(
    loaded: "LoadedModel", engine: str = "auto", precision: str = "exact", device: str = "auto"
) -> Engine:
    """Build the requested engine, or the fastest one installed for the device.

    Args:
        loaded: the model; PyTorch's engine takes it over.
        engine: one of `ENGINES`. "auto" is PyTorch on a GPU; on a CPU OpenVINO, else ONNX Runtime, else PyTorch.
        precision: one of `PRECISIONS`. "exact" computes in float32; "fast" in bfloat16 if device and engine support
            it; "int8" in int8 and bfloat16 with the model's int8 file, or as "fast" on a device that does not gain.
        device: "cpu", "cuda" or "auto": a GPU if there is one, unless the requested engine runs only on CPUs.

    Raises:
        ConfigError: an unknown value, an engine that is not installed, one that does not run on the device, or no int8
            file of these weights.
        ModelError: the requested engine cannot run the model.
    """
    for value, known, what in ((engine, ENGINES, "engine"), (precision, PRECISIONS, "precision")):
        if value not in known:
            raise ConfigError(f"There is no {what} {value!r}; use one of {', '.join(known)}.")
    if precision == "int8":
        if engine in ("torch", "onnx"):
            raise ConfigError(f"Only the openvino engine computes in int8, not {engine}; or use precision='fast'.")
        precision = effective_precision(loaded, quickest(loaded.model_type, device) if engine == "auto" else engine)
    if engine in PACKAGES:
        if device not in ("auto", "cpu"):
            raise ConfigError(f"The {engine} engine runs only on CPUs; use engine='torch' with device={device!r}.")
        if not all(map(find_spec, PACKAGES[engine])):
            cure = install_command("onnx") if engine == "onnx" else "pip install openvino"
            raise ConfigError(f"The {engine} engine is not installed: {cure}")
        return _converted(loaded, engine, precision)
    if engine == "auto":
        for name in _quicker(loaded.model_type, device):
            try:
                return _converted(loaded, name, precision)
            except (ModelError, ImportError, OSError, RuntimeError) as error:
                _log.warning("The %s engine cannot run this model: %s", name, error)
    from clothseg.engines.torch_engine import TorchEngine

    return TorchEngine(loaded.model, device, precision)


def quickest(model_type: str, device: str = "auto") -> str:
    """Return the engine that "auto" selects, if it can run the model; arguments as for `build_engine`."""
    return next(iter(_quicker(model_type, device)), "torch")


def _quicker(model_type: str, device: str) -> list[str]:
    """Return the installed engines that are faster than PyTorch, the fastest first."""
    if model_type not in CONVERTED or not _runs_on_cpu(device):
        return []
    return [name for name, packages in PACKAGES.items() if all(map(find_spec, packages))]


def _converted(loaded: "LoadedModel", engine: str, precision: str) -> Engine:
    if engine == "openvino":
        from clothseg.engines.openvino_engine import OpenVinoEngine, is_usable

        if is_usable():
            return OpenVinoEngine(loaded, precision)
        from clothseg.engines.torch_engine import TorchEngine

        return TorchEngine(loaded.model, "cpu", precision)
    from clothseg.engines.onnx_engine import OnnxEngine

    return OnnxEngine(loaded)


def _runs_on_cpu(device: str) -> bool:
    if device == "cpu":
        return True
    # Only torch knows for certain, but importing it takes a second, which is avoided on systems without any GPU.
    if sys.platform == "linux" and device == "auto" and not any(os.path.exists(node) for node in _GPU_NODES):
        return True
    from clothseg.engines.torch_engine import pick_device

    return pick_device(device).type == "cpu"
