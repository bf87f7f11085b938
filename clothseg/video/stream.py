"""Segment a clip's frames without flicker: each frame's probabilities are averaged with those before it.

Earlier probabilities are moved along with the motion between frames, and count less where the frames differ after it.
The network sees a window around the people that follows them. docs/video.md describes the effect.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, Unpack

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError
from clothseg.images.color_space import on_white
from clothseg.images.decode import load_photo
from clothseg.labels import BACKGROUND
from clothseg.options import VIDEO_OPTIONS, SegmentOptions, VideoKeywords, options_of, takes_options
from clothseg.pipelining import pipelined
from clothseg.postprocess.back_view import from_behind
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.people import partition_by_person
from clothseg.postprocess.pipeline import decode_window
from clothseg.postprocess.softmax import as_logits, softmax
from clothseg.postprocess.zoom_crop import LEAST_PIECE
from clothseg.postprocess.zoom_crop import window as zoom_window
from clothseg.segmentation import Segmentation
from clothseg.segmentation.prediction import as_segmentation
from clothseg.segmenter import Segmenter
from clothseg.video.optical_flow import Array, Motion, from_frame, grey_copy, motion_between, places, remap, to_frame


Frame = Image.Image | npt.NDArray[np.uint8]
"""A PIL image, or an (H, W, 3) RGB or (H, W, 4) RGBA uint8 array."""

PAST = 0.7
"""Weight of earlier probabilities where the motion is trusted."""

TURNED_AFTER = 8
"""Number of consecutive frames of the other view after which a person counts as turned round."""

WHOLE_EVERY = 32
"""Number of frames after which the whole frame is segmented again, for people who came in."""

_AIR = 0.05
"""Least margin around the people, as a share of their height or width, before the window moves."""

_ROOMY = 1.7
"""Largest size of a window, relative to a new one, before it is drawn again."""

_WIDER = 1.25
"""How much wider than the network's proportions a window must be to be segmented in its own proportions."""


class Window(NamedTuple):
    """Probabilities of a part of a frame.

    Attributes:
        box: the part, in pixels of the frame.
        probabilities: (18, h, w) float32, the classes' probabilities over the box.
        back_view: whether the person in it is seen from behind; None leaves it to the pipeline.
    """

    box: Box
    probabilities: Array
    back_view: bool | None = None


class Step(NamedTuple):
    """A frame, and its motion from the one before; None for the first frame of a scene."""

    photo: Image.Image
    motion: Motion | None
    original: Image.Image
    """The frame with its transparency, RGBA, or `photo` itself, which is on white."""


