"""Write pictures with their times to a transparent or opaque clip, or to PNGs in a folder or a ZIP."""

import os
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError
from clothseg.images.atomic_files import atomic_path, encoded
from clothseg.images.file_names import temporary_beside
from clothseg.video.reader import import_av, safely


Write = Callable[[Image.Image, Fraction], None]
"""Takes the pictures in order, all of one size and mode, each with the time in seconds from which it is shown."""


class Encoding(NamedTuple):
    """Settings of a kind of clip; `transparent`: whether it takes RGBA pictures (else RGB)."""

    transparent: bool
    codec: str
    pixels: str
    options: dict[str, str]


ENCODINGS = {
    ".webm": Encoding(
        True,
        "libvpx-vp9",
        "yuva420p",
        {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "7", "row-mt": "1", "auto-alt-ref": "0"},
    ),
    ".mov": Encoding(True, "prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "8"}),
    ".mp4": Encoding(False, "libx264", "yuv420p", {"crf": "18", "preset": "veryfast"}),
}
"""By suffix: VP9 for browsers, ProRes 4444 for editing programs (large and slow), H.264 otherwise."""

_TICKS = 90_000
"""Time unit as a fraction of a second: gives whole numbers for all common frame rates, including 30000/1001."""

_BT709 = 1

_BLEED = 9
"""Side of the window in pixels, odd: within half of it around a mask, its colours are extended."""


@contextmanager
def clip_writer(path: Path, rate: Fraction, sound: Path | None = None) -> Iterator[Write]:
    """Write a clip atomically, with the times of its pictures.

    Args:
        path: Its suffix, one of `ENCODINGS`, gives the format.
        rate: Frames per second, for the header and the last picture.
        sound: A clip whose sound is copied if the file can hold it unchanged; otherwise there is no sound.

    Raises:
        ConfigError: PyAV or one of its encoders is not installed, or the file cannot be written.
    """
    av = import_av()
    from av.codec.codec import UnknownCodecError

    encoding = ENCODINGS[path.suffix.lower()]
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(atomic_path(path))
            output = stack.enter_context(av.open(str(temporary), "w", format=path.suffix[1:].lower()))
            stream: Any = None
            copied: Iterator[tuple[float, Any]] = iter(())
            waiting: tuple[float, Any] | None = None

            def write(picture: Image.Image, time: Fraction) -> None:
                nonlocal stream, copied, waiting
                frame = _frame(av, picture, encoding)
                if stream is None:
                    stream = _stream(output, encoding, frame, rate)
                    copied = _sound(av, sound, output) if sound else copied
                    waiting = next(copied, None)
                while waiting and waiting[0] <= time:
                    output.mux(waiting[1])
                    waiting = next(copied, None)
                frame.pts, frame.time_base = round(time * _TICKS), Fraction(1, _TICKS)
                output.mux(stream.encode(frame))

            yield write
            if stream is not None:
                output.mux(stream.encode(None))
            for _, packet in (*([waiting] if waiting else []), *copied):
                output.mux(packet)
        except UnknownCodecError as error:
            raise ConfigError(f"PyAV here has no encoder {encoding.codec}, which {path.name} needs.") from error
        except (av.FFmpegError, OSError) as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror or error}.") from error


@contextmanager
def picture_writer(path: Path, rate: Fraction) -> Iterator[Write]:
    """Write frame-000001.png and so on into a new folder or a ZIP, atomically.

    frames.ffconcat contains their times: `ffmpeg -safe 0 -i frames.ffconcat` makes a clip of them again.

    Args:
        path: A ZIP if its suffix is .zip, else a folder that is new or empty.
        rate: Frames per second, for the last picture.

    Raises:
        ConfigError: The folder is not empty, or cannot be written.
    """
    times: list[Fraction] = []
    try:
        with _zip(path) if path.suffix.lower() == ".zip" else _folder(path) as put:

            def write(picture: Image.Image, time: Fraction) -> None:
                times.append(time)
                put(_name(len(times)), encoded(picture, "PNG"))

            yield write
            lines = ["ffconcat version 1.0"]
            for number, time in enumerate(times, start=1):
                end = times[number] if number < len(times) else time + 1 / rate
                lines += [f"file {_name(number)}", "option framerate 1000", f"duration {float(end - time):.6f}"]
            put("frames.ffconcat", "\n".join([*lines, ""]).encode())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}.") from error


def spread(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Extend the colours of a cut-out (H, W, 4) uint8 RGBA for a few invisible pixels beyond its edge.

    Compression mixes the colours of neighbouring pixels, and would blend the black outside into the edge.
    """
    solid = (picture[..., 3] > 0).astype(np.float32)
    near = cv2.blur(solid, (_BLEED, _BLEED))
    mean = cv2.blur(picture[..., :3] * solid[..., None], (_BLEED, _BLEED)) / np.maximum(near, 1e-6)[..., None]
    out = picture.copy()
    np.copyto(out[..., :3], np.rint(mean).astype(np.uint8), where=((solid == 0) & (near > 1e-4))[..., None])
    return out


def _name(number: int) -> str:
    return f"frame-{number:06d}.png"


@contextmanager
def _zip(path: Path) -> Iterator[Callable[[str, bytes], None]]:
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:  # PNGs are compressed already
        yield archive.writestr


@contextmanager
def _folder(path: Path) -> Iterator[Callable[[str, bytes], None]]:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(f"{path} exists already; remove it, or choose another name.")
    temporary = temporary_beside(path, uuid.uuid4().hex)
    temporary.mkdir()
    try:
        yield lambda name, data: _put(temporary / name, data)
        os.replace(temporary, path)  # an empty folder is replaced as well
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _frame(av: Any, picture: Image.Image, encoding: Encoding) -> Any:
    pixels = np.asarray(picture.convert("RGBA" if encoding.transparent else "RGB"))
    if encoding.transparent:
        pixels = spread(pixels)
    elif pixels.shape[0] % 2 or pixels.shape[1] % 2:  # H.264 keeps colours for pairs of pixels
        pixels = np.pad(pixels, ((0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)), mode="edge")
    frame = av.VideoFrame.from_ndarray(pixels, format="rgba" if encoding.transparent else "rgb24")
    return frame.reformat(format=encoding.pixels, dst_colorspace="ITU709")


def _stream(output: Any, encoding: Encoding, frame: Any, rate: Fraction) -> Any:
    stream = output.add_stream(encoding.codec, rate=rate, options=dict(encoding.options))
    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, encoding.pixels
    stream.codec_context.time_base = stream.time_base = Fraction(1, _TICKS)
    # players guess by the size of the picture else
    stream.codec_context.colorspace = stream.codec_context.color_primaries = stream.codec_context.color_trc = _BT709
    stream.codec_context.color_range = 1  # 16 to 235
    return stream


def _sound(av: Any, source: Path, output: Any) -> Iterator[tuple[float, Any]]:
    """Yield packets of a clip's sound with their times, ready for `output`; none if it cannot hold them unchanged."""
    container = av.open(str(source), options=safely())
    stream = next(iter(container.streams.audio), None)
    if stream is None or stream.codec_context.name not in output.supported_codecs:
        container.close()
        return iter(())
    target = output.add_stream_from_template(stream)

    def packets() -> Iterator[tuple[float, Any]]:
        with container:
            for packet in container.demux(stream):
                if packet.dts is not None:  # the last one is a mark without content
                    time = float(packet.dts * packet.time_base)
                    packet.stream = target
                    yield time, packet

    return packets()
