"""`python -m clothseg segment` on the results of an earlier run: what is repeated, kept and reported."""

import json
import os
import shutil
from pathlib import Path

import pytest
from paper_dolls import draw
from PIL import Image
from results import table

from clothseg import Segmenter
from clothseg.cli import main


pytestmark = pytest.mark.usefixtures("load_once")


def test_finished_photos_are_skipped(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "broken.jpg").unlink()
    out = tmp_path / "out"
    argv = ["segment", str(photos), "--out", str(out), "--model", str(tiny_model), "--write", "labels"]
    assert main(argv) == 0
    before = {path: path.stat().st_mtime_ns for path in (out / "labels").rglob("*.png")}
    Image.fromarray(draw(3, 80, 80).image).save(photos / "c.png")
    assert main(argv) == 0
    assert "1 of 1 photos segmented, 2 were done already." in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in before} and len(table(out / "results.csv")) == 3
    assert main([*argv, "cutouts"]) == 0  # this kind is missing
    assert "3 of 3 photos" in capsys.readouterr().out
    assert main(argv) == 0  # cut-outs are not needed
    assert "0 of 0 photos segmented, 3 were" in capsys.readouterr().out
    assert main([*argv, "--overwrite"]) == 0
    assert all(path.stat().st_mtime_ns > time for path, time in before.items())
    assert main([*argv, "cutouts"]) == 0  # earlier cut-outs are still valid
    assert "0 of 0 photos segmented, 3 were" in capsys.readouterr().out
    (out / "labels" / "c.png").unlink()
    assert main(argv) == 0
    assert "1 of 1 photos segmented" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more",
    [
        ["--edges", "plain"], ["--zoom", "off"], ["--people", "all"], ["--tta"], ["--rules"], ["--keep", "Face"],
        ["--crop"], ["--grow", "3"], ["--background", "#ff8800"], ["--background", "PHOTO"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_changed_options_repeat_photos(
    more: list[str], photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = photos / "a.png"
    argv = ["segment", str(photo), "--out", str(tmp_path / "out"), "--model", str(tiny_model)]
    more = [str(photo) if word == "PHOTO" else word for word in more]
    said = []
    for given in (argv, [*argv, *more], [*argv, *more], argv):
        assert main(given) == 0
        said.append(capsys.readouterr().out[:6])
    assert said == ["1 of 1", "1 of 1", "0 of 0", "1 of 1"]


def test_changed_model_or_photo_repeats_photos(
    photos: Path,
    tiny_model: Path,
    tmp_path: Path,
    loaded: dict[str, Segmenter],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Models are distinguished by the content of their files, even if their folders have the same name."""
    photo, other = photos / "a.png", tmp_path / "other" / tiny_model.name
    shutil.copytree(tiny_model, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "note": 1}))
    loaded[str(other)] = Segmenter.from_pretrained(str(tiny_model))
    argv = ["segment", str(photo), "--out", str(tmp_path / "out"), "--write", "labels", "overlays"]
    assert main([*argv, "--model", str(tiny_model)]) == 0
    assert main([*argv, "--model", str(other)]) == 0
    assert capsys.readouterr().out.count("1 of 1 photos segmented") == 2

    Image.fromarray(draw(5, 150, 100).image).save(photo)
    assert main([*argv[:-1], "--model", str(other)]) == 0
    assert "1 of 1 photos segmented" in capsys.readouterr().out
    assert not (tmp_path / "out" / "overlays" / "a.jpg").exists(), "it shows the old photo"
    os.utime(photo, (1, 1))
    assert main([*argv, "--model", str(other)]) == 0
    assert "1 of 1 photos segmented" in capsys.readouterr().out


def test_replacing_results_of_an_earlier_run_is_reported(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos / "a.png"), "--out", str(out), "--model", str(tiny_model)]

    def told(*more: str) -> str:
        assert main([*argv, *more]) == 0
        lines = capsys.readouterr().err.splitlines()
        return next((line for line in lines if line.startswith(str(out))), "")

    assert told() == "" and told() == "" and told("--write", "overlays") == ""
    said = told("--edges", "plain", "--keep", "Face")
    assert said.startswith(f"{out} contains files of 1 of these photos that were made differently (")
    assert "edges guided, now plain" in said and "other classes" in said and "another --out" in said
    assert told("--edges", "plain", "--keep", "Face") == ""
    assert told("--overwrite") == "", "explicitly requested"
    Image.fromarray(draw(5, 150, 100).image).save(photos / "a.png")
    assert "(photos that have changed, or others of the same names)" in told()
