"""`python -m clothseg segment`: every photo once, at its own size, whatever becomes of the others."""

import csv
import errno
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import Segmentation, Segmenter
from clothseg.cli import main
from clothseg.commands.segment import _device
from clothseg.errors import UsageError
from clothseg.folder_run import OutputFolder, merge
from clothseg.labels import GROUPS, NAMES
from clothseg.refine import CutoutOptions


ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def load_once(monkeypatch: pytest.MonkeyPatch, loaded: dict[str, Segmenter]) -> None:
    """Each model's segmenter is kept from test to test."""
    load: Callable[..., Segmenter] = Segmenter.from_pretrained

    def kept(name: str, **options: Any) -> Segmenter:
        if name not in loaded:
            loaded[name] = load(name, **options)
        return loaded[name]

    monkeypatch.setattr(Segmenter, "from_pretrained", kept)


@pytest.fixture(scope="module")
def loaded() -> dict[str, Segmenter]:
    return {}


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
    assert main([*argv, "--write", "labels", "cutouts", "overlays", "items", "--rules"]) == 1
    said = capsys.readouterr()
    assert "broken.jpg is" in said.err and "2 of 3 photos segmented." in said.out
    kinds = {"labels": "png", "cutouts": "png", "overlays": "jpg", "items": "json", "summaries": "json"}
    made = {f"{kind}/{name}.{suffix}" for kind, suffix in kinds.items() for name in ("a", "june/b")}
    assert files(out) == made | {"results.csv"}

    result = Segmenter.from_pretrained(str(tiny_model))(photos / "june" / "b.JPG", rules=True)
    np.testing.assert_array_equal(np.asarray(Image.open(out / "labels" / "june" / "b.png")), result.label_map)
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


