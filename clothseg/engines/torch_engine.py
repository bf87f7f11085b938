"""The PyTorch engine: runs a transformers model on the processor or a GPU."""

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel, SegformerForSemanticSegmentation

from clothseg.errors import ConfigError
from clothseg.fold import FoldedDecodeHead


class TorchEngine:
    """A semantic-segmentation model in evaluation mode on one device; an `Engine`.

    The model is taken over: it is moved to the device, and a SegFormer's decode head computes folded from now on,
    which gives the same logits to rounding in 40 % of the time.

    Raises:
        ConfigError: "cuda" was asked for and torch sees no GPU, or the device's name is unknown.
    """

    def __init__(self, model: PreTrainedModel, device: str = "auto") -> None:
        self.device = pick_device(device)
        if isinstance(model, SegformerForSemanticSegmentation):
            model.decode_head.__class__ = FoldedDecodeHead  # same parameters, another forward
        self.model = model.eval().to(self.device)

    def __call__(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            logits = self.model(pixel_values=torch.from_numpy(pixels).to(self.device)).logits
        return logits.float().cpu().numpy()


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
