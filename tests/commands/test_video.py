"""`python -m clothseg video` writes clips or PNG frames."""

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from clip_maker import write_clip
from moving_pictures import handheld
from paper_dolls import draw
from PIL import Image

from clothseg import CutoutOptions, Segmenter
from clothseg.cli import main
from clothseg.labels import GROUPS
from clothseg.video.reader import open_clip
from clothseg.video.stream import segment_frames


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    doll = draw(3, 160, 120)
    moving = handheld(doll.image, doll.mask, 6, np.random.default_rng(0))
    return write_clip(tmp_path_factory.mktemp("clips") / "walk.mp4", moving.frames, rate=10, sound="aac")


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> list[str]:
    return ["--model", str(tiny_model)]


def frames_of(path: Path) -> list[np.ndarray]:
    with open_clip(path) as opened:
        return [frame.pixels for frame in opened]


def test_png_frames_equal_the_library(
    clip: Path, model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = list(segment_frames(Segmenter.from_pretrained(model[1]), frames_of(clip)))
    for kind, name in (("labels", "labels"), ("cutout", "cutouts.zip")):
        assert main(["video", str(clip), "--out", str(tmp_path / name), "--write", kind, *model]) == 0
        told = capsys.readouterr()
        assert told.out.startswith("6 frames, ") and "times real time" in told.out and "of the labels stay" in told.out
        assert "6/6" in told.err and "frames/s" in told.err
    zipfile.ZipFile(tmp_path / "cutouts.zip").extractall(tmp_path / "cutouts")
    for number, result in enumerate(expected, start=1):
        with Image.open(tmp_path / "labels" / f"frame-{number:06d}.png") as image:
            assert np.array_equal(np.asarray(image), result.label_map)
        with Image.open(tmp_path / "cutouts" / f"frame-{number:06d}.png") as image:
            assert np.array_equal(np.asarray(image)[..., 3] > 0, result.mask(*GROUPS["All garments"]))


def test_output_clips_keep_frames_and_times(clip: Path, model: list[str], tmp_path: Path) -> None:
    for name, more in (("out.webm", ["--keep", "Body", "Dress"]), ("out.mp4", ["--no-smooth", "--zoom", "off"])):
        assert main(["video", str(clip), "--out", str(tmp_path / name), *more, *model]) == 0
        with open_clip(tmp_path / name) as opened:
            assert [float(frame.time) for frame in opened] == pytest.approx(
                [index / 10 for index in range(6)], abs=2e-3
            )
            assert bool(opened._container.streams.audio) == (name == "out.mp4")


def test_cutout_options_apply_to_frames(clip: Path, model: list[str], tmp_path: Path) -> None:
    Image.new("RGB", (300, 100), "teal").save(tmp_path / "wall.png")
    options = {"grow": 2, "soft_edges": True, "fill_holes": True, "drop_specks": True}
    asked = ["--grow", "2", "--soft_edges", "--fill_holes", "--drop_specks"]
    results = list(segment_frames(Segmenter.from_pretrained(model[1]), frames_of(clip), rules=True))
    for name, ground in (("clear", "none"), ("teal", str(tmp_path / "wall.png")), ("orange", "#ff8800")):
        more = [*asked, "--rules", "--background", ground, "--out", str(tmp_path / name)]
        assert main(["video", str(clip), *more, *model]) == 0
        background = Path(ground) if name == "teal" else ground
        cutout = CutoutOptions.of({**options, "background": background})
        for number, result in enumerate(results, start=1):
            with Image.open(tmp_path / name / f"frame-{number:06d}.png") as image:
                expected = np.asarray(result.cutout(*GROUPS["All garments"], options=cutout)).astype(int)
                assert np.abs(np.asarray(image) - expected).max() <= 1  # the background is scaled once


def test_cutouts_on_a_background_give_opaque_clips(clip: Path, model: list[str], tmp_path: Path) -> None:
    for name, sounds in (("green.mp4", 1), ("green.webm", 0)):
        out = ["--out", str(tmp_path / name), "--background", "#00ff00", "--keep", "Hat"]
        assert main(["video", str(clip), *out, *model]) == 0
        with open_clip(tmp_path / name) as opened:
            assert len(opened._container.streams.audio) == sounds
            corner = next(iter(opened)).pixels[:8, :8, :3].reshape(-1, 3).mean(axis=0)
        assert np.abs(corner - (0, 255, 0)).max() < 12


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--out", "out.mp4", "--write", "cutout"], "or give it a --background"),
        (["--out", "out.mp4", "--grow", "3"], "--grow is an option of cut-outs, and out.mp4 shows overlay"),
        (["--out", "out", "--write", "labels", "--background", "#ffffff"], "--background is an option of cut-outs"),
        (["--out", "out.webm", "--background", "gone.jpg"], "gone.jpg"),
        (["--out", "out.avi"], "--out must end in .webm, .mov, .mp4 or .zip"),
        (["--out", "out.mp4", "--write", "cutout"], "NAME.webm or NAME.mov or NAME.zip or a folder"),
        (["--out", "out.webm", "--write", "labels"], "for labels, use NAME.zip or a folder"),
        (["--out", "out.webm", "--keep", "Coat"], "Unknown class 'Coat'"),
        (["--out", "gone/out.webm"], "There is no folder gone"),
        (["--out", "old.webm"], "old.webm exists already; give another name, or --overwrite"),
    ],
)
def test_contradictory_arguments_give_clear_errors(
    clip: Path,
    more: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.webm").touch()
    assert main(["video", str(clip), *more]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["old.webm"]


def test_overwrite_replaces_the_file(clip: Path, model: list[str], tmp_path: Path) -> None:
    (tmp_path / "old.zip").touch()
    assert main(["video", str(clip), "--out", str(tmp_path / "old.zip"), "--overwrite", *model]) == 0
    assert len(zipfile.ZipFile(tmp_path / "old.zip").namelist()) == 7


def test_failed_or_stopped_video_leaves_no_files(
    clip: Path, model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = ["--out", str(tmp_path / "out.webm")]
    assert main(["video", __file__, *out, *model]) == 1
    assert "test_video.py is not a readable clip" in capsys.readouterr().err
    assert main(["video", str(clip), *out, "--max_seconds", "0.3", *model]) == 1
    assert "longer than the 0.3 seconds" in capsys.readouterr().err
    monkeypatch.setattr("clothseg.commands.video._picture", _stop)
    assert main(["video", str(clip), *out, *model]) == 130
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["video", str(clip), *out, *model]) == 1
    assert "requirements-video.txt" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def _stop(*_: object) -> None:
    raise KeyboardInterrupt
