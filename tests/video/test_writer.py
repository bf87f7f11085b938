"""Writing clips: transparent, opaque, or as PNGs; always atomic."""

import zipfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clip_maker import write_clip
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, CutoutOptions
from clothseg.outputs.cutout import lay_on, refine
from clothseg.outputs.render import cutout
from clothseg.video.reader import open_clip
from clothseg.video.writer import ENCODINGS, clip_writer, picture_writer, spread


TIMES = [Fraction(number, 30) for number in (0, 1, 2, 5, 6)]


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    """Cut-outs with odd sizes."""
    doll = draw(3, 97, 65)
    made = cutout(doll.image, doll.mask > 0)
    return [Image.fromarray(np.roll(made, 2 * index, axis=1)) for index in range(len(TIMES))]


def decoded(path: Path, codec: str) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create(codec, "r")
        decoder.extradata = stream.codec_context.extradata
        if codec == "prores":  # its tag says that there is an alpha channel
            return [frame.to_ndarray(format="rgba") for frame in container.decode(stream)]
        packets = (packet if packet.size else None for packet in container.demux(stream))
        return [frame.to_ndarray(format="rgba") for packet in packets for frame in decoder.decode(packet)]


@pytest.mark.parametrize(("name", "codec"), [("out.webm", "libvpx-vp9"), ("out.mov", "prores")])
def test_transparent_clips_keep_alpha_and_times(
    tmp_path: Path, pictures: list[Image.Image], name: str, codec: str
) -> None:
    with clip_writer(tmp_path / name, Fraction(30)) as write:
        for picture, time in zip(pictures, TIMES, strict=True):
            write(picture, time)
    frames = decoded(tmp_path / name, codec)
    assert len(frames) == len(pictures)
    for frame, picture in zip(frames, pictures, strict=True):
        expected = np.asarray(picture)
        assert frame.shape == expected.shape
        solid = expected[..., 3] > 0
        assert ((frame[..., 3] > 127) == solid).mean() > 0.99
        assert np.abs(frame[solid][:, :3].astype(int) - expected[solid][:, :3]).mean() < 12
    with open_clip(tmp_path / name) as opened:
        assert [float(frame.time) for frame in opened] == pytest.approx([float(time) for time in TIMES], abs=1e-3)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("name", "codec", "most"), [("soft.webm", "libvpx-vp9", 8), ("soft.mov", "prores", 3)])
def test_soft_edges_are_kept_when_composited(tmp_path: Path, name: str, codec: str, most: float) -> None:
    """Players composite frames by alpha: the result is compared on black, white and green."""
    doll = draw(3, 320, 224)
    made = refine(doll.image, doll.mask > 0, CutoutOptions(soft_edges=True, feather=3))
    with clip_writer(tmp_path / name, Fraction(30)) as write:
        write(Image.fromarray(made), Fraction(0))
    (frame,) = decoded(tmp_path / name, codec)
    soft = (made[..., 3] > 0) & (made[..., 3] < 255)
    assert soft.sum() > 2000 and np.abs(frame[..., 3].astype(int) - made[..., 3])[soft].mean() < most
    assert frame[..., 3][made[..., 3] == 255].min() > 225 and not (frame[..., 3][made[..., 3] == 0] > 40).any()
    for ground in ("#000000", "#ffffff", "#00ff00"):
        error = np.abs(lay_on(frame, ground).astype(int) - lay_on(made, ground))
        assert error[soft].mean() < most, ground


def test_opaque_clips_keep_colours_times_and_sound(tmp_path: Path, pictures: list[Image.Image]) -> None:
    frames = [np.asarray(picture.convert("RGB"))[:96, :64] for picture in pictures]
    source = write_clip(tmp_path / "source.mp4", frames, [float(time) for time in TIMES], rate=30, sound="aac")
    with clip_writer(tmp_path / "out.mp4", Fraction(30), source) as write:
        for picture, time in zip(pictures, TIMES, strict=True):
            write(picture.convert("RGB"), time)
    with open_clip(tmp_path / "out.mp4") as opened:
        got = list(opened)
    assert [float(frame.time) for frame in got] == pytest.approx([float(time) for time in TIMES], abs=1e-3)
    assert got[0].pixels.shape == (98, 66, 3)  # an even number of pixels
    assert np.abs(got[0].pixels[:97, :65].astype(int) - np.asarray(pictures[0].convert("RGB"))).mean() < 12
    heard = []
    for path in (source, tmp_path / "out.mp4"):
        with av.open(str(path)) as container:
            heard.append([bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size])
    assert heard[0] and heard[0] == heard[1]


def test_flat_colours_are_kept(tmp_path: Path) -> None:
    color = np.array([200, 40, 90], np.uint8)
    picture = Image.fromarray(np.broadcast_to(color, (64, 64, 3)).copy())
    with clip_writer(tmp_path / "flat.mp4", Fraction(25)) as write:
        write(picture, Fraction(0))
    with open_clip(tmp_path / "flat.mp4") as opened:
        (frame,) = opened
    assert np.abs(frame.pixels.astype(int) - color).max() <= 4


@pytest.mark.parametrize("name", ["frames", "frames.zip"])
def test_picture_folders_keep_frames_and_times(tmp_path: Path, pictures: list[Image.Image], name: str) -> None:
    with picture_writer(tmp_path / name, Fraction(30)) as write:
        for picture, time in zip(pictures, TIMES, strict=True):
            write(picture, time)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    folder = tmp_path / "unpacked" if name.endswith(".zip") else tmp_path / name
    if name.endswith(".zip"):
        zipfile.ZipFile(tmp_path / name).extractall(folder)
    for number, picture in enumerate(pictures, start=1):
        with Image.open(folder / f"frame-{number:06d}.png") as image:
            assert image.mode == "RGBA" and np.array_equal(np.asarray(image), np.asarray(picture))
    with av.open(str(folder / "frames.ffconcat"), options={"safe": "0"}) as container:
        assert [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.size] == pytest.approx(
            [float(time) for time in TIMES], abs=1e-3
        )


@pytest.mark.parametrize("name", ["out.webm", "out.mp4", "frames", "frames.zip"])
def test_interrupted_writer_leaves_no_files(tmp_path: Path, pictures: list[Image.Image], name: str) -> None:
    writer = clip_writer if Path(name).suffix in ENCODINGS else picture_writer
    with pytest.raises(KeyboardInterrupt), writer(tmp_path / name, Fraction(30)) as write:
        write(pictures[0], Fraction(0))
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_existing_folders_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").touch()
    with pytest.raises(ConfigError, match="mine exists already"), picture_writer(tmp_path / "mine", Fraction(30)):
        pass
    for writer, name in ((clip_writer, "out.webm"), (picture_writer, "out.zip"), (picture_writer, "out")):
        with (
            pytest.raises(ConfigError, match="cannot be written"),
            writer(tmp_path / "gone" / name, Fraction(30)) as write,
        ):
            write(Image.new("RGBA", (8, 8)), Fraction(0))


def test_spread_extends_colours_slightly_beyond_the_edge() -> None:
    doll = draw(3, 97, 65)
    made = cutout(doll.image, doll.mask > 0)
    out = spread(made)
    solid = made[..., 3] > 0
    assert np.array_equal(out[solid], made[solid]) and np.array_equal(out[..., 3], made[..., 3])
    import cv2

    far = cv2.dilate(solid.view(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert not out[far].any() and out[~far & ~solid][:, :3].any(axis=1).mean() > 0.9
