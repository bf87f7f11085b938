"""Other models of the field, as functions from a photo to a label map, for `benchmarks.rivals`.

Each adapter repeats what the model's own code does before and after the network:

- SCHP, `simple_extractor.py` of github.com/GoGoDuck912/Self-Correction-Human-Parsing (MIT): BGR, the whole photo in a
  square with black bars, the fusion output enlarged with aligned corners and mapped back. Exports with the outputs of
  OOTDiffusion (parsing, fusion, edge), of pirocheto/schp-human-parsing (`logits`) or of SCHP's own `forward` work.
- rembg's `u2net_cloth_seg` (MIT), `rembg/sessions/u2net_cloth_seg.py`: RGB divided by the photo's largest value,
  squeezed to 768×768. rembg resizes the ids of classes with a Lanczos filter, which makes up classes along borders;
  here the logits are resized instead.
- FASHN's human parser, `fashn_human_parser`: RGB resized to 384×576 by means of areas, bilinear logits.

No weights come with clothseg. Numbers of channels are checked, since files have the same suffix whatever they contain.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from clothseg import Segmenter
from clothseg.engines.onnx_session import open_session
from clothseg.errors import ConfigError, ModelError
from clothseg.labels import ATR, FASHN, LIP, LabelSet
from clothseg.models.loading import load
from clothseg.options import SegmentOptions
from clothseg.postprocess.upsample import winners


MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)

CLOTH_SEG = LabelSet.of(("background", "upper body", "lower body", "full body"), "u2net_cloth_seg")
"""The classes of rembg's `u2net_cloth_seg`, in the order of its channels."""

EMBEDDED = "embedded"