class Stream:
    """Segment the frames of one clip or camera in order, with the memory of the last one."""

    def __init__(
        self,
        segmenter: Segmenter,
        options: SegmentOptions | None = None,
        *,
        smooth: bool = True,
        **keywords: Unpack[VideoKeywords],
    ) -> None:
        """Start a stream; the options are those of `segment_frames`.

        Raises:
            ConfigError: a wrong option.
        """
        self._options = SegmentOptions.of(keywords, options)
        own = (*VIDEO_OPTIONS, "orientation")  # either value: a clip says itself how it is turned
        given = [
            name
            for name, option in options_of(SegmentOptions).items()
            if name not in own and getattr(self._options, name) != option.default
        ]
        if given:
            raise ConfigError(f"Clips have no option {given[0]}; use one of {', '.join(VIDEO_OPTIONS)} or smooth.")
        self._segmenter = segmenter
        self._smooth, self._zoom = smooth, self._options.zoom == "auto"
        self._side = SideVote()
        self._grey: npt.NDArray[np.uint8] | None = None
        self._last: Window | None = None
        self._box: Box | None = None
        self._several = False
        self._age = 0

    def __call__(self, frame: Frame) -> Segmentation:
        """Segment the next frame on its own, at once.

        Raises:
            ImageError: the frame cannot be used.
        """
        step = prepare(self.pair(frame))
        (window,) = self.windows([step])
        return self.finish(step, window)

    def pair(self, frame: Frame) -> "_Pair":
        """Return the next frame, its grey copy, and that of the frame before: for `prepare`, in any thread."""
        photo = load_photo(frame, keep_alpha=True)
        before, self._grey = self._grey, grey_copy(np.asarray(on_white(photo)))
        return photo, before, self._grey

    def windows(self, steps: list[Step]) -> list[Window]:
        """Return the windows of the next frames: one pass of the network for each, and another at the start of a
        scene."""
        cuts = [index for index, step in enumerate(steps) if index and step.motion is None]
        return [window for start, end in pairwise([0, *cuts, len(steps)]) for window in self._scene(steps[start:end])]

    def finish(self, step: Step, window: Window) -> Segmentation:
        """Return the labels at the frame's own size; outside of the window all is Background."""
        prediction = decode_window(
            step.photo,
            as_logits(window.probabilities),
            window.box,
            self._options,
            back_view=window.back_view,
            labels=self._segmenter.labels,
        )
        return as_segmentation(
            prediction, step.original, name=None, model=self._segmenter.name, labels=self._segmenter.labels
        )

    def _scene(self, steps: list[Step]) -> list[Window]:
        """Segment frames without a cut between them through one window."""
        photo = steps[0].photo
        size = photo.height, photo.width
        if steps[0].motion is None:
            self._last = self._box = None
            self._side = SideVote()
        if not self._zoom:
            self._box = _whole(size)
        elif self._box is None or self._age >= WHOLE_EVERY:
            (logits,) = self._segmenter.logits([photo], self._segmenter.wide_size(photo.size))
            self._age = 0
            self._several = self._count_people(logits) > 1
            self._box = self._next_box(Window(_whole(size), softmax(logits)), self._box or _whole(size), size)
        box, windows = self._box, []
        answers = self._segmenter.logits([step.photo.crop(box) for step in steps], self._input_size(box))
        for step, each in zip(steps, answers, strict=True):
            now = Window(box, softmax(each))
            self._last = mixed(now, self._last, step.motion, size) if self._smooth else now
            windows.append(self._last._replace(back_view=self._back_view(self._last)))
        self._age += len(steps)
        if self._zoom:
            self._box = self._next_box(windows[-1], box, size)
        return windows

    def _count_people(self, logits: Array) -> int:
        labels = logits.argmax(axis=0).astype(np.uint8)
        return int(partition_by_person(labels, self._segmenter.labels).max())

    def _back_view(self, window: Window) -> bool | None:
        """Decide over time whether the person is seen from behind; with several people, never."""
        if not self._smooth or self._options.edges == "plain" or self._options.back_view == "off":
            return None
        return not self._several and self._side.add(
            from_behind(as_logits(window.probabilities), self._segmenter.labels)
        )

    def _input_size(self, box: Box) -> tuple[int, int] | None:
        """Return the network's input size: the box's own proportions and more pixels, if people stand side by side."""
        height, width = self._segmenter.image_size
        if not self._several:  # one person who fills a wide frame is large enough
            return None
        wide = (box.right - box.left) * height > _WIDER * (box.bottom - box.top) * width
        return self._segmenter.wide_size((box.right - box.left, box.bottom - box.top)) if wide else None

    def _next_box(self, window: Window, box: Box, size: tuple[int, int]) -> Box:
        """Return the next box: `box` again, so that the view stays calm, unless it is too narrow or too wide."""
        figure, whole = figure_of(window), _whole(size)
        if figure is None:
            return whole
        height, width = self._segmenter.image_size
        wanted = zoom_window(figure, height / width, size)
        # where the frame ends no air is needed
        air = [abs(own - edge) for own, edge, end in zip(figure, box, whole, strict=True) if edge != end]
        if air and min(air) == 0 and window.box == box:  # more of the people may lie beyond
            self._age = WHOLE_EVERY
        outside = (
            figure.left < box.left or figure.top < box.top or figure.right > box.right or figure.bottom > box.bottom
        )
        narrow = outside or (air and min(air) < _AIR * max(figure.right - figure.left, figure.bottom - figure.top))
        return wanted if narrow or _area(box) > _ROOMY * _area(wanted) else box


class SideVote:
    """Decide over time whether somebody is seen from behind; a single deviating frame changes nothing."""

    def __init__(self) -> None:
        """Start a scene; its first frame decides until others do."""
        self._state: bool | None = None
        self._against = 0

    def add(self, back_view: bool) -> bool:
        """Return the decision for the next frame, which on its own looks like `back_view`."""
        if self._state is None:
            self._state = back_view
        self._against = self._against + 1 if back_view != self._state else 0
        if self._against >= TURNED_AFTER:
            self._state, self._against = back_view, 0
        return self._state


