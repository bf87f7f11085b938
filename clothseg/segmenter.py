"""Photos in, segmentations out: loads a model once and runs it on as many photos as are given."""

import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.engines import Engine
from clothseg.errors import ConfigError, ModelError
from clothseg.images import Photo, load_photo, photo_name
from clothseg.labels import NAMES
from clothseg.segmentation import Segmentation
from clothseg.upsample import label_pixels


class Segmenter:
    """A loaded model. Calls from several threads are safe: the network itself runs one call at a time.

    Taking turns costs nothing, since one forward pass already uses all cores, and keeps memory to one pass.

    Attributes:
        engine: What runs the network.
        name: Hub name, or the folder's own name.
        revision: Commit of a model from the Hub, else None.
        license_note: One sentence on the licence of the weights.
        notice: What users are to know about where the weights are from, such as that the Hub could not be asked.
        image_size: (height, width) that photos are resized to for the network.
    """

    def __init__(
        self, engine: Engine, processor: Any, *, name: str, revision: str | None = None, license_note: str = ""
    ) -> None:
        """Put a segmenter together by hand; `from_pretrained` is the usual way.

        Args:
            engine: Pixels to logits.
            processor: A transformers image processor (PIL backend) with a fixed height and width.
            name: Shown to users and kept in results.
            revision: Commit of the weights.
            license_note: Shown to users.
        """
        self.engine = engine
        self.name = name
        self.revision = revision
        self.license_note = license_note
        self.notice = ""
        self.image_size: tuple[int, int] = (processor.size["height"], processor.size["width"])
        self._processor = processor
        self._turn = threading.Lock()

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | None = None,
        *,
        revision: str | None = None,
        device: str | None = None,
        token: str | None = None,
        engine: str = "auto",
        precision: str = "exact",
    ) -> Self:
        """Load a model from the Hub or a folder; without a name, the one that ships with the package.

        Args:
            name_or_path: Hub name such as `owner/model`, or the folder of a saved model.
            revision: Branch, tag or commit on the Hub.
            device: "cpu", "cuda" or "auto" (the default): a GPU where there is one.
            token: Hub token for private and gated models.
            engine: "torch", "openvino", "onnx", or "auto" (the default): the quickest installed for the device.
            precision: "exact" (the default) computes in float32: label maps are PyTorch's in at least 99.99 % of the
                pixels. "fast" may compute in bfloat16, where device and engine have it: at least 99.8 %, in half the
                time.

        Raises:
            HubError: the model does not exist, is closed to us, or the Hub cannot be reached.
            ModelError: the model cannot be loaded, or its labels are not ATR's 18.
            ConfigError: the device does not exist, or the engine is not installed.
        """
        from clothseg.engines import build_engine
        from clothseg.loading import load

        loaded = load(None if name_or_path is None else str(name_or_path), revision, token)
        segmenter = cls(
            build_engine(loaded, engine, precision, device or "auto"),
            loaded.processor,
            name=loaded.name,
            revision=loaded.revision,
            license_note=loaded.license_note,
        )
        segmenter.notice = loaded.notice
        return segmenter

    def __call__(self, photo: Photo) -> Segmentation:
        """Segment one photo: a path, the bytes of a file, a PIL image or an (H, W, 3) uint8 RGB array.

        Raises:
            ImageError: the photo cannot be used.
        """
        return next(self.iter_batch([photo], batch_size=1))

    def batch(self, photos: Iterable[Photo], batch_size: int = 8) -> list[Segmentation]:
        """Segment photos of any sizes, `batch_size` in one pass; equal to one by one but for the last float digit.

        The list holds every photo and label map; use `iter_batch` for more of them than memory holds.

        Raises:
            ImageError: a photo cannot be used.
            ConfigError: `batch_size` is below 1.
        """
        return list(self.iter_batch(photos, batch_size))

    def iter_batch(self, photos: Iterable[Photo], batch_size: int = 8) -> Iterator[Segmentation]:
        """Like `batch`, lazily: at most `batch_size` photos are taken from the iterable and held at a time."""
        if batch_size < 1:
            raise ConfigError(f"The batch size must be at least 1, not {batch_size}.")
        return self._chunks(iter(photos), batch_size)

    def _chunks(self, photos: Iterator[Photo], batch_size: int) -> Iterator[Segmentation]:
        while sources := list(islice(photos, batch_size)):
            loaded = [load_photo(source) for source in sources]
            for source, photo, logits in zip(sources, loaded, self.logits(loaded), strict=True):
                yield self._result(photo, logits, photo_name(source))

    def pixels(self, photos: list[Image.Image], size: tuple[int, int] | None = None) -> npt.NDArray[np.float32]:
        """What the network sees of RGB photos: (N, 3, h, w) float32, exactly as the stock processor makes it.

        Args:
            size: (h, w), multiples of 32, in place of `image_size`.
        """
        # Resized first: the processor would resample just so, but only after copying the full photo twice.
        height, width = size or self.image_size
        small = [photo.resize((width, height), self._processor.resample) for photo in photos]
        made = self._processor(images=small, size={"height": height, "width": width}, return_tensors="np")
        return np.asarray(made["pixel_values"], dtype=np.float32)

    def logits(self, photos: list[Image.Image], size: tuple[int, int] | None = None) -> npt.NDArray[np.float32]:
        """Logits (N, 18, h / 4, w / 4) float32 of RGB photos, in one pass; `size` as in `pixels`.

        Raises:
            ModelError: the network answered with other shapes, or with numbers that are not finite.
        """
        pixels = self.pixels(photos, size)
        with self._turn:
            logits = self.engine(pixels)
        if logits.ndim != 4 or logits.shape[:2] != (len(photos), len(NAMES)) or not np.isfinite(logits).all():
            raise ModelError(f"{self.name} does not answer with finite logits of 18 classes: its weights are broken.")
        return logits

    def _result(self, photo: Image.Image, logits: npt.NDArray[np.float32], name: str | None) -> Segmentation:
        label_map, probability = label_pixels(logits, (photo.height, photo.width))
        label_map.flags.writeable = False
        confidence = dict(zip(NAMES, probability.tolist(), strict=True))
        return Segmentation(photo, label_map, confidence, name=name, model=self.name)