Network = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""Maps pixels (1, 3, H, W) to the logits (C, h, w)."""


class Rival(Protocol):
    """A model: its name, its label set, and a function from an RGB photo to its (H, W) uint8 label map."""

    name: str
    labels: LabelSet

    def __call__(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        """Segment a photo."""


class Ours:
    """A model as clothseg serves it, with the options of `segment`."""

    def __init__(self, name: str, options: SegmentOptions) -> None:
        """Load a Hub id, a folder, or `embedded`."""
        self._segmenter = Segmenter.from_pretrained(None if name == EMBEDDED else name)
        self.name, self.labels, self._options = name, self._segmenter.labels, options

    def __call__(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        return self._segmenter(photo, self._options).label_map


class Plain:
    """A transformers model as transformers' own post-processing serves it: interpolated logits, no rules."""

    def __init__(self, name: str) -> None:
        """Load a Hub id, a folder, or `embedded`."""
        self._segmenter = Segmenter.from_pretrained(None if name == EMBEDDED else name)
        self.name, self.labels = f"{name} (plain)", self._segmenter.labels

    def __call__(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        return winners(self._segmenter.logits([photo])[0], (photo.height, photo.width))


class Fashn:
    """FASHN's human parser from its transformers files, resized as its authors do."""

    SIZE = (384, 576)  # width, height

    def __init__(self, name: str) -> None:
        """Load a Hub id or a folder.

        Raises:
            ModelError: it has other classes.
        """
        loaded = load(name)
        if loaded.labels.names != FASHN.names:
            raise ModelError(f"{name} is not FASHN's human parser: its classes are {', '.join(loaded.labels.names)}.")
        self.name, self.labels, self._model = name, FASHN, loaded.model.eval()

    def __call__(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        small = cv2.resize(np.asarray(photo), self.SIZE, interpolation=cv2.INTER_AREA)
        pixels = (small.astype(np.float32) / 255 - MEAN) / STD
        with torch.inference_mode():
            logits = self._model(torch.from_numpy(pixels.transpose(2, 0, 1)[None])).logits[0]
        return winners(logits.numpy(), (photo.height, photo.width))


class Schp:
    """SCHP from an exported file, for one person in a photo, as its `simple_extractor.py` uses it."""

    def __init__(self, file: str, labels: LabelSet, size: int) -> None:
        """Open a file; `size` is the side of its square input, unless the file says another."""
        self.name, self.labels = Path(file).name, labels
        self._network, stated = open_network(file, len(labels))
        self._size = stated or (size, size)

    def __call__(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        height, width = self._size
        there = _into_square((photo.width, photo.height), (width, height))
        bgr = np.asarray(photo)[..., ::-1]
        small = cv2.warpAffine(bgr, there, (width, height), flags=cv2.INTER_LINEAR)
        pixels = (small.astype(np.float32) / 255 - MEAN[::-1]) / STD[::-1]
        logits = self._network(pixels.transpose(2, 0, 1)[None])
        enlarged = torch.nn.functional.interpolate(
            torch.from_numpy(logits)[None], (height, width), mode="bilinear", align_corners=True
        )[0].numpy()
        back = cv2.invertAffineTransform(there)
        return _best(cv2.warpAffine(each, back, photo.size, flags=cv2.INTER_LINEAR) for each in enlarged)


class ClothSeg:
    """rembg's `u2net_cloth_seg` from its ONNX file."""

    labels = CLOTH_SEG

    def __init__(self, file: str) -> None:
        """Open the file."""
        self.name = Path(file).name
        self._network, stated = open_network(file, len(CLOTH_SEG))
        self._size = stated or (768, 768)

    def __call__(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        height, width = self._size
        small = np.asarray(photo.resize((width, height), Image.Resampling.LANCZOS), np.float32)
        pixels = (small / max(float(small.max()), 1e-6) - MEAN) / STD
        return winners(self._network(pixels.transpose(2, 0, 1)[None]), (photo.height, photo.width))


class Adapter(NamedTuple):
    """A function that opens models of one kind, and a description of the kind."""

    open: Callable[[str], Rival]
    words: str


ADAPTERS = {
    "schp-atr": Adapter(lambda file: Schp(file, ATR, 512), "SCHP trained on ATR, an ONNX or TorchScript file"),
    "schp-lip": Adapter(lambda file: Schp(file, LIP, 473), "SCHP trained on LIP, an ONNX or TorchScript file"),
    "fashn": Adapter(Fashn, "FASHN's human parser, a Hub id or folder"),
    "cloth-seg": Adapter(ClothSeg, "rembg's u2net_cloth_seg, its ONNX file"),
    "plain": Adapter(Plain, "a Hub id or folder, as transformers' own post-processing serves it"),
}
"""Kinds of models, the part of a model's argument before `=`."""


def open_rival(stated: str, options: SegmentOptions) -> Rival:
    """Open a model given as `KIND=MODEL`, or as a Hub id, a folder or `embedded`, which clothseg serves.

    Raises:
        ConfigError: an unknown kind, or a file without one.
        ModelError, HubError: it cannot be loaded.
    """
    kind, separator, model = stated.partition("=")
    if not separator:
        if Path(stated).is_file():
            raise ConfigError(f"{stated} is a file: say what it is, such as {next(iter(ADAPTERS))}={stated}.")
        return Ours(stated, options)
    if kind not in ADAPTERS:
        raise ConfigError(f"{stated}: unknown kind {kind!r}; the kinds are {', '.join(ADAPTERS)}.")
    return ADAPTERS[kind].open(model)


def open_network(file: str, channels: int) -> tuple[Network, tuple[int, int] | None]:
    """Open an exported network.

    Args:
        file: ONNX (`.onnx`), or TorchScript with any other suffix.
        channels: number of classes. Of several outputs of that many channels, the one called `logits` is used, else
            the last one, which in SCHP is the fusion.

    Returns:
        The network, and the (height, width) of its input if the file fixes it.

    Raises:
        ModelError: the file is missing, damaged, or of another network.
    """
    path = Path(file)
    if not path.is_file():
        raise ModelError(f"{file}: there is no such file.")
    return (_open_onnx if path.suffix.lower() == ".onnx" else _open_torchscript)(path, channels)


def _open_onnx(path: Path, channels: int) -> tuple[Network, tuple[int, int] | None]:
    try:
        session = open_session(path)
    except Exception as error:  # ONNX Runtime raises types of its own
        raise ModelError(f"{path} cannot be read as ONNX{_pointer(path)}: {_first_line(error)}") from error
    entry = session.get_inputs()[0]
    dtype = np.float16 if "float16" in entry.type else np.float32
    height, width = (side if isinstance(side, int) else None for side in entry.shape[2:])
    names = [each.name for each in session.get_outputs()]

    def run(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return _chosen(session.run(None, {entry.name: pixels.astype(dtype)}), names, channels, path)

    return run, (height, width) if height and width else None


def _open_torchscript(path: Path, channels: int) -> tuple[Network, None]:
    try:
        network = torch.jit.load(str(path), map_location="cpu").eval()
    except Exception as error:  # torch raises all sorts
        raise ModelError(
            f"{path} cannot be read as TorchScript{_pointer(path)}: {_first_line(error)} A checkpoint of weights "
            "alone (.pth) has to be exported first."
        ) from error

    def run(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            outputs = _flattened(network(torch.from_numpy(pixels)))
        return _chosen([each.numpy() for each in outputs], [""] * len(outputs), channels, path)

    return run, None


def _flattened(outputs: Any) -> list[torch.Tensor]:
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    values = outputs.values() if isinstance(outputs, dict) else outputs
    return [tensor for each in values for tensor in _flattened(each)]


def _chosen(outputs: list[npt.NDArray[Any]], names: list[str], channels: int, path: Path) -> npt.NDArray[np.float32]:
    fitting = [index for index, each in enumerate(outputs) if each.ndim == 4 and each.shape[1] == channels]
    if not fitting:
        shapes = ", ".join("×".join(map(str, each.shape)) for each in outputs)
        raise ModelError(f"{path} has no output of {channels} classes, only of the shapes {shapes}.")
    chosen = next((index for index in fitting if names[index] == "logits"), fitting[-1])
    return np.ascontiguousarray(outputs[chosen][0], np.float32)


def _into_square(photo_size: tuple[int, int], size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return SCHP's (2, 3) transform of a photo into the middle of the network's input, both (width, height)."""
    (width, height), (to_width, to_height) = photo_size, size
    longest = max(width - 1, (height - 1) * to_width / to_height, 1)
    scale = (to_width - 1) / longest
    middle, to_middle = ((width - 1) / 2, (height - 1) / 2), ((to_width - 1) / 2, (to_height - 1) / 2)
    return np.array([[scale, 0, to_middle[0] - scale * middle[0]], [0, scale, to_middle[1] - scale * middle[1]]])


def _best(planes: Any) -> npt.NDArray[np.uint8]:
    """Return the index of the largest of several planes at each pixel, holding two at a time."""
    best: npt.NDArray[np.float32] | None = None
    for index, plane in enumerate(planes):
        if best is None:
            best, ids = plane.copy(), np.zeros(plane.shape, np.uint8)
            continue
        better = plane > best
        best[better], ids[better] = plane[better], index
    return ids


def _pointer(path: Path) -> str:
    with path.open("rb") as file:
        return " (it is a git-lfs pointer: run git lfs pull)" if file.read(7) == b"version" else ""


def _first_line(error: Exception) -> str:
    return f"{(str(error).strip() or type(error).__name__).splitlines()[0].rstrip('.')}."
