"""`python -m clothseg segment` writes the library's results for every photo once."""

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image
from results import files, table

from clothseg import Segmenter
from clothseg.cli import main
from clothseg.labels import NAMES


pytestmark = pytest.mark.usefixtures("load_once")


def test_segment_writes_the_librarys_results_and_names_broken_photos(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos), "--out", str(out), "--model", str(tiny_model), "--keep", "Face", "Upper"]
    assert main([*argv, "--write", "labels", "cutouts", "overlays", "items", "--rules"]) == 1
    said = capsys.readouterr()
    assert "broken.jpg is" in said.err and "2 of 3 photos segmented." in said.out
    kinds = {"labels": "png", "cutouts": "png", "overlays": "jpg", "items": "json", "summaries": "json"}
    made = {f"{kind}/{name}.{suffix}" for kind, suffix in kinds.items() for name in ("a", "june/b")}
    assert files(out) == made | {"results.csv"}

    result = Segmenter.from_pretrained(str(tiny_model))(photos / "june" / "b.JPG", rules=True)
    np.testing.assert_array_equal(np.asarray(Image.open(out / "labels" / "june" / "b.png")), result.label_map)
    assert Image.open(out / "labels" / "june" / "b.png").mode == "P"
    assert main([*argv, "--write", "labels", "--rules", "--grey"]) == 1
    grey = Image.open(out / "labels" / "june" / "b.png")
    assert grey.mode == "L" and "2 of 3 photos segmented." in capsys.readouterr().out
    np.testing.assert_array_equal(np.asarray(grey), result.label_map)
    cutout = result.cutout("Upper-clothes", "Dress", "Face", "Scarf")
    np.testing.assert_array_equal(np.asarray(Image.open(out / "cutouts" / "june" / "b.png")), np.asarray(cutout))
    summary = json.loads((out / "summaries" / "june" / "b.json").read_text())
    assert summary.pop("made")["labels"]["rules"] is True and summary == result.to_dict()
    found = [item.to_dict() for item in result.items("Upper-clothes", "Dress", "Face", "Scarf")]
    assert json.loads((out / "items" / "june" / "b.json").read_text())["items"] == found

    lines = table(out / "results.csv")
    assert list(lines) == ["a.png", "broken.jpg", "june/b.JPG"]
    assert "broken.jpg" in lines["broken.jpg"]["error"] and lines["broken.jpg"]["width"] == ""
    assert (lines["june/b.JPG"]["width"], lines["june/b.JPG"]["height"]) == ("128", "96")
    assert sum(float(lines["a.png"][name]) for name in NAMES) == pytest.approx(1, abs=1e-4)


def test_max_side_reduces_photos(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos / "a.png"), "--out", str(out), "--model", str(tiny_model), "--write", "labels"]
    assert main([*argv, "--max_side", "75"]) == 0
    assert Image.open(out / "labels" / "a.png").size == (50, 75)
    assert table(out / "results.csv")["a.png"]["height"] == "75"
    assert main(argv) == 0  # other options: repeated
    assert Image.open(out / "labels" / "a.png").size == (100, 150)
    assert main(["segment", "--dataset", "a/b", "--push_to_hub", "a/c", "--max_side", "75"]) == 2
    assert "--max_side cannot be used with --dataset" in capsys.readouterr().err


@pytest.mark.parametrize("inside", ["out", ".", "june"])
def test_output_files_are_not_segmented(
    inside: str, photos: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "broken.jpg").unlink()
    (photos / "__MACOSX").mkdir()
    for name in ("._a.png", "__MACOSX/._a.png", "__MACOSX/x.jpg"):
        (photos / name).write_bytes(b"\0\5\x16\7 no photo")
    taken = 1 if inside == "june" else 2
    argv = ["segment", str(photos), "--out", str(photos / inside), "--model", str(tiny_model), "--write", "overlays"]
    assert main(argv) == 0 and main(argv) == 0
    said = capsys.readouterr().out
    assert f"{taken} of {taken} photos segmented." in said and f"0 of 0 photos segmented, {taken} were done" in said


def test_photos_with_the_same_name_get_distinct_files(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"a.jpg": "a.jpg", "a.png": "a.png", "A.webp": "A.webp", "b.png": "b", "a.jpg.png": "a.jpg-2"}
    folder, other, out = tmp_path / "photos", tmp_path / "other", tmp_path / "out"
    folder.mkdir()
    other.mkdir()
    for seed, name in enumerate(names):
        Image.fromarray(draw(seed, 64, 48 + seed).image).save(folder / name)
    Image.fromarray(draw(9, 64, 80).image).save(other / "b.png")
    argv = ["segment", str(folder), str(other), "--out", str(out), "--model", str(tiny_model), "--write", "labels"]
    assert main(argv) == 0 and main(argv) == 0
    assert "0 of 0 photos segmented, 6 were done already" in capsys.readouterr().out
    assert files(out / "labels") == {f"{name}.png" for name in (*names.values(), "b-2")}
    for seed, name in enumerate(names.values()):
        assert Image.open(out / "labels" / f"{name}.png").width == 48 + seed
    with (out / "results.csv").open(newline="") as file:
        assert sorted(line["files"] for line in csv.DictReader(file)) == sorted([*names.values(), "b-2"])


def test_segment_reads_photos_in_a_zip(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent, out = tmp_path / "sent.zip", tmp_path / "out"
    with zipfile.ZipFile(sent, "w") as archive:
        for path in sorted(photos.rglob("*")):
            archive.write(path, path.relative_to(photos))
        archive.writestr("../../evil.png", (photos / "a.png").read_bytes())
    argv = ["segment", str(sent), "--out", str(out), "--model", str(tiny_model), "--write", "labels"]
    assert main(argv) == 2 and "add --zip" in capsys.readouterr().err
    assert main([*argv, "--zip"]) == 1 and main([*argv, "--zip"]) == 1
    said = capsys.readouterr()
    assert "2 of 4 photos segmented." in said.out and "0 of 2 photos segmented, 2 were done already" in said.out
    assert "evil.png was not read: its name in the ZIP points outside the ZIP" in said.err
    assert files(out) == {f"{kind}/{name}" for kind, suffix in (("labels", "png"), ("summaries", "json"))
                          for name in (f"a.{suffix}", f"june/b.{suffix}")} | {"results.csv"}  # fmt: skip
    assert not list(tmp_path.rglob("evil*")) and not (tmp_path.parent / "evil.png").exists()
    expected = Segmenter.from_pretrained(str(tiny_model))(photos / "june" / "b.JPG").label_map
    np.testing.assert_array_equal(np.asarray(Image.open(out / "labels" / "june" / "b.png")), expected)


def test_exit_status_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["--help"], ["segment", "--help"]):
        with pytest.raises(SystemExit):
            main(argv)
        assert "2 for wrong arguments" in " ".join(capsys.readouterr().out.split())
