"""The PyTorch engine: runs a transformers model on a CPU or GPU."""

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

    The engine takes the model over: it moves it to the device and rewrites it for inference (see
    `clothseg.models.decode_head`), which gives the same logits up to rounding in 40 % of the time.

    Attributes:
        device: the device in use.

    Raises:
        ConfigError: "cuda" was requested and torch sees no GPU, or the device's name is unknown.
    """

    def __init__(self, model: PreTrainedModel, device: str = "auto", precision: str = "exact") -> None:
        """Take over a model.

        Args:
            model: a transformers model in float32.
            device: see `pick_device`.
            precision: "exact" computes in float32, on a GPU without TF32, which torch would allow; others in bfloat16
                if the device has instructions for it.
        """
        self.device = pick_device(device)
        self.fast = precision != "exact"
        # On CPUs this layout takes a fifth off SegFormer in float32 and half in bfloat16; tensor cores want it too.
        self.model = fuse_for_inference(model).to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.fast and has_bfloat16(self.device):
            keep_first_layers_exact(self.model)
            round_weights(self.model)

    def __call__(self, pixels: Any) -> Any:
        """Compute an array from an array, or, from a list of results of `preprocess`, a tensor that stays on the
        device."""
        with torch.inference_mode(), self._number_format():
            inputs = torch.cat(pixels) if isinstance(pixels, list) else upload(pixels, self.device)
            logits = self.model(pixel_values=inputs.contiguous(memory_format=torch.channels_last)).logits.float()
        return logits if isinstance(pixels, list) else logits.cpu().numpy()

    def preprocess(
        self, photo: Image.Image, size: tuple[int, int], resample: int, values: npt.NDArray[np.float32]
    ) -> torch.Tensor | None:
        """Prepare photos on a GPU; on a CPU, leave it to `Segmenter.pixels`."""
        return preprocess(photo, size, resample, values, self.device) if self.device.type == "cuda" else None

    def _number_format(self) -> contextlib.AbstractContextManager[object]:
        if self.fast:
            return torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device))
        return without_tf32() if self.device.type == "cuda" else contextlib.nullcontext()


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """Make GPUs compute convolutions and matrix products in float32, without TF32.

    This uses the settings that torch has had since 2.9. The older ones, such as `torch.backends.cudnn.flags`, have no
    effect if the newer ones allow TF32, as with transformers' `--tf32 true`, and raise an error at their second use.
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
    """Make the first two convolutions compute in float32 under autocast.

    bfloat16 has 8 bits, as many as a photo's colours. Rounding the normalised pixels to it causes half of the label
    pixels that clothseg-lite gets wrong.
    """
    convolutions = (module for module in model.modules() if isinstance(module, torch.nn.Conv2d))
    for convolution in islice(convolutions, 2):
        convolution.forward = partial(_in_float32, convolution.forward)  # type: ignore[method-assign]


def round_weights(model: torch.nn.Module) -> None:
    """Convert the weights of linear layers and convolutions, except the first two, to bfloat16 once and for all.

    Autocast would round them in each pass, with a separate kernel for each of hundreds of tensors.
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
    """Return whether the device computes in bfloat16 itself; emulation is many times slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def pick_device(device: str) -> torch.device:
    """Return the torch device for a name such as "cpu" or "cuda:1"; "auto" is the GPU if there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        picked = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"There is no device {device!r}; use auto, cpu or cuda.") from error
    if picked.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("torch finds no CUDA GPU; use device='cpu', or 'auto' to use the best available device.")
    return picked
