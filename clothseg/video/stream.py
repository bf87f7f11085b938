"""Segmentations of a clip's frames that do not flicker: each frame's probabilities are mixed with those before it.

What was known before is carried along by the motion between frames, and counts less where the frames do not look
alike after it: there the network is believed. It looks at the surroundings of the people, which follow them.
docs/video.md has what that brings.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError
from clothseg.images.decode import load_photo
from clothseg.labels import BACKGROUND, NAMES
from clothseg.pipelining import overlapped
from clothseg.postprocess.cleanup import tidy, without_legs
from clothseg.postprocess.guided_edges import follow_edges
from clothseg.postprocess.people import territories
from clothseg.postprocess.pipeline import wide_size
from clothseg.postprocess.tta import as_logits, probabilities
from clothseg.postprocess.upsample import label_pixels, winners
from clothseg.postprocess.zoom_crop import LEAST_PIECE, Box, paste, window
from clothseg.segmentation import Segmentation
from clothseg.segmenter import EDGES, ZOOM, Segmenter
from clothseg.video.optical_flow import Array, Motion, from_frame, grey_copy, motion_between, places, remap, to_frame


Frame = Image.Image | npt.NDArray[np.uint8]
"""A PIL image or an (H, W, 3) uint8 RGB array."""

PAST = 0.7
"""Weight of what was known before a frame, where the motion is trusted."""

WHOLE_EVERY = 32
"""Frames after which the whole frame is looked at again, for people who came in."""

_AIR = 0.05
"""Least air about the people, as a share of their height or width, before they are given new surroundings."""

_ROOMY = 1.7
"""How many times as large as they would be now surroundings may be before they are drawn anew."""

_WIDER = 1.25
"""How much wider than the network's proportions surroundings must be to be looked at in their own."""

_GRID = 320
"""Longer side of the grid on which a class's mean probability is taken."""


class Look(NamedTuple):
    """What is known of a part of a frame: `shares` (18, h, w) float32, the classes' probabilities over `box`."""

    box: Box
    shares: Array


class Step(NamedTuple):
    """A frame, and how it follows from the one before; None for the first of a scene."""

    photo: Image.Image
    motion: Motion | None


