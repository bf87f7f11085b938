"""Read clips of any origin as upright RGB or RGBA frames with their times, or raise a clear error.

This uses PyAV, an optional package: `pip install "clothseg[video]"`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clothseg.errors import ConfigError, ImageError, needs_extra


MAX_SECONDS = 600.0
MAX_PIXELS = 4096 * 2304
"""Default limit for the pixels of a frame."""

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg,gif"
"""FFmpeg's names of the accepted formats. Playlists are not among them, since they make FFmpeg read other files and
URLs."""

FORMATS_TEXT = "MP4, MOV, WebM, MKV, AVI, MPEG, WMV, FLV, OGV or GIF"

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that support the transparency of WebM and Matroska, by FFmpeg's names of the codecs."""

_ENDS_EARLY = 0.9
"""A clip that ends before this share of its header's duration is incomplete."""


class Frame(NamedTuple):
    """A frame, with the time in seconds, on the clip's own clock, from which it is shown.

    `pixels` are (H, W, 3) uint8 RGB, or (H, W, 4) RGBA if the clip has transparency.
    """

    pixels: npt.NDArray[np.uint8]
    time: Fraction


@dataclass(frozen=True)
class Clip:
    """An open clip.

    Attributes:
        path: The file.
        rate: Frames per second, the mean if they vary.
        seconds: Duration in the file's header; None if it has none.
        frames: Approximate number of frames; None if unknown.
    """

    path: Path
    rate: Fraction
    seconds: float | None
    frames: int | None
    _container: Any = field(repr=False)
    _max_seconds: float = field(repr=False)
    _max_pixels: int = field(repr=False)

    def __iter__(self) -> Iterator[Frame]:
        """Decode the frames, once: upright, with square pixels, and all of the first one's size.

        Raises:
            ImageError: the clip is damaged, incomplete, or longer or larger than allowed.
        """
        import av

        stream = self._container.streams.video[0]
        ratio = Fraction(stream.sample_aspect_ratio or 1)
        first: Frame | None = None
        last: Frame | None = None
        try:
            for decoded in _decoded(self._container, stream):
                self._check(decoded.width, decoded.height)
                time = decoded.time_base * decoded.pts if decoded.pts is not None else None
                if last is not None and (time is None or time <= last.time):
                    time = last.time + 1 / self.rate
                frame = Frame(_upright(decoded, ratio, first), Fraction(time or 0))
                first = first or frame
                if frame.time - first.time > self._max_seconds:
                    raise ImageError(self._too_long())
                last = frame
                yield frame
        except av.FFmpegError as error:
            at = f" after {float(last.time - first.time):.1f} seconds" if first and last else ""
            raise ImageError(
                f"{self.path.name} is damaged{at} and cannot be decoded ({error.strerror}); save or download it again."
            ) from error
        if first is None or last is None:
            raise ImageError(f"{self.path.name} has no frames; save or download it again.")
        lasted = float(last.time - first.time + 1 / self.rate)
        # sound may go on for longer
        own = None if self._container.streams.audio and not stream.duration else self.seconds
        if own and lasted < min(_ENDS_EARLY * own, own - 1):
            raise ImageError(
                f"{self.path.name} ends after {lasted:.1f} of {own:.1f} seconds: it is incomplete; download it again."
            )

    def _check(self, width: int, height: int) -> None:
        if width * height > self._max_pixels:
            raise ImageError(
                f"{self.path.name} is too large: {width} x {height} is {width * height:,} pixels and the limit is "
                f"{self._max_pixels:,}; make it smaller, or raise the limit."
            )

    def _too_long(self) -> str:
        return (
            f"{self.path.name} is longer than the {self._max_seconds:g} seconds allowed; cut it, or raise the limit."
        )


@contextmanager
def open_clip(path: Path, max_seconds: float = MAX_SECONDS, max_pixels: int = MAX_PIXELS) -> Iterator[Clip]:
    """Open a clip; iterate over it to get its frames. Only one frame is in memory at a time.

    Frames are rotated as the file says, and pixels made square. More than eight bits are reduced to eight; HDR is not
    tone-mapped.

    Args:
        path: Path of a file of one of `FORMATS_TEXT`.
        max_seconds: The longest accepted duration.
        max_pixels: The largest accepted width x height, checked before the first frame is decoded.

    Raises:
        ImageError: The file is missing, empty, damaged, too long, too large, or not a clip.
        ConfigError: PyAV is not installed.
    """
    av = import_av()
    if not path.is_file():
        raise ImageError(
            f"{path} is a folder; give the path of a clip." if path.is_dir() else f"There is no file {path}."
        )
    if not path.stat().st_size:
        raise ImageError(f"{path.name} is empty: it has no bytes.")
    try:
        container = av.open(str(path), options=safely())
    except av.FFmpegError as error:
        raise ImageError(
            f"{path.name} is not a readable clip ({error.strerror}); use {FORMATS_TEXT}, or download it again."
        ) from error
    with container:
        if not container.streams.video:
            raise ImageError(f"{path.name} has only sound, no pictures; give another file.")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
        count = stream.frames or round(seconds * rate)
        clip = Clip(path, rate, seconds or None, count or None, container, max_seconds, max_pixels)
        clip._check(stream.width, stream.height)
        if seconds > max_seconds:
            raise ImageError(clip._too_long())
        yield clip


def import_av() -> Any:
    """Import PyAV.

    Raises:
        ConfigError: it is not installed.
    """
    with needs_extra("Reading and writing clips", "video"):
        import av
    return av


def safely() -> dict[str, str]:
    """Return options for opening untrusted files: only our formats, and no other file or URL."""
    return {"format_whitelist": FORMATS, "protocol_whitelist": "file"}


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Decode the stream's pictures, including the transparency of WebM, which FFmpeg's own decoder drops."""
    if stream.metadata.get("alpha_mode") != "1" or stream.codec_context.name not in _ALPHA_DECODERS:
        yield from container.decode(stream)
        return
    import av
    from av.codec.codec import UnknownCodecError

    name = _ALPHA_DECODERS[stream.codec_context.name]
    decoder: Any
    try:
        decoder = av.CodecContext.create(name, "r")
    except UnknownCodecError as error:
        raise ConfigError(f"PyAV here has no decoder {name}, which the clip's transparency needs.") from error
    decoder.thread_type = "AUTO"
    for packet in container.demux(stream):
        yield from decoder.decode(packet)


def _upright(decoded: Any, ratio: Fraction, first: Frame | None) -> npt.NDArray[np.uint8]:
    """Return the picture upright; `ratio` is the width of its pixels; all get the first one's size."""
    turns = round(decoded.rotation / 90) % 4
    size = (decoded.height, max(1, round(decoded.width * ratio)))
    if first is not None:
        size = first.pixels.shape[:2] if turns % 2 == 0 else first.pixels.shape[1::-1]
    transparent = any(component.is_alpha for component in decoded.format.components)
    pixels = decoded.to_ndarray(format="rgba" if transparent else "rgb24", width=size[1], height=size[0])
    return np.ascontiguousarray(np.rot90(pixels, turns))