def test_photos_can_be_reduced(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos / "a.png"), "--out", str(out), "--model", str(tiny_model), "--write", "labels"]
    assert main([*argv, "--longest", "75"]) == 0
    assert Image.open(out / "labels" / "a.png").size == (50, 75)
    assert table(out / "results.csv")["a.png"]["height"] == "75"
    assert main(argv) == 0  # done again, since it is another way
    assert Image.open(out / "labels" / "a.png").size == (100, 150)
    assert main([*argv, "--longest", "8"]) == 2
    assert main(["segment", "--dataset", "a/b", "--push_to_hub", "a/c", "--longest", "75"]) == 2
    said = capsys.readouterr().err
    assert "32 pixels or more, not 8" in said and "--longest is not for --dataset" in said


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
    assert main(argv) == 0  # the cut-outs do not matter
    assert "0 of 0 photos segmented, 3 were" in capsys.readouterr().out
    assert main([*argv, "--overwrite"]) == 0
    assert all(path.stat().st_mtime_ns > time for path, time in before.items())
    assert main([*argv, "cutouts"]) == 0  # those of before are still of these photos
    assert "0 of 0 photos segmented, 3 were" in capsys.readouterr().out
    (out / "labels" / "c.png").unlink()
    assert main(argv) == 0
    assert "1 of 1 photos segmented" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more",
    [
        ["--edges", "plain"], ["--zoom", "off"], ["--people", "all"], ["--average"], ["--rules"], ["--keep", "Face"],
        ["--crop"], ["--grow", "3"], ["--background", "#ff8800"], ["--background", "PHOTO"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_other_options_do_it_again(
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


def test_another_model_and_another_photo_do_it_again(
    photos: Path,
    tiny_model: Path,
    tmp_path: Path,
    loaded: dict[str, Segmenter],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another model has another file of weights, or of settings, even where its folder has the same name."""
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
    assert not (tmp_path / "out" / "overlays" / "a.jpg").exists(), "it shows the photo as it was"
    os.utime(photo, (1, 1))
    assert main([*argv, "--model", str(other)]) == 0
    assert "1 of 1 photos segmented" in capsys.readouterr().out


def test_files_of_a_photo_that_broke_are_removed(photos: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos), "--out", str(out), "--model", str(tiny_model)]
    assert main([*argv, "--write", "labels", "overlays"]) == 1
    (photos / "a.png").write_bytes(b"\x89PNG no more")
    assert main([*argv, "--write", "labels", "--overwrite"]) == 1
    assert not [path for path in files(out) if Path(path).stem == "a"] and "labels/june/b.png" in files(out)
    assert "a.png is" in table(out / "results.csv")["a.png"]["error"]


@pytest.mark.parametrize("inside", ["out", ".", "june"])
def test_nothing_that_was_written_is_taken_for_a_photo(
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


def test_photos_of_one_name_keep_their_files_apart(
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


def failing(monkeypatch: pytest.MonkeyPatch, method: tuple[type, str], failures: dict[str, BaseException]) -> None:
    """Let a method that is given a photo fail for those of some names."""
    right = getattr(*method)

    def wrong(self: Any, about: Any, **options: Any) -> Any:
        name = about.source.name.name if hasattr(about, "source") else Path(about).name
        if name in failures:
            raise failures[name]
        return right(self, about, **options)

    monkeypatch.setattr(*method, wrong)


def test_what_befalls_one_photo_stops_no_other(
    photos: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(3):
        Image.fromarray(draw(seed, 64, 64).image).save(photos / f"{seed}.png")
    failing(monkeypatch, (Segmenter, "__call__"), {"0.png": MemoryError(), "1.png": OSError(errno.EIO, "I/O error")})
    failing(monkeypatch, (OutputFolder, "store"), {"2.png": OSError(errno.EACCES, "Permission denied")})
    out = tmp_path / "out"
    assert main(["segment", str(photos), "--out", str(out), "--model", str(tiny_model)]) == 1
    assert "2 of 6 photos segmented" in capsys.readouterr().out
    found = {name: line["error"] for name, line in table(out / "results.csv").items()}
    for name, message in {"0.png": "more memory", "1.png": "I/O error", "2.png": "Permission denied"}.items():
        assert found[name].startswith(name) and message in found[name]
    assert found["a.png"] == found["june/b.JPG"] == ""


@pytest.mark.parametrize(
    ("stop", "status", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 1, "is full. Make room"),
        (KeyboardInterrupt(), 130, "Stopped."),
    ],
)
def test_a_run_that_stops_tells_what_is_done(
    stop: BaseException,
    status: int,
    message: str,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for seed in range(9):
        Image.fromarray(draw(seed, 64, 64).image).save(tmp_path / f"{seed}.png")
    argv = ["segment", str(tmp_path), "--out", str(tmp_path / "out"), "--model", str(tiny_model)]
    with monkeypatch.context() as patch:
        failing(patch, (OutputFolder, "store"), {"2.png": stop})
        assert main(argv) == status
    said = capsys.readouterr()
    assert message in said.err and "2 of 9 photos segmented" in said.out
    assert list(table(tmp_path / "out" / "results.csv")) == ["0.png", "1.png"]
    assert main(argv) == 0 and "7 of 7 photos segmented, 2 were done" in capsys.readouterr().out
    assert len(table(tmp_path / "out" / "results.csv")) == 9


def test_killed_while_it_is_done_again_a_photo_is_not_done(
    photos: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its new label map lies there already, and says nothing of what made it."""
    argv = ["segment", str(photos / "a.png"), "--out", str(tmp_path / "out"), "--model", str(tiny_model)]
    assert main(argv) == 0
    first = (tmp_path / "out" / "labels" / "a.png").read_bytes()
    write = Path.write_bytes

    def killed(path: Path, content: bytes) -> int:
        if path.suffix == ".json":
            raise SystemExit
        return write(path, content)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Path, "write_bytes", killed)
        main([*argv, "--edges", "plain"])
    assert (tmp_path / "out" / "labels" / "a.png").read_bytes() != first
    assert main(argv) == 0 and (tmp_path / "out" / "labels" / "a.png").read_bytes() == first


def test_photos_in_a_zip(photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent, out = tmp_path / "sent.zip", tmp_path / "out"
    with zipfile.ZipFile(sent, "w") as archive:
        for path in sorted(photos.rglob("*")):
            archive.write(path, path.relative_to(photos))
        archive.writestr("../../evil.png", (photos / "a.png").read_bytes())
    argv = ["segment", str(sent), "--out", str(out), "--model", str(tiny_model), "--write", "labels"]
    assert main(argv) == 2 and "give --zip" in capsys.readouterr().err
    assert main([*argv, "--zip"]) == 1 and main([*argv, "--zip"]) == 1
    said = capsys.readouterr()
    assert "2 of 4 photos segmented." in said.out and "0 of 2 photos segmented, 2 were done already" in said.out
    assert "evil.png was not read: its name in the ZIP leads out of it" in said.err
    assert files(out) == {f"{kind}/{name}" for kind, suffix in (("labels", "png"), ("summaries", "json"))
                          for name in (f"a.{suffix}", f"june/b.{suffix}")} | {"results.csv"}  # fmt: skip
    assert not list(tmp_path.parent.rglob("evil*"))
    expected = Segmenter.from_pretrained(str(tiny_model))(photos / "june" / "b.JPG").label_map
    np.testing.assert_array_equal(np.asarray(Image.open(out / "labels" / "june" / "b.png")), expected)


def test_cutouts_take_the_librarys_options(photos: Path, tiny_model: Path, tmp_path: Path) -> None:
    flags = ["--crop", "--margin", "2", "--grow", "-1", "--feather", "1.5", "--soft_edges", "--fill_holes"]
    argv = ["segment", str(photos / "a.png"), "--out", str(tmp_path / "out"), "--model", str(tiny_model), *flags]
    assert main([*argv, "--drop_specks", "--background", str(photos / "june" / "b.JPG"), "--people", "all"]) == 0
    options = CutoutOptions(
        photos / "june" / "b.JPG", crop=True, margin=2, grow=-1, feather=1.5, soft_edges=True, fill_holes=True,
        drop_specks=True,
    )  # fmt: skip
    result: Segmentation = Segmenter.from_pretrained(str(tiny_model))(photos / "a.png", people="all")
    made = np.asarray(Image.open(tmp_path / "out" / "cutouts" / "a.png"))
    np.testing.assert_array_equal(made, np.asarray(result.cutout(*GROUPS["All garments"], options=options)))


@pytest.mark.parametrize(
    ("paths", "more", "message"),
    [
        (["missing"], [], "There is no file or folder"),
        (["empty"], [], "holds no photos"),
        ([], [], "Give photos or folders as PATH"),
        (["photos"], ["--keep", "Trousers"], "'Trousers'; the classes are"),
        (["photos"], ["--out", "photos/a.png"], "cannot be written"),
        (["photos"], ["--grow", "99"], "from -64 to 64"),
        (["photos"], ["--background", "#12"], 'such as "#ff8800"'),
        (["photos"], ["--background", "photos/notes.txt"], "notes.txt is not a readable image"),
        (["photos"], ["--crop", "--write", "labels"], "add cutouts to --write"),
        (["photos"], ["--split", "test"], "--split goes with --dataset"),
        (["photos"], ["--dataset", "alice/photos"], "leave out PATH and --out"),
    ],
)
def test_wrong_input_is_told_before_anything_is_done(
    paths: list[str],
    more: list[str],
    message: str,
    photos: Path,
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    more = [str(tmp_path / part) if "photos/" in part and "alice" not in part else part for part in more]
    argv = ["segment", *(str(tmp_path / path) for path in paths), "--out", str(tmp_path / "out"), *more]
    assert main([*argv, "--model", str(tiny_model)]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "out" / "results.csv").exists()


@pytest.mark.parametrize(("rank", "size"), [("x", "2"), ("0", ""), ("2", "2"), ("-1", "2"), ("0", "0")])
def test_numbers_of_processes_that_are_none(
    rank: str, size: str, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    assert main(["segment", str(photos), "--out", str(photos / "out")]) == 2
    assert f"RANK={rank} and WORLD_SIZE={size}" in capsys.readouterr().err


def test_processes_have_a_gpu_each_as_far_as_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    found = []
    for local in ("0", "1", "2"):
        monkeypatch.setenv("LOCAL_RANK", local)
        found.append(_device(3))
    assert found == ["cuda:0", "cuda:1", "cuda:0"] and _device(1) is None
    monkeypatch.setenv("LOCAL_RANK", "x")
    with pytest.raises(UsageError, match="LOCAL_RANK=x"):
        _device(3)


def test_exit_status_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["--help"], ["segment", "--help"]):
        with pytest.raises(SystemExit):
            main(argv)
        assert "2 for wrong arguments" in " ".join(capsys.readouterr().out.split())


def test_two_processes_share_the_photos_and_merge_their_tables(tiny_model: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    for seed in range(5):
        Image.fromarray(draw(seed, 64, 64).image).save(folder / f"{seed}.png")
    (folder / "broken.jpg").write_bytes(b"no photo")
    (out / "results-1-of-2.csv").write_text("photo,files\nolder.png,older\n")  # of an earlier run
    argv = [sys.executable, "-m", "clothseg", "segment", str(folder), "--out", str(out), "--model", str(tiny_model)]
    running = [
        subprocess.Popen(argv, cwd=ROOT, env={**os.environ, "RANK": str(rank), "WORLD_SIZE": "2"}) for rank in (0, 1)
    ]
    assert [process.wait(120) for process in running] == [0, 0], "a launcher would end the other"
    names = [*(f"{seed}.png" for seed in range(5)), "broken.jpg"]
    parts = [list(table(out / f"results-{rank}-of-2.csv")) for rank in (0, 1)]
    assert parts == [names[::2], names[1::2]]
    with (out / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["photo"] for line in lines] == names and [bool(line["error"]) for line in lines] == [False] * 5 + [
        True
    ]
    assert {path.stem for path in (out / "labels").iterdir()} == {str(seed) for seed in range(5)}


def test_a_table_that_comes_while_tables_are_merged_is_merged_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [tmp_path / "0.csv", tmp_path / "1.csv"]
    parts[0].write_text("photo\nb.png\n")
    assert merge(parts, tmp_path / "all.csv") is None and not (tmp_path / "all.csv").exists()
    parts[1].write_text("photo\nolder.png\n")
    replaced = os.replace

    def late(source: Any, target: Any) -> None:
        replaced(source, target)
        if "older.png" in parts[1].read_text():
            parts[1].write_text("photo\na.png\n")

    monkeypatch.setattr(os, "replace", late)
    assert merge(parts, tmp_path / "all.csv") == tmp_path / "all.csv"
    assert list(table(tmp_path / "all.csv")) == ["a.png", "b.png"]
