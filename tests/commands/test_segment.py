"""`python -m clothseg segment`: every photo once, at its own size, whatever becomes of the others."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import Segmenter
from clothseg.cli import main
from clothseg.labels import NAMES


ROOT = Path(__file__).parents[2]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photos, one of them in a folder, a broken one, and a text file that is none."""
    folder = tmp_path / "photos"
    (folder / "june").mkdir(parents=True)
    Image.fromarray(draw(1, 150, 100).image).save(folder / "a.png")
    Image.fromarray(draw(2, 96, 128).image).save(folder / "june" / "b.JPG", quality=95)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 this is no photo")
    (folder / "notes.txt").write_text("none")
    return folder


def table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {line["photo"]: line for line in csv.DictReader(file)}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_writes_what_the_library_gives_and_names_what_is_broken(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos), "--out", str(out), "--model", str(tiny_model), "--keep", "Face", "Upper"]
    assert main([*argv, "--write", "labels", "cutouts", "overlays", "--rules"]) == 1
    said = capsys.readouterr()
    assert "broken.jpg is" in said.err and "2 of 3 photos segmented." in said.out
    kinds = {"labels": "png", "cutouts": "png", "overlays": "jpg", "summaries": "json"}
    made = {f"{kind}/{name}.{suffix}" for kind, suffix in kinds.items() for name in ("a", "june/b")}
    assert files(out) == made | {"results.csv"}

    result = Segmenter.from_pretrained(tiny_model)(photos / "june" / "b.JPG", rules=True)
    np.testing.assert_array_equal(np.asarray(Image.open(out / "labels" / "june" / "b.png")), result.label_map)
    cutout = result.cutout("Upper-clothes", "Dress", "Face", "Scarf")
    np.testing.assert_array_equal(np.asarray(Image.open(out / "cutouts" / "june" / "b.png")), np.asarray(cutout))
    assert json.loads((out / "summaries" / "june" / "b.json").read_text()) == result.to_dict()

    lines = table(out / "results.csv")
    assert list(lines) == ["a.png", "broken.jpg", "june/b.JPG"]
    assert "broken.jpg" in lines["broken.jpg"]["error"] and lines["broken.jpg"]["width"] == ""
    assert (lines["june/b.JPG"]["width"], lines["june/b.JPG"]["height"]) == ("128", "96")
    assert sum(float(lines["a.png"][name]) for name in NAMES) == pytest.approx(1, abs=1e-4)


def test_what_is_done_is_not_done_again(
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
    assert main([*argv, "cutouts"]) == 0  # done, but not of this kind
    assert "3 of 3 photos" in capsys.readouterr().out
    assert main([*argv, "--overwrite"]) == 0
    assert all(path.stat().st_mtime_ns > time for path, time in before.items())


@pytest.mark.parametrize(
    ("paths", "more", "message"),
    [
        (["missing"], [], "There is no file or folder"),
        (["empty"], [], "holds no photos"),
        (["photos/a.png", "other"], [], "under one name"),
        (["photos"], ["--keep", "Trousers"], "'Trousers'; the classes are"),
        (["photos"], ["--out", "photos/a.png"], "cannot be written"),
    ],
)
def test_wrong_input_is_told_before_anything_is_done(
    paths: list[str], more: list[str], message: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.jpg").write_bytes((photos / "a.png").read_bytes())
    more = [str(tmp_path / part) if "/" in part else part for part in more]
    argv = ["segment", *(str(tmp_path / path) for path in paths), "--out", str(tmp_path / "out"), *more]
    assert main(argv) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "out" / "results.csv").exists()


def test_two_processes_share_the_photos(tiny_model: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for seed in range(5):
        Image.fromarray(draw(seed, 64, 64).image).save(folder / f"{seed}.png")
    argv = [sys.executable, "-m", "clothseg", "segment", str(folder), "--out", str(out), "--model", str(tiny_model)]
    running = [
        subprocess.Popen(argv, cwd=ROOT, env={**os.environ, "RANK": str(rank), "WORLD_SIZE": "2"}) for rank in (0, 1)
    ]
    assert [process.wait(120) for process in running] == [0, 0]
    first, second = (set(table(out / f"results-{rank}-of-2.csv")) for rank in (0, 1))
    assert first | second == {f"{seed}.png" for seed in range(5)} and not first & second
    assert {path.stem for path in (out / "labels").iterdir()} == {str(seed) for seed in range(5)}
