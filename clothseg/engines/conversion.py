"""Convert a PyTorch network for other libraries, and check the result."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from clothseg.errors import ModelError
from clothseg.models.decode_head import fuse_for_inference


TOLERANCE = 1e-3
"""Largest allowed difference of a converted network's logits, as a share of the largest; rounding alone makes about
1e-6."""


class Network(nn.Module):
    """A model with tensors as input and output, rewritten for inference in place (see
    `clothseg.models.decode_head.fuse_for_inference`)."""

    def __init__(self, model: nn.Module, only_size: tuple[int, int] | None = None) -> None:
        """Rewrite a model.

        Args:
            model: of transformers.
            only_size: (h, w) of its input if it takes no other; None for any.
        """
        super().__init__()
        self.only_size = only_size
        self.model = fuse_for_inference(model)
        self.eval()

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Compute logits (N, classes, h, w) of pixels (N, 3, H, W)."""
        return self.model(pixel_values=pixel_values).logits


def example(height: int = 64, width: int = 96, batch: int = 1) -> torch.Tensor:
    """Return pixels (N, 3, h, w) float32 like those of a normalised photo: smooth coloured patches, the same in every
    run."""
    generator = torch.Generator().manual_seed(0)
    patches = torch.randn(batch, 3, 8, 8, generator=generator)
    return nn.functional.interpolate(patches, size=(height, width), mode="bilinear", align_corners=False)


Run = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


def check(network: Network, converted: Run, name: str, library: str) -> None:
    """Compare a converted network with PyTorch's, at another size than that of the conversion.

    Raises:
        ModelError: they differ, or PyTorch's logits are not finite.
    """
    pixels = example(*network.only_size or (96, 64))
    with torch.inference_mode():
        expected = network(pixels).numpy()
    if not np.isfinite(expected).all():
        raise ModelError(f"{name} does not return finite logits: its weights are broken.")
    found = converted(pixels.numpy())
    largest = max(1.0, float(np.abs(expected).max()))
    if found.shape != expected.shape or not np.abs(found - expected).max() <= TOLERANCE * largest:
        raise ModelError(f"{name} gives other results after conversion to {library}; use engine='torch'.")


@contextlib.contextmanager
def converting(name: str, library: str) -> Iterator[None]:
    """Silence the tracers' warnings and turn errors of any kind into one of ours."""
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            yield
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{name} cannot be converted to {library}; use engine='torch'.") from error


def export_onnx(network: Network, path: Path, name: str) -> None:
    """Write a network to one ONNX file and check it: input `pixel_values`, output `logits`, any batch and any size.

    Raises:
        ImportError: onnx or onnxruntime is not installed.
        ModelError: the network cannot be exported, or the file gives other results.
    """
    import onnx  # noqa: F401 - torch needs it, and would wrap its absence

    from clothseg.engines.onnx_session import open_session

    with converting(name, "ONNX"):
        torch.onnx.export(
            network,
            (example(*network.only_size or (64, 96), batch=2),),
            str(path),
            # The tracing exporter: its graph is as fast as the other exporter's, but takes seconds, not a minute.
            dynamo=False,
            opset_version=17,
            input_names=["pixel_values"],
            output_names=["logits"],
            dynamic_axes={
                "pixel_values": {0: "batch", 2: "height", 3: "width"},
                "logits": {0: "batch", 2: "logits_height", 3: "logits_width"},
            },
        )
    session = open_session(path)
    check(network, lambda pixels: session.run(None, {"pixel_values": pixels})[0], name, "ONNX")
