"""The Segmenter: load a model once and segment any number of photos."""

import copy
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Self, Unpack

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.engines.base import Engine, as_engine
from clothseg.engines.inputs import Prepared, joined, prepare_later
from clothseg.errors import ConfigError
from clothseg.images.color_space import on_white
from clothseg.images.decode import Photo, load_photo, photo_name
from clothseg.labels import ATR, LabelSet
from clothseg.models.preprocessing import NetworkInput
from clothseg.options import SegmentKeywords, SegmentOptions, takes_options
from clothseg.pickling import Origin, restore, to_pickle
from clothseg.pipelining import in_order, pipelined
from clothseg.postprocess.clicks import Click
from clothseg.postprocess.decoding import Logits, Prediction, by_class
from clothseg.postprocess.pipeline import aspect_preserving_size, decode
from clothseg.postprocess.softmax import as_logits
from clothseg.postprocess.tta import SCALES, average_probabilities
from clothseg.segmentation import Segmentation
from clothseg.segmentation.clicks import refine
from clothseg.segmentation.prediction import as_segmentation


_Inference = tuple[Callable[[Image.Image], Prepared], Callable[[list[Prepared]], Iterable[Logits]]]

_Steps = tuple[
    Callable[[Photo], Prepared],
    Callable[[list[Prepared]], Iterable[Logits]],
    Callable[[Photo, Prepared, Logits], Segmentation],
]


