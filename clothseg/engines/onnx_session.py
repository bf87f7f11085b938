"""Sessions of ONNX Runtime."""

from pathlib import Path
from typing import Any


def open_session(model: bytes | Path, sizes: dict[str, int] | None = None) -> Any:
    """Return an `onnxruntime.InferenceSession` on the CPU.

    Args:
        model: path or bytes of the file.
        sizes: values for the model's named dimensions.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Waiting threads must sleep: spinning ones would take a core from other processes on a small machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, value in (sizes or {}).items():
        options.add_free_dimension_override_by_name(name, value)
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