@takes_options(*VIDEO_OPTIONS)
def segment_frames(
    segmenter: Segmenter,
    frames: Iterable[Frame],
    options: SegmentOptions | None = None,
    *,
    smooth: bool = True,
    batch_size: int = 4,
    **keywords: Unpack[VideoKeywords],
) -> Iterator[Segmentation]:
    """Segment the frames of a clip, lazily and in order; at most two batches of frames are in memory.

    If you do not take all results, close or drop the iterator to end its threads.

    Args:
        segmenter: the network.
        frames: PIL images or (H, W, 3) uint8 RGB arrays, any number.
        options: as for photos; clips have `VIDEO_OPTIONS`. With zoom "auto" (the default) one window follows all
            people; "off" uses the whole frame.
        smooth: average each frame with those before it, so that labels do not flicker, and decide over several frames
            whether somebody is seen from behind; False segments each frame on its own.
        batch_size: number of frames in one pass of the network, through the same window.
        keywords: single options by their names.

    Raises:
        ImageError: a frame cannot be used.
        ConfigError: `batch_size` is below 1, or a wrong option.
    """
    if batch_size < 1:
        raise ConfigError(f"The batch size must be at least 1, not {batch_size}.")
    stream = Stream(segmenter, options, smooth=smooth, **keywords)

    def finish(_: _Pair, step: Step, window: Window) -> Segmentation:
        return stream.finish(step, window)

    return pipelined(map(stream.pair, frames), batch_size, prepare, stream.windows, finish)


_Pair = tuple[Image.Image, npt.NDArray[np.uint8] | None, npt.NDArray[np.uint8]]
"""A frame, the grey copy of the one before, and its own."""


def prepare(pair: _Pair) -> Step:
    """Estimate the motion that leads to a frame."""
    photo, before, after = pair
    return Step(on_white(photo), None if before is None else motion_between(before, after), photo)


def mixed(now: Window, before: Window | None, motion: Motion | None, size: tuple[int, int]) -> Window:
    """Average a frame's probabilities with those of the frame before, which were averaged in the same way.

    Args:
        now: the network's probabilities for the frame.
        before: the result for the frame before, of the same part or another; None for the first.
        motion: from the frame before to this one; None after a cut.
        size: (H, W) of both frames.
    """
    if before is None or motion is None:
        return now
    small = motion.trust.shape
    points = to_frame(places(now.probabilities.shape[1:]), now.box, now.probabilities.shape[1:])
    on_small = from_frame(points, _whole(size), small)
    scale = np.array([size[1] / small[1], size[0] / small[0]], np.float32)
    earlier = from_frame(points + remap(motion.flow, on_small) * scale, before.box, before.probabilities.shape[1:])
    known = remap(np.ones(before.probabilities.shape[1:], np.float32), earlier, cv2.BORDER_CONSTANT)
    weight = np.float32(PAST) * remap(motion.trust, on_small) * known
    old = np.stack([remap(plane, earlier) for plane in before.probabilities])
    return Window(now.box, now.probabilities + weight * (old - now.probabilities))


def figure_of(window: Window) -> Box | None:
    """Return the box, in pixels of the frame, that contains all people of a window; None if there is nobody."""
    figure = (window.probabilities.argmax(axis=0) != BACKGROUND).view(np.uint8)
    _, _, pieces, _ = cv2.connectedComponentsWithStats(figure, connectivity=8)
    pieces = pieces[1:]
    if not len(pieces):
        return None
    pieces = pieces[pieces[:, cv2.CC_STAT_AREA] >= LEAST_PIECE * pieces[:, cv2.CC_STAT_AREA].max()]
    corners = np.stack([pieces[:, :2].min(axis=0), (pieces[:, :2] + pieces[:, 2:4]).max(axis=0)])
    (left, top), (right, bottom) = (
        np.rint(to_frame(corners - 0.5, window.box, figure.shape) + 0.5).astype(int).tolist()
    )
    return Box(left, top, right, bottom)


def _whole(size: tuple[int, int]) -> Box:
    return Box(0, 0, size[1], size[0])


def _area(box: Box) -> int:
    return (box.right - box.left) * (box.bottom - box.top)
