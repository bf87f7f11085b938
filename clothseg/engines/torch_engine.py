"""The PyTorch engine: runs a transformers model on the processor or a GPU."""

import contextlib
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from transformers import PreTrainedModel

from clothseg.engines.base import Engine
from clothseg.engines.device import preprocess, upload
from clothseg.errors import ConfigError
from clothseg.models.decode_head import FrozenDecodeHead, fuse_for_inference


class TorchEngine(Engine):
    """A semantic-segmentation model in evaluation mode on one device.

    The model is taken over: it is moved to the device and rewritten for inference (see
    `clothseg.models.decode_head`), which gives the same logits to rounding in 40 % of the time.

    Attributes:
        device: Where it runs.

    Raises:
        ConfigError: "cuda" was asked for and torch sees no GPU, or the device's name is unknown.
    """

    def __init__(self, model: PreTrainedModel, device: str = "auto", precision: str = "exact") -> None:
        """Take over a model.

        Args:
            model: a transformers model in float32.
            device: see `pick_device`.
            precision: "exact" computes in float32, on a GPU without the TF32 that torch allows there; "fast" in
                bfloat16 where the device has instructions for it.
        """
        self.device = pick_device(device)
        self.fast = precision == "fast"
        # On CPUs this layout takes a fifth off SegFormer in float32 and half in bfloat16; tensor cores want it too.
        self.model = fuse_for_inference(model).to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.fast and has_bfloat16(self.device):
            keep_first_layers_exact(self.model)
            round_weights(self.model)

    def __call__(self, pixels: Any) -> Any:
        """An array to an array; a list of what `preprocess` made to a tensor that stays on the device."""
        with torch.inference_mode(), self._number_format():
            inputs = torch.cat(pixels) if isinstance(pixels, list) else upload(pixels, self.device)
            logits = self.model(pixel_values=inputs.contiguous(memory_format=torch.channels_last)).logits.float()
        return logits if isinstance(pixels, list) else logits.cpu().numpy()

    def preprocess(
        self, photo: Image.Image, size: tuple[int, int], resample: int, values: npt.NDArray[np.float32]
    ) -> torch.Tensor | None:
        """On a GPU photos are prepared, and label maps drawn, there as well."""
        return preprocess(photo, size, resample, values, self.device) if self.device.type == "cuda" else None

    def _number_format(self) -> contextlib.AbstractContextManager[object]:
        if self.fast:
            return torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device))
        return without_tf32() if self.device.type == "cuda" else contextlib.nullcontext()


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """Have GPUs compute convolutions and matrix products in float32 itself.

    By the settings that torch has had since 2.9: the older ones, as of `torch.backends.cudnn.flags`, have no effect
    where the newer ones ask for TF32, as transformers' `--tf32 true` does, and raise an error at their second use.
    """
    cudnn: Any = torch.backends.cudnn
    settings = cudnn.conv, torch.backends.cuda.matmul
    before = [setting.fp32_precision for setting in settings]
    try:
        for setting in settings:
            setting.fp32_precision = "ieee"
        yield
    finally:
        for setting, precision in zip(settings, before, strict=True):
            setting.fp32_precision = precision


def keep_first_layers_exact(model: torch.nn.Module) -> None:
    """Have the first two convolutions compute in float32 under autocast.

    bfloat16 has 8 bits, as many as a photo's colours: rounding the normalised pixels to it costs clothseg-lite half of
    the label pixels that it gets wrong.
    """
    convolutions = (module for module in model.modules() if isinstance(module, torch.nn.Conv2d))
    for convolution in islice(convolutions, 2):
        convolution.forward = partial(_in_float32, convolution.forward)  # type: ignore[method-assign]


def round_weights(model: torch.nn.Module) -> None:
    """Have the weights of linear layers and convolutions in bfloat16 once and for all, the first two left alone.

    Autocast rounds them all the same, at each pass anew: a kernel of its own for each of hundreds.
    """
    exact = list(islice((module for module in model.modules() if isinstance(module, torch.nn.Conv2d)), 2))
    for module in model.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d | FrozenDecodeHead) and module not in exact:
            for parameter in module.parameters():
                parameter.data = parameter.data.to(torch.bfloat16)


def _in_float32(forward: Any, features: torch.Tensor) -> torch.Tensor:
    with torch.autocast(features.device.type, enabled=False):
        return forward(features.float())


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16, and does not emulate it many times slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def pick_device(device: str) -> torch.device:
    """ "auto" is the GPU where there is one; otherwise a name that torch knows, such as "cpu" or "cuda:1"."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        picked = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"There is no device {device!r}; use auto, cpu or cuda.") from error
    if picked.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("No CUDA GPU is visible to torch; use device='cpu', or 'auto' to take what there is.")
    return picked
