"""Photos in, segmentations out: loads a model once and runs it on as many photos as are given."""

import copy
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.engines import Engine
from clothseg.errors import ConfigError, ModelError
from clothseg.images.color_space import on_white
from clothseg.images.decode import Photo, load_photo, photo_name
from clothseg.labels import NAMES
from clothseg.pickling import Origin, restore, to_pickle
from clothseg.pipelining import in_order, overlapped
from clothseg.postprocess.pipeline import Logits, Reading, read_each, read_one, wide_size
from clothseg.postprocess.transparency import clear_transparent
from clothseg.postprocess.tta import as_logits, averaged_probabilities
from clothseg.segmentation import Segmentation


class _Prepared(NamedTuple):
    """A photo on white, what the network sees of it, and the photo itself.

    `pixels` is (1, 3, h, w), an array, or a tensor where the engine works on a GPU. `original` is RGBA where the photo
    is not opaque.
    """

    photo: Image.Image
    pixels: Any
    original: Image.Image


_Steps = tuple[
    Callable[[Photo], _Prepared],
    Callable[[list[_Prepared]], Iterable[Logits]],
    Callable[[Photo, _Prepared, Logits], Segmentation],
]

EDGES = ("plain", "guided")
"""Values of the option `edges`."""

ZOOM = ("auto", "off")
"""Values of the option `zoom`."""

PEOPLE = ("one", "all")
"""Values of the option `people`."""


