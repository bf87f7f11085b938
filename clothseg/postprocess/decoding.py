"""Decode the logits of one pass: rules on legs and sides, then labels at the photo's own size, on a CPU or a GPU."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ModelError
from clothseg.labels import ATR, LabelSet
from clothseg.postprocess.back_view import swap_sides, swap_sides_if_back_view
from clothseg.postprocess.cleanup import without_legs
from clothseg.postprocess.evidence import Evidence, as_evidence
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.guided_edges import follow_edges
from clothseg.postprocess.upsample import winners, winning_probability
from clothseg.postprocess.zoom_crop import confidences


if TYPE_CHECKING:
    import torch

Logits = Union[npt.NDArray[np.float32], "torch.Tensor"]
"""Logits of a photo, (18, h, w) float32. A GPU's engine gives a tensor, and label maps are computed on the GPU."""

EXCLUDED = -1e4
"""Logit of a class that is known not to be in the photo."""

_log = logging.getLogger(__name__)


class Prediction(NamedTuple):
    """The result for a photo.

    Attributes:
        label_map: (H, W) uint8 class ids.
        confidence: (18,) float64, each class's mean probability over its pixels, 0 for absent classes.
        probability: (h, w) uint8, a grid over the photo; 255 times the winner's probability.
        person_map: (H, W) uint8, the person of each pixel, if people were separated.
        rotation: degrees clockwise by which the photo was turned to be upright.
        evidence: the network's logits, kept for corrections.
    """

    label_map: npt.NDArray[np.uint8]
    confidence: npt.NDArray[np.float64]
    probability: npt.NDArray[np.uint8]
    person_map: npt.NDArray[np.uint8] | None = None
    rotation: int = 0
    evidence: Evidence = ()


def decode_logits(
    photo: Image.Image, logits: Logits, *, guided: bool, back_view: bool | None = None, labels: LabelSet = ATR
) -> Prediction:
    """Decode the logits (18, h, w) of a photo or a crop, without further passes.

    Args:
        photo: RGB.
        logits: of this photo or crop.
        guided: align borders with the photo's edges, remove legs that a crop cuts off, and apply `back_view`;
        otherwise
            only interpolate the logits.
        back_view: whether to swap left and right for a person seen from behind; None decides by the logits.
    """
    if not isinstance(logits, np.ndarray):
        return _decode_on_gpu(photo, logits, guided, back_view, labels)
    size = (photo.height, photo.width)
    if guided:
        logits = apply_logit_rules(logits, back_view, labels)
        label_map = follow_edges(logits, photo)
    else:
        label_map = winners(logits, size)
    return _prediction(label_map, winning_probability(logits, size), logits, photo, labels)


def _prediction(
    label_map: npt.NDArray[np.uint8],
    probability: npt.NDArray[np.uint8],
    logits: npt.NDArray[np.float32],
    photo: Image.Image,
    labels: LabelSet,
) -> Prediction:
    confidence = confidences(label_map, probability, count=len(labels))
    return Prediction(label_map, confidence, probability, evidence=as_evidence(logits, Box(0, 0, *photo.size)))


def apply_logit_rules(
    logits: npt.NDArray[np.float32], back_view: bool | None = None, labels: LabelSet = ATR
) -> npt.NDArray[np.float32]:
    """Apply the rules on legs and sides to logits (18, h, w); return the same array if none applies."""
    logits = without_legs(logits, labels)
    if back_view is None:
        return swap_sides_if_back_view(logits, labels)
    return swap_sides(logits, labels) if back_view else logits


def _decode_on_gpu(
    photo: Image.Image, logits: "torch.Tensor", guided: bool, back_view: bool | None, labels: LabelSet
) -> Prediction:
    """Decode on the device of the logits, or on the CPU if the GPU runs out of memory."""
    from clothseg.engines.device import is_out_of_memory, upload
    from clothseg.postprocess import on_gpu

    size, on_cpu = (photo.height, photo.width), as_array(logits)
    try:
        # The rules run on the CPU, since the logits are small compared with the photo and the label map.
        ruled = apply_logit_rules(on_cpu, back_view, labels) if guided else on_cpu
        if ruled is not on_cpu:
            logits = upload(ruled, logits.device)
        if guided:
            label_map = on_gpu.follow_edges(logits, upload(np.asarray(photo), logits.device))
        else:
            label_map = on_gpu.winners(logits, size)
        probability = on_gpu.winning_probability(logits, size)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        _log.warning("The CPU computes this label map instead of the GPU: %s", error)
        return decode_logits(photo, on_cpu, guided=guided, back_view=back_view, labels=labels)
    return _prediction(label_map, probability, ruled, photo, labels)


def reorder(logits: Any, channels: Sequence[int | None]) -> Any:
    """Return logits (N, classes, h, w) with the channels in the order of a label set's ids.

    Args:
        logits: (N, channels, h, w), an array or a tensor.
        channels: for each class its channel; None for one that the model does not have, which never wins.
    """
    found = logits[:, [channel or 0 for channel in channels]]
    for index, channel in enumerate(channels):
        if channel is None:
            found[:, index] = EXCLUDED
    return found


def by_class(logits: Any, photos: int, classes: int, channels: Sequence[int | None] | None, model: str) -> Any:
    """Check what a network returned, and return it with the channels in the order of the classes.

    Args:
        logits: (N, channels, h, w), an array or a tensor.
        photos: number of photos of the pass.
        classes: number of classes of the label set.
        channels: for each class its channel, as for `reorder`; None if it is the class's id.
        model: name of the model, for messages.

    Raises:
        ModelError: the network returned other shapes, or numbers that are not finite.
    """
    finite = np.isfinite(logits) if isinstance(logits, np.ndarray) else logits.isfinite()
    expected = classes if channels is None else classes - channels.count(None)
    if logits.ndim != 4 or logits.shape[:2] != (photos, expected) or not finite.all():
        raise ModelError(f"{model} does not return finite logits of {expected} classes: its weights are broken.")
    return logits if channels is None else reorder(logits, channels)


def as_array(logits: Logits) -> npt.NDArray[np.float32]:
    return logits if isinstance(logits, np.ndarray) else logits.cpu().numpy()


def beside(logits: Logits, array: npt.NDArray[np.float32]) -> Logits:
    """Convert an array to the type and device of these logits."""
    if isinstance(logits, np.ndarray):
        return array
    from clothseg.engines.device import upload

    return upload(array, logits.device)