class Stream:
    """Looks at the frames of one clip or camera in their order, and remembers what it knew of the last one."""

    def __init__(
        self,
        segmenter: Segmenter,
        *,
        smooth: bool = True,
        zoom: str = "auto",
        edges: str = "guided",
        rules: bool = False,
    ) -> None:
        """Begin; the options are those of `segment_frames`.

        Raises:
            ConfigError: an option has no such value.
        """
        for name, value, values in (("Edges", edges, EDGES), ("Zoom", zoom, ZOOM)):
            if value not in values:
                raise ConfigError(f"{name} can be {' or '.join(values)}, not {value!r}.")
        self._segmenter = segmenter
        self._smooth, self._zoom, self._guided, self._rules = smooth, zoom == "auto", edges == "guided", rules
        self._grey: npt.NDArray[np.uint8] | None = None
        self._last: Look | None = None
        self._box: Box | None = None
        self._several = False
        self._age = 0

    def __call__(self, frame: Frame) -> Segmentation:
        """The next frame by itself, as soon as it can be.

        Raises:
            ImageError: the frame cannot be used.
        """
        step = prepare(self.pair(frame))
        (look,) = self.looks([step])
        return self.finish(step, look)

    def pair(self, frame: Frame) -> "_Pair":
        """The next frame, its grey copy, and that of the frame before: for `prepare`, in any thread."""
        photo = load_photo(frame)
        before, self._grey = self._grey, grey_copy(np.asarray(photo))
        return photo, before, self._grey

    def looks(self, steps: list[Step]) -> list[Look]:
        """What is known of the next frames: a pass of the network for each, and one more where a scene begins."""
        cuts = [index for index, step in enumerate(steps) if index and step.motion is None]
        return [look for start, end in pairwise([0, *cuts, len(steps)]) for look in self._scene(steps[start:end])]

    def finish(self, step: Step, look: Look) -> Segmentation:
        """The labels at the frame's own size; beyond the look's box all is Background."""
        photo, logits = step.photo, as_logits(look.shares)
        part = photo.crop(look.box)
        rows, columns = part.height, part.width
        if self._guided:
            logits = without_legs(logits)
            labels = follow_edges(logits, part)
        else:
            labels = winners(logits, (rows, columns))
        shrink = max(1.0, max(rows, columns) / _GRID)
        _, means, _ = label_pixels(logits, (max(1, round(rows / shrink)), max(1, round(columns / shrink))))
        size = photo.height, photo.width
        label_map = paste(np.zeros(size, np.uint8), labels, look.box, size)
        if self._rules:
            label_map = tidy(label_map)
        label_map.flags.writeable = False  # or the result would copy it
        confidence = {name: mean for name, mean in zip(NAMES, means.tolist(), strict=True) if mean}
        return Segmentation(photo, label_map, confidence, model=self._segmenter.name)

    def _scene(self, steps: list[Step]) -> list[Look]:
        """Frames without a cut between them, looked at through one box."""
        photo = steps[0].photo
        size = photo.height, photo.width
        if steps[0].motion is None:
            self._last = self._box = None
        if not self._zoom:
            self._box = _whole(size)
        elif self._box is None or self._age >= WHOLE_EVERY:
            (shares,) = self._segmenter.logits([photo], wide_size(photo.size, self._segmenter.image_size))
            self._age = 0
            self._several = territories(shares.argmax(axis=0).astype(np.uint8)).max() > 1
            self._box = self._surroundings(Look(_whole(size), probabilities(shares)), self._box or _whole(size), size)
        box, looks = self._box, []
        logits = self._segmenter.logits([step.photo.crop(box) for step in steps], self._input_size(box))
        for step, each in zip(steps, logits, strict=True):
            now = Look(box, probabilities(each))
            self._last = mixed(now, self._last, step.motion, size) if self._smooth else now
            looks.append(self._last)
        self._age += len(steps)
        if self._zoom:
            self._box = self._surroundings(looks[-1], box, size)
        return looks

    def _input_size(self, box: Box) -> tuple[int, int] | None:
        """Of what the network sees: where people stand side by side, the box's own proportions, and more pixels."""
        height, width = self._segmenter.image_size
        if not self._several:  # one person who fills a wide frame is large enough
            return None
        wide = (box.right - box.left) * height > _WIDER * (box.bottom - box.top) * width
        return wide_size((box.right - box.left, box.bottom - box.top), (height, width)) if wide else None

    def _surroundings(self, look: Look, box: Box, size: tuple[int, int]) -> Box:
        """Where to look next: through `box` again, so that the view stays calm, unless it is too narrow or wide."""
        figure, whole = figure_of(look), _whole(size)
        if figure is None:
            return whole
        height, width = self._segmenter.image_size
        wanted = window(figure, height / width, size)
        # where the frame ends no air is needed
        air = [abs(own - edge) for own, edge, end in zip(figure, box, whole, strict=True) if edge != end]
        if air and min(air) == 0 and look.box == box:  # more of the people may lie beyond
            self._age = WHOLE_EVERY
        outside = (
            figure.left < box.left or figure.top < box.top or figure.right > box.right or figure.bottom > box.bottom
        )
        narrow = outside or (air and min(air) < _AIR * max(figure.right - figure.left, figure.bottom - figure.top))
        return wanted if narrow or _area(box) > _ROOMY * _area(wanted) else box