class Segmenter:
    """A loaded model. Calls from several threads are safe: the network itself runs one call at a time.

    That is the quickest for one photo, since a forward pass uses all cores, and keeps memory to one pass. Of many
    photos, `for_many` does more in the same time, and `clothseg.Crew`, by several processes, more yet.

    Attributes:
        engine: What runs the network.
        workers: How many threads may call the network at once; others wait.
        name: Hub name, or the folder's own name.
        revision: Commit of a model from the Hub, else None.
        license_note: One sentence on the licence of the weights.
        notice: What users are to know about where the weights are from, such as that the Hub could not be asked.
        folder: Where its files lie, if they were loaded from files.
        origin: What was loaded, and how: what is pickled of it. None if it was put together by hand.
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
        self.folder: Path | None = None
        self.origin: Origin | None = None
        self._loaded_engine: Engine | None = None
        self.image_size: tuple[int, int] = (processor.size["height"], processor.size["width"])
        self._resample = processor.resample
        # Beyond resizing, processors only map values: found out once for all 256, instead of computed for each pixel.
        ramp = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2))
        made = processor(images=[ramp], size={"height": 16, "width": 16}, return_tensors="np")["pixel_values"]
        self._values = np.asarray(made, dtype=np.float32).reshape(3, 256)
        self.workers = 1
        self._turn = threading.Semaphore(self.workers)

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
                pixels. "fast" may compute in bfloat16, where device and engine have it: in half the time 99.8 % or
                more on average, but two pixels of a hundred may differ in photos where the network is not sure.

        Raises:
            HubError: the model does not exist, is closed to us, or the Hub cannot be reached.
            ModelError: the model cannot be loaded, or its labels are not ATR's 18.
            ConfigError: the device does not exist, or the engine is not installed.
        """
        from clothseg.engines import build_engine
        from clothseg.models.loading import load

        loaded = load(None if name_or_path is None else str(name_or_path), revision, token)
        segmenter = cls(
            build_engine(loaded, engine, precision, device or "auto"),
            loaded.processor,
            name=loaded.name,
            revision=loaded.revision,
            license_note=loaded.license_note,
        )
        segmenter.notice, segmenter.folder = loaded.notice, loaded.folder
        segmenter.origin = Origin.of(loaded, name_or_path, device, engine, precision)
        segmenter._loaded_engine = segmenter.engine
        return segmenter

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by model and options (`clothseg.pickling`)."""
        return restore, (type(self), to_pickle(self, self.origin, self._loaded_engine))

    def __copy__(self) -> Self:
        """A second segmenter with the same engine, not loaded anew."""
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __call__(
        self,
        photo: Photo,
        *,
        edges: str = "guided",
        zoom: str = "auto",
        people: str = "one",
        average: bool = False,
        rules: bool = False,
        longest: int | None = None,
    ) -> Segmentation:
        """Segment one photo: a path, the bytes of a file, a PIL image or an (H, W, 3) uint8 RGB array.

        Args:
            edges: "guided" (the default) lets borders follow the photo's, sees no legs in half-lengths, and swaps the
                sides of someone seen from behind; "plain" interpolates what the network says, to the pixel as
                transformers does. docs/experiments/edges.md has the figures.
            zoom: "auto" (the default) looks once more, from closer, at a small figure, and at someone who stands in a
                wide photo; "off" never does.
            people: "one" (the default) takes the photo as it is; "all" tells people apart, looks at each on their own,
                and says whose each pixel is: `wearers` and `people` of the result. One more pass for each person.
            average: look four times, mirrored and larger, too: finer borders and belts at five times the work or more.
            rules: drop specks, and what cannot be in a photo of one person: `clothseg.postprocess.cleanup`.
            longest: be content with a result of so many pixels on the longer side: a larger photo is made smaller as
                it is read, and the result carries the smaller one. docs/performance.md says what that gains and costs.

        Raises:
            ImageError: the photo cannot be used.
            ConfigError: an option has no such value.
        """
        prepare, run, finish = self._steps(edges, zoom, people, average, rules, longest)
        prepared = prepare(photo)
        return finish(photo, prepared, *run([prepared]))

    def batch(self, photos: Iterable[Photo], batch_size: int = 8, **options: Any) -> list[Segmentation]:
        """Segment photos of any sizes, `batch_size` in one pass; equal to one by one but for the last float digit.

        The list holds every photo and label map; use `iter_batch` for more of them than memory holds.

        Args:
            photos: as for one.
            batch_size: how many go through the network together, or are in hand where each goes by itself.
            options: as for one: `edges`, `zoom`, `people`, `average`, `rules`, `longest`.

        Raises:
            ImageError: a photo cannot be used.
            ConfigError: `batch_size` is below 1, or an option has no such value.
        """
        return list(self.iter_batch(photos, batch_size, **options))

    def iter_batch(self, photos: Iterable[Photo], batch_size: int = 8, **options: Any) -> Iterator[Segmentation]:
        """Like `batch`, lazily: no more than two batches are in hand at a time.

        Where the engine answers several calls at once (`for_many`), each photo goes its way by itself, and
        `batch_size` says how many may be in hand beside the one that is handed out.

        Close the iterator, or drop it, if you do not take all results: its threads end then.
        """
        if batch_size < 1:
            raise ConfigError(f"The batch size must be at least 1, not {batch_size}.")
        steps, many = self._steps(**options), self.for_many()
        if batch_size > 1 and many.workers > 1:
            return in_order(partial(many, **options), photos, many.workers, max(many.workers, batch_size))
        return overlapped(photos, batch_size, *steps)

    def for_many(self) -> Self:
        """This model for calls from as many threads as it has `workers`: each takes longer, all together less time.

        Itself, with one worker, where the engine or the machine has no more to give.
        """
        streams = getattr(self.engine, "streams", None)
        if streams is None:
            return self
        many = copy.copy(self)
        many.engine, many.workers, many._turn = streams, streams.count, threading.Semaphore(streams.count)
        return many

    def pixels(self, photos: list[Image.Image], size: tuple[int, int] | None = None) -> npt.NDArray[np.float32]:
        """What the network sees of RGB photos: (N, 3, h, w) float32, exactly as the stock processor makes it.

        Args:
            size: (h, w), multiples of 32, in place of `image_size`.
        """
        height, width = size or self.image_size
        pixels = np.empty((len(photos), 3, height, width), np.float32)
        for photo, planes in zip(photos, pixels, strict=True):
            small = np.asarray(photo.resize((width, height), self._resample))
            for channel, plane in enumerate(planes):
                self._values[channel].take(small[..., channel], out=plane, mode="clip")
        return pixels

    def logits(self, photos: list[Image.Image], size: tuple[int, int] | None = None) -> npt.NDArray[np.float32]:
        """Logits (N, 18, h / 4, w / 4) float32 of RGB photos, in one pass; `size` as in `pixels`.

        Raises:
            ModelError: the network answered with other shapes, or with numbers that are not finite.
        """
        return self._logits(self.pixels(photos, size))

    def _logits(self, pixels: Any) -> Any:
        with self._turn:
            logits = self.engine(pixels)
        finite = np.isfinite(logits) if isinstance(logits, np.ndarray) else logits.isfinite()
        if logits.ndim != 4 or logits.shape[:2] != (len(pixels), len(NAMES)) or not finite.all():
            raise ModelError(f"{self.name} does not answer with finite logits of 18 classes: its weights are broken.")
        return logits

    # The three steps from a source to its result

    def _steps(
        self,
        edges: str = "guided",
        zoom: str = "auto",
        people: str = "one",
        average: bool = False,
        rules: bool = False,
        longest: int | None = None,
    ) -> _Steps:
        for name, value, values in (("Edges", edges, EDGES), ("Zoom", zoom, ZOOM), ("People", people, PEOPLE)):
            if value not in values:
                raise ConfigError(f"{name} can be {' or '.join(values)}, not {value!r}.")
        # Only then decoded at a reduced scale, as JPEG allows: the result carries the photo, for cut-outs of its size.
        load = partial(load_photo, longest=longest, keep_alpha=True)
        prepare, run = (_prepare_later, self._run_averaged) if average else (self._prepare, self._run)

        def closer(photo: Image.Image) -> Logits:
            return next(iter(run([prepare(photo)])))

        aspect, guided = self.image_size[0] / self.image_size[1], edges == "guided"
        if people == "all":
            read = partial(read_each, closer=closer, aspect=aspect, guided=guided, zoom=zoom == "auto", rules=rules)
            return lambda source: self._prepare_wide(load(source)), self._run_each, partial(self._finish, read)
        read = partial(read_one, closer=closer if zoom == "auto" else None, aspect=aspect, guided=guided, rules=rules)
        return lambda source: prepare(load(source)), run, partial(self._finish, read)

    def _prepare(self, photo: Image.Image, size: tuple[int, int] | None = None) -> _Prepared:
        see, size, flat = getattr(self.engine, "see", None), size or self.image_size, on_white(photo)
        pixels = see(flat, size, self._resample, self._values) if see else self.pixels([flat], size)
        return _Prepared(flat, pixels, photo)

    def _prepare_wide(self, photo: Image.Image) -> _Prepared:
        return self._prepare(photo, wide_size(photo.size, self.image_size))

    def _run(self, prepared: list[_Prepared]) -> Iterable[Logits]:
        parts = [each.pixels for each in prepared]
        return self._logits(np.concatenate(parts) if isinstance(parts[0], np.ndarray) else parts)

    def _run_each(self, prepared: list[_Prepared]) -> Iterable[Logits]:
        return [logits for each in prepared for logits in self._run([each])]

    def _run_averaged(self, prepared: list[_Prepared]) -> Iterable[Logits]:
        return [as_logits(averaged_probabilities(self.logits, self.image_size, each.photo)) for each in prepared]

    def _finish(
        self, read: Callable[..., Reading], source: Photo, prepared: _Prepared, logits: Logits
    ) -> Segmentation:
        seen = read(prepared.photo, logits)
        if prepared.original.mode == "RGBA":
            seen = clear_transparent(seen, np.asarray(prepared.original.getchannel("A")))
        for array in (seen.label_map, seen.probability):
            array.flags.writeable = False  # or the result would copy it
        return Segmentation(
            prepared.original,
            seen.label_map,
            dict(zip(NAMES, seen.means.tolist(), strict=True)),
            name=photo_name(source),
            model=self.name,
            probability=seen.probability,
            wearers=seen.wearers,
        )


def _prepare_later(photo: Image.Image) -> _Prepared:
    """For looks at several sizes, which are made when it is known which."""
    return _Prepared(on_white(photo), np.empty(0, np.float32), photo)
