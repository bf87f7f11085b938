"""Reading clips: upright frames with their times, or a clear error."""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clip_maker import write_clip
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, ImageError
from clothseg.video.reader import open_clip
from clothseg.video.writer import clip_writer


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    doll = draw(3, 96, 64).image
    return [np.roll(doll, 2 * index, axis=1) for index in range(12)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, frames: list[np.ndarray]) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "walk.mp4", frames)


def test_frames_have_their_times(clip: Path, frames: list[np.ndarray]) -> None:
    with open_clip(clip) as opened:
        assert opened.rate == 25 and opened.frames == 12 and opened.seconds == pytest.approx(0.48)
        got = list(opened)
    assert [float(frame.time) for frame in got] == pytest.approx([index / 25 for index in range(12)])
    for frame, expected in zip(got, frames, strict=True):
        assert frame.pixels.dtype == np.uint8 and np.abs(frame.pixels.astype(int) - expected).mean() < 12


def test_variable_frame_rates_are_read(tmp_path: Path, frames: list[np.ndarray]) -> None:
    times = [0.01 * index**2 for index in range(12)]
    for name, codec in (("vary.mp4", "libx264"), ("vary.webm", "libvpx-vp9")):
        with open_clip(write_clip(tmp_path / name, frames, times, codec=codec)) as opened:
            assert [float(frame.time) for frame in opened] == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotated_clips_are_read_upright(tmp_path: Path, frames: list[np.ndarray], rotation: int) -> None:
    lying = [np.ascontiguousarray(np.rot90(frame, -rotation // 90)) for frame in frames[:2]]
    with open_clip(write_clip(tmp_path / "phone.mp4", lying, turned=rotation)) as opened:
        first = next(iter(opened)).pixels
    assert first.shape == frames[0].shape and np.abs(first.astype(int) - frames[0]).mean() < 12


@pytest.mark.parametrize("suffix", [".webm", ".mov", ".gif"])
def test_transparent_clips_keep_their_alpha_and_colours(tmp_path: Path, suffix: str) -> None:
    pixels = np.full((64, 96, 4), (200, 40, 60, 255), np.uint8)
    pixels[:, 32:64, 3], pixels[:, 64:, 3] = 255 if suffix == ".gif" else 128, 0
    path, picture = tmp_path / f"clear{suffix}", Image.fromarray(pixels)
    if suffix == ".gif":
        picture.save(path, save_all=True, append_images=[Image.fromarray(np.flip(pixels, 0)[:, ::-1].copy())])
    else:
        with clip_writer(path, Fraction(25)) as write:
            for index in range(3):
                write(picture, Fraction(index, 25))
    with open_clip(path) as opened:
        got = list(opened)
    assert len(got) == (2 if suffix == ".gif" else 3)
    assert [frame.time for frame in got] == sorted({frame.time for frame in got})
    first = got[0].pixels.astype(int)
    assert first.shape == pixels.shape
    for left in (0, 32, 64):
        found, expected = first[24:40, left + 12 : left + 20], pixels[24:40, left + 12 : left + 20]
        assert np.abs(found[..., 3] - expected[..., 3]).max() <= 3
        if expected[0, 0, 3]:
            assert np.abs(found[..., :3] - expected[..., :3]).max() <= 8


def test_length_and_size_limits_raise_image_errors(clip: Path) -> None:
    with pytest.raises(ImageError, match=r"walk.mp4 is longer than the 0.2 seconds"), open_clip(clip, max_seconds=0.2):
        pass
    with pytest.raises(ImageError, match=r"64 x 96 is 6,144 pixels and the limit is 6,000"):
        with open_clip(clip, max_pixels=6000):
            pass


def test_unreadable_clips_raise_image_errors(tmp_path: Path, clip: Path) -> None:
    whole = clip.read_bytes()
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "notes.mp4").write_text("no clip")
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])  # the index at the end is missing
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\n{clip}\n#EXT-X-ENDLIST\n")
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {clip}\n")
    for name, message in {
        "gone.mp4": "There is no file",
        ".": "is a folder",
        "empty.mp4": "is empty",
        "notes.mp4": "notes.mp4 is not a readable clip",
        "half.mp4": "half.mp4 is not a readable clip",
        "list.m3u8": "list.m3u8 is not a readable clip",
        "list.mp4": "list.mp4 is not a readable clip",
    }.items():
        with pytest.raises(ImageError, match=message), open_clip(tmp_path / name):
            pass


def test_damage_within_a_clip_raises_image_error(tmp_path: Path, frames: list[np.ndarray]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 96, 64, 3), np.uint8)
    whole = write_clip(tmp_path / "long.webm", list(noise), rate=10, codec="libvpx-vp9").read_bytes()
    broken = bytearray(whole)
    broken[len(whole) // 2 :] = (
        np.random.default_rng(1).integers(0, 256, len(whole) - len(whole) // 2, np.uint8).tobytes()
    )
    (tmp_path / "broken.webm").write_bytes(bytes(broken))
    (tmp_path / "short.webm").write_bytes(whole[: len(whole) // 2])
    for name in ("broken.webm", "short.webm"):
        with pytest.raises(ImageError, match=f"{name} (is damaged|ends after)"), open_clip(tmp_path / name) as opened:
            list(opened)


def test_audio_without_video_is_rejected(tmp_path: Path, clip: Path, frames: list[np.ndarray]) -> None:
    import av

    with av.open(str(write_clip(tmp_path / "both.mp4", frames, sound="aac"))) as both:
        with av.open(str(tmp_path / "tone.mp4"), "w") as output:
            stream = output.add_stream_from_template(both.streams.audio[0])
            for packet in both.demux(both.streams.audio[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    output.mux(packet)
    with pytest.raises(ImageError, match="only sound, no pictures"), open_clip(tmp_path / "tone.mp4"):
        pass


def test_missing_pyav_names_the_requirements(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match=r"pip install -r requirements-video\.txt"), open_clip(clip):
        pass