class Segmenter:
    """A loaded model. It is thread-safe: the network runs one call at a time.

    This is fastest for a single photo, since a forward pass uses all cores, and needs memory for only one pass. For
    many photos, `with_streams` is faster, and `clothseg.WorkerPool`, with several processes, faster still.

    Attributes:
        workers: Number of threads that may call the network at once; others wait.
        name: Hub name, or the folder's own name.
        revision: Commit of a model from the Hub, else None.
        license_note: One sentence on the licence of the weights.
        notice: A message on the origin of the weights, for example that the Hub could not be reached; usually empty.
        folder: Folder of the model's files, if it was loaded from files.
        origin: Model and options it was loaded with, for pickling. None if it was created from an engine.
        image_size: (height, width) of the network's input.
        labels: the model's label set.
    """

    def __init__(
        self,
        engine: Engine | Callable[..., Any],
        processor: Any,
        *,
        name: str,
        revision: str | None = None,
        license_note: str = "",
        labels: LabelSet = ATR,
        channels: Sequence[int | None] | None = None,
        any_size: bool = True,
        input_size: tuple[int, int] | None = None,
    ) -> None:
        """Create a segmenter from an engine; usually, use `from_pretrained`.

        Args:
            engine: An engine, or a function from pixels to logits.
            processor: A transformers image processor (PIL backend) with a fixed height and width.
            name: Name of the model, kept in results.
            revision: Commit of the weights.
            license_note: Shown to users.
            labels: the classes.
            channels: for each class its channel of the logits, None for a background that the model does not have; by
                default the class's id.
            any_size: whether the network takes inputs of other sizes than its usual one.
            input_size: (height, width) of the network's input; by default as the processor states it.
        """
        self.engine = engine
        self.name = name
        self.revision = revision
        self.license_note = license_note
        self.notice = ""
        self.folder: Path | None = None
        self.origin: Origin | None = None
        self._loaded_engine: Engine | None = None
        self.labels = labels
        ids = list(range(len(labels)))
        self._channels = None if channels is None or list(channels) == ids else list(channels)
        self._any_size = any_size
        self._input = NetworkInput(processor, input_size)
        self.image_size = self._input.size
        self.workers = 1
        self._turn = threading.Semaphore(self.workers)

    @property
    def engine(self) -> Engine:
        """The engine that runs the network; a function from pixels to logits can be assigned, too."""
        return self._engine

    @engine.setter
    def engine(self, engine: Engine | Callable[..., Any]) -> None:
        self._engine = as_engine(engine)

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
        """Load a model from the Hub or a folder; by default the one that comes with the package.

        Args:
            name_or_path: Hub name such as `owner/model`, or the folder of a saved model.
            revision: Branch, tag or commit on the Hub.
            device: "cpu", "cuda" or "auto" (the default): a GPU if there is one.
            token: Hub token for private and gated models.
            engine: "torch", "openvino", "onnx", or "auto" (the default): the fastest one installed for the device.
            precision: "exact" (the default) computes in float32: at least 99.99 % of the pixels get the same class as
                with PyTorch. "fast" may compute in bfloat16, if device and engine support it: in half the time, 99.8 %
                or more on average, but up to 2 % of the pixels may differ in photos where the network is uncertain.
                "int8" computes in int8 on CPUs with VNNI, elsewhere as "fast". The model needs an int8 file for it:
                the embedded one has one, and `clothseg export --int8` makes one for yours.

        Raises:
            HubError: the model does not exist or is not accessible, or the Hub cannot be reached.
            ModelError: the model cannot be loaded, or its labels or preprocessing cannot be used.
            ConfigError: the device does not exist, the engine is not installed, or the model has no int8 file.
        """
        from clothseg.engines import build_engine
        from clothseg.engines.int8 import INT8_FILES
        from clothseg.models.loading import load

        also = INT8_FILES if precision == "int8" else ()
        loaded = load(None if name_or_path is None else str(name_or_path), revision, token, also)
        segmenter = cls(
            build_engine(loaded, engine, precision, device or "auto"),
            loaded.processor,
            name=loaded.name,
            revision=loaded.revision,
            license_note=loaded.license_note,
            labels=loaded.labels,
            channels=loaded.channels,
            any_size=loaded.any_size,
            input_size=loaded.input_size,
        )
        segmenter.notice, segmenter.folder = loaded.notice, loaded.folder
        segmenter.origin = Origin.of(loaded, name_or_path, device, engine, precision)
        segmenter._loaded_engine = segmenter.engine
        return segmenter

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the model's name and options (`clothseg.pickling`)."""
        return restore, (type(self), to_pickle(self, self.origin, self._loaded_engine))

    def __copy__(self) -> Self:
        """Return a second segmenter with the same engine."""
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    @takes_options()
    def __call__(
        self, photo: Photo, options: SegmentOptions | None = None, **keywords: Unpack[SegmentKeywords]
    ) -> Segmentation:
        """Segment one photo: a path, the bytes of a file, a PIL image or an (H, W, 3) uint8 RGB array.

        Args:
            photo: to segment.
            options: `clothseg.SegmentOptions` describes each option.
            keywords: single options by their names, such as `edges="plain"`; they take precedence over `options`.

        Raises:
            ImageError: the photo cannot be used.
            ConfigError: an unknown option, or a wrong value.
        """
        prepare, run, finish = self._steps(SegmentOptions.of(keywords, options))
        prepared = prepare(photo)
        return finish(photo, prepared, *run([prepared]))

    @takes_options()
    def batch(
        self,
        photos: Iterable[Photo],
        batch_size: int = 8,
        options: SegmentOptions | None = None,
        **keywords: Unpack[SegmentKeywords],
    ) -> list[Segmentation]:
        """Segment photos of any sizes, `batch_size` per pass; equal to single calls up to the last float digit.

        The list holds all photos and label maps; use `iter_batch` if they do not fit in memory.

        Args:
            photos: as for one photo.
            batch_size: number of photos in one pass of the network, or in progress if each is passed separately.
            options: as for one photo.
            keywords: as for one photo.

        Raises:
            ImageError: a photo cannot be used.
            ConfigError: `batch_size` is below 1, or as for one photo.
        """
        return list(self.iter_batch(photos, batch_size, options, **keywords))

    @takes_options()
    def iter_batch(
        self,
        photos: Iterable[Photo],
        batch_size: int = 8,
        options: SegmentOptions | None = None,
        **keywords: Unpack[SegmentKeywords],
    ) -> Iterator[Segmentation]:
        """Like `batch`, but lazy: at most two batches are in memory at a time.

        If the engine answers several calls at once (`with_streams`), each photo is passed separately, and `batch_size`
        is the number of photos in progress besides the requested one.

        If you do not take all results, close or drop the iterator to end its threads.
        """
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, not {batch_size}.")
        if isinstance(photos, str | bytes | PathLike | Image.Image):
            raise ConfigError("photos must be several photos, such as a list of paths; pass one photo to segmenter().")
        options = SegmentOptions.of(keywords, options)
        steps, many = self._steps(options), self.with_streams()
        if batch_size > 1 and many.workers > 1:
            return in_order(partial(many, options=options), photos, many.workers, max(many.workers, batch_size))
        return pipelined(photos, batch_size, *steps)

    def refine(self, result: Segmentation, clicks: Sequence[Click]) -> Segmentation:
        """Correct a result by clicks: the region that each click means takes the class that was given.

        Clicks take effect one after the other, so that later ones win, and those of several calls are like those of
        one. The region is found from the photo and from what the network said of it; far from the clicks nothing
        changes. Without a new pass of the network if the result is fresh; one pass if it was pickled, or made from a
        label map.

        Args:
            result: of this or another model, corrected already or not.
            clicks: `clothseg.Click`.

        Raises:
            ConfigError: a click is outside the photo.
            UnknownClassError: the class of a click is not one of the result's.
        """
        return refine(result, clicks, infer=lambda photo: self.logits([photo])[0])

    def with_streams(self) -> Self:
        """Return this model for calls from up to `workers` threads: each call takes longer, but all together take less
        time.

        This returns the segmenter itself, with one worker, if the engine or the machine cannot do more.
        """
        streams = self.engine.streams
        if streams is None:
            return self
        many = copy.copy(self)
        many.engine, many.workers, many._turn = streams, streams.count, threading.Semaphore(streams.count)
        return many

    def for_many(self) -> Self:
        """Old name of `with_streams`, for one release."""
        warnings.warn("Segmenter.for_many is now called with_streams.", DeprecationWarning, stacklevel=2)
        return self.with_streams()

    def pixels(self, photos: list[Image.Image], size: tuple[int, int] | None = None) -> npt.NDArray[np.float32]:
        """Return the network's input for RGB photos: (N, 3, h, w) float32, exactly as the original processor makes it.

        Args:
            size: (h, w), multiples of 32, instead of `image_size`.
        """
        return self._input(photos, size or self.image_size)

    def logits(self, photos: list[Image.Image], size: tuple[int, int] | None = None) -> npt.NDArray[np.float32]:
        """Return the logits (N, classes, h, w) float32 of RGB photos, in one pass; `size` as in `pixels`.

        Raises:
            ModelError: the network returned other shapes, or numbers that are not finite.
        """
        return self._logits(self.pixels(photos, size))

    def _logits(self, pixels: Any) -> Any:
        with self._turn:
            logits = self.engine(pixels)
        return by_class(logits, len(pixels), len(self.labels), self._channels, self.name)

    def decode(self, photo: Image.Image, logits: Logits, options: SegmentOptions) -> Prediction:
        """Decode the logits (18, h, w) of an RGB or RGBA photo: `postprocess.pipeline.decode` with this network."""
        prepare, run = self._inference(options)
        return decode(
            photo,
            logits,
            options,
            infer=lambda crop: next(iter(run([prepare(crop)]))),
            aspect=self.image_size[0] / self.image_size[1],
            infer_whole=self._infer_wide if options.people == "all" else None,
            labels=self.labels,
        )

    def wide_size(self, photo_size: tuple[int, int]) -> tuple[int, int]:
        """Return the input size (h, w) for finding people in a photo of (W, H): in its own proportions, if the network
        takes inputs of any size."""
        return aspect_preserving_size(photo_size, self.image_size) if self._any_size else self.image_size

    # The three steps from a source to its result

    def _steps(self, options: SegmentOptions) -> _Steps:
        # Only then is JPEG decoded at a reduced scale, since the result contains the photo for cut-outs of its size.
        load = partial(load_photo, max_side=options.max_side, keep_alpha=True)
        options.excluded_ids(self.labels)
        prepare, run = self._inference(options)
        if options.people == "all":
            prepare, run = self._prepare_wide, self._run_each
        return lambda source: prepare(load(source)), run, partial(self._finish, options)

    def _inference(self, options: SegmentOptions) -> _Inference:
        """Return the function from photos or crops to logits."""
        return (prepare_later, self._run_averaged) if options.tta else (self._prepare, self._run)

    def _prepare(self, photo: Image.Image, size: tuple[int, int] | None = None) -> Prepared:
        size, flat = size or self.image_size, on_white(photo)
        arranged = self._input.arranged(flat)
        pixels = self.engine.preprocess(arranged, size, self._input.resample, self._input.values)
        return Prepared(flat, self.pixels([flat], size) if pixels is None else pixels, photo)

    def _prepare_wide(self, photo: Image.Image) -> Prepared:
        return self._prepare(photo, self.wide_size(photo.size))

    def _infer_wide(self, photo: Image.Image) -> Logits:
        return next(iter(self._run([self._prepare_wide(photo)])))

    def _run(self, prepared: list[Prepared]) -> Iterable[Logits]:
        return self._logits(joined(prepared))

    def _run_each(self, prepared: list[Prepared]) -> Iterable[Logits]:
        return [logits for each in prepared for logits in self._run([each])]

    def _run_averaged(self, prepared: list[Prepared]) -> Iterable[Logits]:
        scales = SCALES if self._any_size else (1.0,)
        return [
            as_logits(average_probabilities(self.logits, self.image_size, each.photo, scales, self.labels))
            for each in prepared
        ]

    def _finish(self, options: SegmentOptions, source: Photo, prepared: Prepared, logits: Logits) -> Segmentation:
        prediction = self.decode(prepared.original, logits, options)
        return as_segmentation(
            prediction, prepared.original, name=photo_name(source), model=self.name, labels=self.labels
        )
