"""`python -m clothseg segment` in several processes: every photo once, and one table."""

import csv
import json
import os
import sys
from pathlib import Path
from typing import Any

import forked
import pytest
from paper_dolls import draw
from PIL import Image
from results import table

from clothseg.batch.storage import LocalStorage
from clothseg.batch.to_folder import merge
from clothseg.cli import main
from clothseg.commands.segment import _device
from clothseg.errors import UsageError


ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("rank", "size"), [("x", "2"), ("0", ""), ("2", "2"), ("-1", "2"), ("0", "0")])
def test_invalid_rank_and_world_size_are_rejected(
    rank: str, size: str, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    assert main(["segment", str(photos), "--out", str(photos / "out")]) == 2
    assert f"RANK={rank} and WORLD_SIZE={size}" in capsys.readouterr().err


def test_processes_are_spread_over_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_processes_share_photos_and_merge_tables(tiny_model: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    for seed in range(5):
        Image.fromarray(draw(seed, 64, 64).image).save(folder / f"{seed}.png")
    (folder / "broken.jpg").write_bytes(b"no photo")
    (out / "results-1-of-2.csv").write_text("photo,files\nolder.png,older\n")  # from an earlier run
    argv = [sys.executable, "-m", "clothseg", "segment", str(folder), "--out", str(out), "--model", str(tiny_model)]
    argv += ["--write", "labels", "coco"]
    running = [
        forked.Popen(argv, cwd=ROOT, env={**os.environ, "RANK": str(rank), "WORLD_SIZE": "2"}) for rank in (0, 1)
    ]
    assert [process.wait(120) for process in running] == [0, 0], "a launcher would stop the other process"
    names = [*(f"{seed}.png" for seed in range(5)), "broken.jpg"]
    parts = [list(table(out / f"results-{rank}-of-2.csv")) for rank in (0, 1)]
    assert parts == [names[::2], names[1::2]]
    with (out / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["photo"] for line in lines] == names and [bool(line["error"]) for line in lines] == [False] * 5 + [
        True
    ]
    assert {path.stem for path in (out / "labels").iterdir()} == {str(seed) for seed in range(5)}
    coco = json.loads((out / "coco.json").read_text())
    assert [(image["id"], image["file_name"]) for image in coco["images"]] == list(enumerate(names[:5], 1))
    assert {annotation["image_id"] for annotation in coco["annotations"]} == set(range(1, 6))


def test_table_written_during_a_merge_is_merged_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, parts = LocalStorage(tmp_path), ["0.csv", "1.csv"]
    (tmp_path / "0.csv").write_text("photo\nb.png\n")
    assert merge(storage, parts) is None and not (tmp_path / "results.csv").exists()
    (tmp_path / "1.csv").write_text("photo\nolder.png\n")
    replaced = os.replace

    def late(source: Any, target: Any) -> None:
        replaced(source, target)
        if "older.png" in (tmp_path / "1.csv").read_text():
            (tmp_path / "1.csv").write_text("photo\na.png\n")

    monkeypatch.setattr(os, "replace", late)
    assert merge(storage, parts) == "results.csv"
    assert list(table(tmp_path / "results.csv")) == ["a.png", "b.png"]


def test_merged_table_is_sorted_by_uncertainty(tmp_path: Path) -> None:
    (tmp_path / "0.csv").write_text("photo,error,uncertainty,cape\nd.png,,0.3,0.1\nb.png,broken,,\n")
    (tmp_path / "1.csv").write_text("photo,error,uncertainty,cape\nc.png,,0.9,0.2\na.png,,0.3,0\n")
    merge(LocalStorage(tmp_path), ["0.csv", "1.csv"], sort="uncertainty")
    assert list(table(tmp_path / "results.csv")) == ["c.png", "a.png", "d.png", "b.png"]
    assert table(tmp_path / "results.csv")["c.png"]["cape"] == "0.2", "a class of another model"
