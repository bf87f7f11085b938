"""Exported networks that classify by colour, in place of models whose weights are not available here."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper


MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def weights(colors: npt.ArrayLike, order: str = "RGB") -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Weights (C, 3) and biases (C,) of a 1x1 convolution whose largest output is the class of the nearest of C RGB
    colours, for pixels normalised by ImageNet's statistics, in the order RGB or BGR."""
    centers = np.asarray(colors, np.float64) / 255
    weight, bias = 2 * centers * STD, 2 * centers @ MEAN - (centers**2).sum(axis=1)
    return weight[:, :: 1 if order == "RGB" else -1].astype(np.float32), bias.astype(np.float32)


def write_onnx(
    path: Path, colors: npt.ArrayLike, size: int | None, order: str = "RGB", outputs: tuple[str, ...] = ("logits",)
) -> Path:
    """Write a network that reduces its input four times.

    The output `logits` or `fusion` is right, `parsing` has as many classes but finds only the last, `edge` has two.
    """
    weight, bias = weights(colors, order)
    count = len(bias)
    wrong = np.zeros_like(bias)
    wrong[-1] = 9
    nodes = [helper.make_node("AveragePool", ["input.1"], ["small"], kernel_shape=[4, 4], strides=[4, 4])]
    constants, made = [], []
    for name in outputs:
        channels = 2 if name == "edge" else count
        values = {"parsing": (np.zeros_like(weight), wrong)}.get(name, (weight, bias))
        for kind, value in zip("wb", values, strict=True):
            shaped = value[:channels].reshape((channels, 3, 1, 1) if kind == "w" else (channels,))
            constants.append(onnx.numpy_helper.from_array(shaped, f"{name}.{kind}"))
        nodes.append(helper.make_node("Conv", ["small", f"{name}.w", f"{name}.b"], [name]))
        made.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, None, None]))
    entry = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, size or "h", size or "w"])
    graph = helper.make_graph(nodes, "colors", [entry], made, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


class _Nested(torch.nn.Module):
    """SCHP's own form of output: [[parsing, fusion], [edge]]."""

    def __init__(self, colors: npt.ArrayLike, order: str) -> None:
        super().__init__()
        weight, bias = weights(colors, order)
        self.fusion = torch.nn.Conv2d(3, len(bias), 1)
        self.fusion.weight.data = torch.from_numpy(weight[..., None, None].copy())
        self.fusion.bias.data = torch.from_numpy(bias)

    def forward(self, pixels: torch.Tensor) -> list[list[torch.Tensor]]:
        fusion = self.fusion(torch.nn.functional.avg_pool2d(pixels, 4))
        return [[torch.zeros_like(fusion), fusion], [fusion[:, :2]]]


def write_torchscript(path: Path, colors: npt.ArrayLike, order: str) -> Path:
    """Write the same network in SCHP's own form."""
    torch.jit.save(torch.jit.script(_Nested(colors, order).eval()), str(path))
    return path
