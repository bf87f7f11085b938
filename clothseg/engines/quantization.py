"""Quantise a network to int8 after training, with NNCF; `clothseg.engines.int8` describes the file.

NNCF (Neural Network Compression Framework, of the OpenVINO project, Apache-2.0) collects the ranges of all activations
over calibration photos, and corrects biases for the mean error. Weights have a scale for each output channel.

Some layers stay in float. The first two convolutions: a photo has as many levels as int8, and rounding there causes
more than half of all pixels that change. Resizing, and the sums after it in the decode head: int8 gains nothing there,
since the values are converted back and forth.
"""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clothseg.engines.int8 import INT8_FACTS, INT8_FILE
from clothseg.errors import ModelError


if TYPE_CHECKING:
    from clothseg.models.loading import LoadedModel

FLOAT_CONVOLUTIONS = 2
"""Number of convolutions at the beginning that stay in float."""


def write_int8(
    loaded: "LoadedModel", source: Path, pixels: Sequence[npt.NDArray[np.float32]], folder: Path, **facts: Any
) -> None:
    """Write a model's int8 file and its facts.

    Args:
        loaded: the model.
        source: its ONNX file in float32, from `clothseg.engines.conversion.export_onnx`.
        pixels: inputs (1, 3, h, w) for calibration, a hundred or more.
        folder: of the model; gets `INT8_FILE` and `INT8_FACTS`.
        facts: further entries of the JSON file.

    Raises:
        ImportError: nncf, onnx or onnxruntime is not installed.
        ModelError: the network cannot be quantised.
    """
    import onnx

    from clothseg.images.atomic_files import atomic_path

    (folder / INT8_FILE).parent.mkdir(parents=True, exist_ok=True)
    made = quantize(onnx.load(source), pixels, loaded.model_type == "segformer", loaded.name)
    with atomic_path(folder / INT8_FILE) as path:
        onnx.save(made, path)
    facts = {"model": loaded.digest, "photos": len(pixels), "nncf": version("nncf")} | facts
    with atomic_path(folder / INT8_FACTS) as path:
        path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def quantize(model: Any, pixels: Sequence[npt.NDArray[np.float32]], transformer: bool, name: str) -> Any:
    """Return a quantised copy of an `onnx.ModelProto`; arguments and errors as for `write_int8`.

    Args:
        transformer: whether the network has attention layers.
    """
    import onnx

    with _without_telemetry():
        import nncf
        from nncf.common.logging.logger import set_log_level

        set_log_level(40)  # errors
    inputs = [{model.graph.input[0].name: each} for each in pixels]
    # NNCF places temporary files in the working directory otherwise.
    with tempfile.TemporaryDirectory(prefix="clothseg-") as workshop:
        copy = Path(workshop) / "model.onnx"
        onnx.save(model, copy)
        try:
            return nncf.quantize(
                onnx.load(copy),
                nncf.Dataset(inputs),
                subset_size=len(inputs),
                preset=nncf.QuantizationPreset.PERFORMANCE,
                model_type=nncf.ModelType.TRANSFORMER if transformer else None,
                ignored_scope=nncf.IgnoredScope(names=float_nodes(model, transformer)),
            )
        except Exception as error:
            raise ModelError(f"{name} cannot be quantised: {error}") from error


def float_nodes(model: Any, transformer: bool) -> list[str]:
    """Return the names of the nodes of an `onnx.ModelProto` that stay in float; arguments as for `quantize`."""
    nodes = list(model.graph.node)
    names = [node.name for node in nodes if node.op_type == "Conv"][:FLOAT_CONVOLUTIONS]
    if transformer:  # NNCF would place the scales of their channels before a transposition, along another axis
        names += [node.name for node in nodes if node.op_type == "Conv" and _groups(node) > 1]
    resized: set[str] = set()  # outputs of resizing, and of sums with them
    for node in nodes:  # in the order of computation
        if node.op_type == "Resize" or (node.op_type == "Add" and resized & set(node.input)):
            names.append(node.name)
            resized.update(node.output)
    return names


def _groups(convolution: Any) -> int:
    return next((int(attribute.i) for attribute in convolution.attribute if attribute.name == "group"), 1)


@contextlib.contextmanager
def _without_telemetry() -> Iterator[None]:
    """Keep NNCF from loading OpenVINO's telemetry, which would report the quantisation to Google Analytics."""
    name = "openvino_telemetry"
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
