"""`python -m clothseg segment` with broken photos, disk errors and wrong arguments.

Covers `clothseg.commands.segment_arguments`.
"""

import csv
import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paper_dolls import draw
from PIL import Image
from results import files, table

from clothseg import Segmenter
from clothseg.batch.to_folder import OutputFolder
from clothseg.cli import main


ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("load_once")


def test_old_files_of_a_broken_photo_are_removed(photos: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos), "--out", str(out), "--model", str(tiny_model)]
    assert main([*argv, "--write", "labels", "overlays"]) == 1
    (photos / "a.png").write_bytes(b"\x89PNG no more")
    assert main([*argv, "--write", "labels", "--overwrite"]) == 1
    assert not [path for path in files(out) if Path(path).stem == "a"] and "labels/june/b.png" in files(out)
    assert "a.png is" in table(out / "results.csv")["a.png"]["error"]


def failing(monkeypatch: pytest.MonkeyPatch, method: tuple[type, str], failures: dict[str, BaseException]) -> None:
    """Let a method that takes a photo fail for photos of some names."""
    right = getattr(*method)

    def wrong(self: Any, about: Any, **options: Any) -> Any:
        name = about.source.name.name if hasattr(about, "source") else Path(about).name
        if name in failures:
            raise failures[name]
        return right(self, about, **options)

    monkeypatch.setattr(*method, wrong)


def test_failure_of_one_photo_does_not_stop_others(
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
        (OSError(errno.ENOSPC, "No space left on device"), 1, "is full. Free some space"),
        (KeyboardInterrupt(), 130, "Stopped."),
    ],
)
def test_stopped_run_reports_finished_photos_and_resumes(
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


def test_interrupted_repetition_counts_as_not_done(
    photos: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The new label map is already written, but not the summary with its options."""
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


@pytest.mark.parametrize(
    ("paths", "more", "message"),
    [
        (["missing"], [], "There is no file or folder"),
        (["empty"], [], "holds no photos"),
        ([], [], "Give photos or folders as PATH"),
        (["photos"], ["--keep", "Trousers"], "'Trousers'; the classes are"),
        (["photos"], ["--out", "photos/a.png"], "cannot be written"),
        (["photos"], ["--background", "#12"], 'such as "#ff8800"'),
        (["photos"], ["--background", "photos/notes.txt"], "notes.txt is not a readable image"),
        (["photos"], ["--crop", "--write", "labels"], "add cutouts to --write"),
        (["photos"], ["--split", "test"], "--split can only be used with --dataset"),
        (["photos"], ["--dataset", "alice/photos"], "leave out PATH"),
    ],
)
def test_wrong_input_is_rejected_before_segmenting(
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


def test_sort_is_rejected_for_data_sets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", "--dataset", "alice/in", "--push_to_hub", "alice/out", "--sort", "photo"]) == 2
    assert "--sort cannot be used with --dataset" in capsys.readouterr().err


NAMES = {
    b"f\xfcr.png": "PNG",  # Latin-1
    "für.jpg".encode(): "JPEG",
    b"a" * 246 + b".jpeg": "JPEG",
    "ü".encode() * 120: "PNG",
    b"photo": "WEBP",
    b"a.jpg_large": "JPEG",
    b"b.jp2": "JPEG2000",
    b"c.nef": "TIFF",
    b"d.Mr. Smith": "BMP",
}
"""File names of photos, and their formats."""


def _photos_of_any_name(folder: Path) -> Path:
    photos = folder / "photos"
    photos.mkdir()
    for seed, (name, kind) in enumerate(NAMES.items()):
        with open(os.path.join(os.fsencode(photos), name), "wb") as file:
            Image.fromarray(draw(seed, 64, 48).image).save(file, kind)
    (photos / "notes.txt").write_text("no photo")
    return photos


def _check_names(out: Path) -> None:
    """Check that all photos are done or in the table, and that the table keeps each name's bytes."""
    with (out / "results.csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    found = {}
    for line in lines:
        raw = re.sub(r"\\udc([89a-f][0-9a-f])", lambda byte: chr(0xDC00 + int(byte[1], 16)), line["photo"])
        found[raw.encode("utf-8", "surrogateescape")] = line
    assert set(found) == set(NAMES)
    refused = {name for name, line in found.items() if line["error"]}
    assert refused == {b"b.jp2", b"c.nef"}
    assert "b.jp2 is not a readable image" in found[b"b.jp2"]["error"] and "raw file" in found[b"c.nef"]["error"]
    held = set(os.listdir(os.fsencode(out / "labels")))
    made = {f"{line['files']}.png".encode() for name, line in found.items() if name not in refused}
    assert held == made and len(made) == len(NAMES) - 2
    assert found[b"f\xfcr.png"]["files"] == "f%FCr" and found["für.jpg".encode()]["files"] == "für"
    for name, line in found.items():
        if name not in refused:
            summary = os.path.join(os.fsencode(out), b"summaries", line["files"].encode() + b".json")
            with open(summary, encoding="utf-8") as stream:
                assert json.load(stream)["name"].encode("utf-8", "surrogateescape") == name


def test_file_names_of_any_bytes_and_lengths_are_handled(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, out = _photos_of_any_name(tmp_path), tmp_path / "out"
    argv = ["segment", str(photos), "--out", str(out), "--model", str(tiny_model)]
    argv += ["--write", "labels", "cutouts", "overlays", "items"]
    assert main(argv) == 1 and main(argv) == 1
    assert "0 of 2 photos segmented, 7 were done already" in capsys.readouterr().out
    _check_names(out)


def test_file_names_are_handled_in_the_c_locale(tiny_model: Path, tmp_path: Path) -> None:
    photos, out = _photos_of_any_name(tmp_path), tmp_path / "gehäuse"
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    argv = ["segment", photos, "--out", out, "--model", tiny_model, "--write", "labels"]
    done = subprocess.run(
        [sys.executable, "-m", "clothseg", *argv],
        cwd=ROOT, env=env, capture_output=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 1 and b"Traceback" not in done.stderr, done.stderr.decode("utf-8", "replace")
    assert b"7 of 9 photos segmented." in done.stdout
    _check_names(out)


def test_unexpected_errors_are_logged_with_traceback(
    photos: Path, tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by the test")

    monkeypatch.setattr("clothseg.batch.photo_files.encoded", broken)
    out = tmp_path / "out"
    assert main(["segment", str(photos / "a.png"), "--out", str(out), "--model", str(tiny_model)]) == 1
    assert "a.png could not be segmented" in caplog.text and "by the test" in caplog.text
    assert "Traceback" in caplog.text and "in broken" in caplog.text
    assert "ZeroDivisionError: by the test" in (out / "results.csv").read_text()
