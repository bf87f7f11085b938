"""Int8 files: where a model keeps its own, whether it belongs to the weights, and whether the CPU gains from it.

`clothseg.engines.quantization` makes them. A file is a complete ONNX network with int8 weights and the calibrated
ranges of its activations. It computes other results than the weights it was made from, so it is used only on request,
and only beside exactly these weights.
"""

import json
import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from clothseg.errors import ConfigError


if TYPE_CHECKING:
    from clothseg.models.loading import LoadedModel

INT8_FILE = "onnx/model_int8.onnx"
"""Path in a model's folder, as transformers.js expects it for `dtype: "int8"`."""

INT8_FACTS = "onnx/model_int8.json"
"""Path of a JSON file beside it; its entry `model` is the `LoadedModel.digest` that the file was made from."""

INT8_FILES = (INT8_FILE, INT8_FACTS)
"""Both."""

_VNNI = 23
"""OpenCV's number for AVX-512 VNNI; its Python module has no name for it."""

_log = logging.getLogger(__name__)


def find_int8_file(loaded: "LoadedModel") -> Path:
    """Return the path of a model's int8 file.

    Raises:
        ConfigError: there is none, or it was made from other weights.
    """
    folder = loaded.folder or Path()
    file = folder / INT8_FILE
    made = (
        "make it with: clothseg export MODEL --int8 --calibrate PHOTOS --out FOLDER, where FOLDER is the model's own "
        "folder and PHOTOS a folder of photos"
    )
    if loaded.notice and not file.is_file():
        raise ConfigError(
            f"precision='int8' needs the file {INT8_FILE} of {loaded.name}, which an earlier start did not download. "
            f"{loaded.notice} Try again later, or use precision='fast'."
        )
    if loaded.folder is None or not file.is_file():
        raise ConfigError(
            f"precision='int8' needs the file {INT8_FILE}, which {loaded.name} does not have. Use precision='fast', "
            f"or {made}."
        )
    try:
        model = json.loads((folder / INT8_FACTS).read_text(encoding="utf-8"))["model"]
    except (OSError, ValueError, KeyError, TypeError):
        model = None
    if model != loaded.digest:
        raise ConfigError(
            f"The file {INT8_FILE} of {loaded.name} was made from other weights. Use precision='fast', or {made}."
        )
    return file


def effective_precision(loaded: "LoadedModel", engine: str) -> str:
    """Return the precision for a request of "int8": "int8", or "fast" where int8 gains nothing, and the log says so.

    Args:
        loaded: the model.
        engine: the engine's name. ONNX Runtime takes twice as long in int8 as in float32.

    Raises:
        ConfigError: as `find_int8_file`, on any machine.
    """
    find_int8_file(loaded)
    if engine == "openvino" and has_vnni():
        return "int8"
    why = "this CPU has no VNNI" if engine == "openvino" else "only the OpenVINO engine is faster in int8"
    _log.warning("precision='int8' is replaced by 'fast': %s.", why)
    return "fast"


@cache
def has_vnni() -> bool:
    """Return whether the CPU has VNNI. Without it, int8 is hardly faster than float32, and sums may overflow."""
    import cv2

    if cv2.checkHardwareSupport(_VNNI):
        return True
    try:  # newer CPUs without AVX-512 have the same instructions in another form
        return "avx_vnni" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore").split()
    except OSError:
        return False
