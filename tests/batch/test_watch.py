"""clothseg.batch.watch, and `segment --watch` as a process while photos arrive."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path, PurePosixPath

import forked
import pytest
from paper_dolls import draw
from PIL import Image
from results import table

from clothseg.batch.watch import changes
from clothseg.cli import main
from clothseg.images.sources import Source


ROOT = Path(__file__).parents[2]


def source(name: str, *stamp: int) -> Source:
    return Source(PurePosixPath(name), PurePosixPath(name).with_suffix(""), lambda: b"", stamp)


def test_photos_are_yielded_once_after_they_stop_changing() -> None:
    looks = iter(
        [
            [],
            [source("a.jpg", 10, 1)],
            [source("a.jpg", 20, 2), source("b.jpg", 5, 1)],
            [source("a.jpg", 20, 2), source("b.jpg", 5, 1)],
            [source("a.jpg", 20, 2), source("b.jpg", 6, 9)],
            [source("a.jpg", 20, 2), source("b.jpg", 6, 9)],
            [source("a.jpg", 20, 2), source("b.jpg", 6, 9)],
        ]
    )
    pauses: list[float] = []
    found = [[photo.name.name for photo in fresh] for _, fresh in islice(changes(looks.__next__, 3, pauses.append), 7)]
    assert found == [[], [], [], ["a.jpg", "b.jpg"], [], ["b.jpg"], []]
    assert pauses == [3] * 6


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)


def test_watch_segments_arriving_photos(tiny_model: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    argv = [sys.executable, "-m", "clothseg", "segment", str(folder), "--out", str(out), "--model", str(tiny_model)]
    process = forked.Popen(
        [*argv, "--write", "labels", "--watch"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_for(out.exists, process)
        Image.fromarray(draw(1, 64, 48).image).save(tmp_path / "whole.png")
        content = (tmp_path / "whole.png").read_bytes()
        with (folder / "a.png").open("wb") as file:
            for start in range(0, len(content), len(content) // 4):  # slowly, as over a network
                file.write(content[start : start + len(content) // 4])
                file.flush()
                time.sleep(0.4)
        wait_for((out / "labels" / "a.png").exists, process)
        (folder / "bad.jpg").write_bytes(b"no photo")
        wait_for(lambda: len(table(out / "results.csv")) == 2, process)
        Image.fromarray(draw(2, 80, 64).image).save(folder / "a.png")
        wait_for(lambda: table(out / "results.csv")["a.png"]["height"] == "80", process)
        assert Image.open(out / "labels" / "a.png").size == (64, 80)
        os.kill(process.pid, signal.SIGINT)
        said, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0 and "2 photos segmented. Written to" in said
    assert said.count("a.png segmented.") == 2 and told.count("bad.jpg is") == 1 and "Traceback" not in told
    assert "bad.jpg" in table(out / "results.csv")["bad.jpg"]["error"]


def test_watch_rejects_files_zips_and_data_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(draw(1, 64, 48).image).save(tmp_path / "a.png")
    for argv, message in (
        ([str(tmp_path / "a.png"), "--out", str(tmp_path / "out")], "--watch needs folders, not single photos"),
        ([str(tmp_path), "--zip", "--out", str(tmp_path / "out")], "cannot be used with --zip"),
        (["--dataset", "a/b", "--push_to_hub", "a/c"], "cannot be used with --dataset"),
    ):
        assert main(["segment", *argv, "--watch"]) == 2 and message in capsys.readouterr().err
