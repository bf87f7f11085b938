"""Clips in the formats of cameras and phones."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt


def write_clip(
    path: Path,
    frames: Sequence[npt.NDArray[np.uint8]],
    times: Sequence[float] | None = None,
    rate: int = 25,
    turned: int = 0,
    sound: str = "",
    codec: str = "libx264",
) -> Path:
    """Frames (H, W, 3) uint8 of even sides as a clip; `times` in seconds, `turned` as a display matrix, a tone."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate, options={"crf": "12", "preset": "veryfast"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 90_000)
        if turned:
            stream.set_display_rotation(turned)
        if sound:
            tone = output.add_stream(sound, rate=48_000)
            tone.layout = "mono"
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            frame.pts = round((times[index] if times else index / rate) * 90_000)
            frame.time_base = Fraction(1, 90_000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound:
            wave = np.sin(np.arange(48_000 * len(frames) // rate) * 0.06).astype(np.float32)
            heard = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            heard.sample_rate, heard.pts = 48_000, 0
            output.mux([*tone.encode(heard), *tone.encode(None)])
    return path
