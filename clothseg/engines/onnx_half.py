"""Store the weights of an ONNX file in half the space: float16, converted back when the file is loaded.

The network still computes in float32. Each large initializer becomes float16 with a Cast node behind it; ONNX Runtime
computes these nodes once, when it prepares a session.
"""

from pathlib import Path

import numpy as np


LEAST = 256
"""Smaller tensors are not changed: biases, shapes and scales take hardly any space."""


def halve_weights(source: Path, target: Path) -> None:
    """Write a copy of an ONNX file with float16 weights.

    A tensor with values that float16 cannot hold stays float32.

    Raises:
        ImportError: onnx is not installed.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(source)
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < LEAST:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.isfinite(half).all():
            continue
        name = tensor.name
        stored = f"{name}_float16"
        tensor.CopyFrom(numpy_helper.from_array(half, stored))
        casts.append(helper.make_node("Cast", [stored], [name], name=f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, target)