def segment_frames(
    segmenter: Segmenter,
    frames: Iterable[Frame],
    *,
    smooth: bool = True,
    zoom: str = "auto",
    edges: str = "guided",
    rules: bool = False,
    batch_size: int = 4,
) -> Iterator[Segmentation]:
    """Segment the frames of a clip, lazily, in their order; at most two batches of frames are held.

    Close the iterator, or drop it, if you do not take all results: its threads end then.

    Args:
        segmenter: the network.
        frames: PIL images or (H, W, 3) uint8 RGB arrays, as many as there are.
        smooth: mix each frame with those before it, so that labels do not flicker; False takes each as it is.
        zoom: "auto" (the default) looks at the surroundings of all people together; "off" at the whole frame.
        edges: as for photos: "guided" (the default) or "plain".
        rules: as for photos, for clips of one person: drop specks, and what cannot be there
        (`clothseg.postprocess.cleanup`).
        batch_size: how many frames go through the network together, looked at through the same box.

    Raises:
        ImageError: a frame cannot be used.
        ConfigError: `batch_size` is below 1, or an option has no such value.
    """
    if batch_size < 1:
        raise ConfigError(f"The batch size must be at least 1, not {batch_size}.")
    stream = Stream(segmenter, smooth=smooth, zoom=zoom, edges=edges, rules=rules)

    def finish(_: _Pair, step: Step, look: Look) -> Segmentation:
        return stream.finish(step, look)

    return overlapped(map(stream.pair, frames), batch_size, prepare, stream.looks, finish)


_Pair = tuple[Image.Image, npt.NDArray[np.uint8] | None, npt.NDArray[np.uint8]]
"""A frame, the grey copy of the one before, and its own."""


def prepare(pair: _Pair) -> Step:
    """Find the motion that leads to a frame."""
    photo, before, after = pair
    return Step(photo, None if before is None else motion_between(before, after))


def mixed(now: Look, before: Look | None, motion: Motion | None, size: tuple[int, int]) -> Look:
    """A frame's probabilities, mixed with those of the frame before, which were mixed so themselves.

    Args:
        now: what the network says of the frame.
        before: what came out for the frame before, of the same part or another; None for the first.
        motion: from the frame before to this one; None after a cut.
        size: (H, W) of both frames.
    """
    if before is None or motion is None:
        return now
    small = motion.trust.shape
    points = to_frame(places(now.shares.shape[1:]), now.box, now.shares.shape[1:])
    on_small = from_frame(points, _whole(size), small)
    scale = np.array([size[1] / small[1], size[0] / small[0]], np.float32)
    earlier = from_frame(points + remap(motion.flow, on_small) * scale, before.box, before.shares.shape[1:])
    known = remap(np.ones(before.shares.shape[1:], np.float32), earlier, cv2.BORDER_CONSTANT)
    weight = np.float32(PAST) * remap(motion.trust, on_small) * known
    old = np.stack([remap(plane, earlier) for plane in before.shares])
    return Look(now.box, now.shares + weight * (old - now.shares))


def figure_of(look: Look) -> Box | None:
    """The box, in pixels of the frame, that holds all people of a look; None where there is nobody."""
    figure = (look.shares.argmax(axis=0) != BACKGROUND).view(np.uint8)
    _, _, pieces, _ = cv2.connectedComponentsWithStats(figure, connectivity=8)
    pieces = pieces[1:]
    if not len(pieces):
        return None
    pieces = pieces[pieces[:, cv2.CC_STAT_AREA] >= LEAST_PIECE * pieces[:, cv2.CC_STAT_AREA].max()]
    corners = np.stack([pieces[:, :2].min(axis=0), (pieces[:, :2] + pieces[:, 2:4]).max(axis=0)])
    (left, top), (right, bottom) = np.rint(to_frame(corners - 0.5, look.box, figure.shape) + 0.5).astype(int).tolist()
    return Box(left, top, right, bottom)


def _whole(size: tuple[int, int]) -> Box:
    return Box(0, 0, size[1], size[0])


def _area(box: Box) -> int:
    return (box.right - box.left) * (box.bottom - box.top)
