"""Remote output folders: same files as a local run, resuming, and several processes."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image
from results import files

from clothseg import Segmenter
from clothseg.batch.storage import RemoteStorage, upload
from clothseg.cli import main
from clothseg.errors import UsageError
from clothseg.images.remote import Remote


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    fs = fsspec.filesystem("memory")
    yield fs
    fs.store.clear()


@pytest.fixture
def one_load(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    segmenter = Segmenter.from_pretrained(str(tiny_model))
    monkeypatch.setattr(Segmenter, "from_pretrained", lambda *_, **__: segmenter)


@pytest.mark.usefixtures("one_load")
def test_remote_run_equals_a_local_run(
    memory: fsspec.AbstractFileSystem, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    photos = tmp_path / "photos"
    (photos / "june").mkdir(parents=True)
    Image.fromarray(draw(1, 90, 60).image).save(photos / "a.png")
    Image.fromarray(draw(2, 60, 90).image).save(photos / "june" / "b.png")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    memory.put(str(photos), "/bucket/photos", recursive=True)
    argv = ["--model", str(tiny_model), "--write", "labels", "masks", "coco", "yolo"]
    assert main(["segment", str(photos), "--out", str(tmp_path / "out"), *argv]) == 1
    assert main(["segment", "memory://bucket/photos", "--out", "memory://bucket/photos/out", *argv]) == 1
    assert "2 of 3 photos segmented. Written to memory://bucket/photos/out/results.csv." in capsys.readouterr().out
    memory.get("/bucket/photos/out", str(tmp_path / "copy"), recursive=True)
    assert files(tmp_path / "copy") == files(tmp_path / "out")
    for name in files(tmp_path / "out"):
        if not name.startswith("summaries") and name != "results.csv":
            assert (tmp_path / "copy" / name).read_bytes() == (tmp_path / "out" / name).read_bytes(), name

    memory.rm("/bucket/photos/out/labels/a.png")
    Image.fromarray(draw(3, 60, 90).image).save(photos / "june" / "b.png")
    memory.put(str(photos / "june" / "b.png"), "/bucket/photos/june/b.png")
    memory.rm("/bucket/photos/broken.jpg")
    run = ["segment", "memory://bucket/photos", "--out", "memory://bucket/photos/out", *argv]
    assert main(run) == 0 and "2 of 2 photos segmented." in capsys.readouterr().out
    assert main(run) == 0 and "0 of 0 photos segmented, 2 were done already." in capsys.readouterr().out
    assert main(run[:-3]) == 0

    before = {path: memory.cat(path) for path in memory.find("/bucket/photos/out")}
    for rank in "01":
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        assert main([*run, "--overwrite"]) == 0
    after = {path: memory.cat(path) for path in memory.find("/bucket/photos/out")}
    parts = {f"/bucket/photos/out/results-{rank}-of-2.csv" for rank in "01"}
    assert after.keys() - before.keys() == parts and all(after[name] == before[name] for name in before)


@pytest.mark.usefixtures("one_load")
def test_data_sets_are_read_from_and_written_to_remote_storage(
    memory: fsspec.AbstractFileSystem, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from datasets import Dataset, Features, load_dataset
    from datasets import Image as Picture

    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(draw(number, 64, 48).image).save(paths[-1])
    rows = Dataset.from_dict({"image": [str(path) for path in paths]}, features=Features({"image": Picture()}))
    for number in range(3):
        shard = tmp_path / f"data/dev-0000{number}-of-00003.parquet"
        rows.select([number]).to_parquet(shard)
        upload(shard, Remote("memory://sets/in"), f"data/{shard.name}")
    argv = ["segment", "--dataset", "memory://sets/in", "--model", str(tiny_model), "--edges", "plain", "--out"]
    memory.pipe_file("/sets/out/data/dev-00001-of-00002.parquet", b"older")
    assert main([*argv, "memory://sets/out"]) == 0
    assert main([*argv, str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "3 of 3 photos segmented and written to memory://sets/out, split dev." in said.out
    shard = "data/dev-00000-of-00001.parquet"
    assert files(tmp_path / "out") == {"README.md", "labels.json", shard}
    assert sorted(memory.find("/sets/out")) == [
        "/sets/out/README.md",
        f"/sets/out/{shard}",
        "/sets/out/labels.json",
    ]
    assert memory.cat(f"/sets/out/{shard}") == (tmp_path / "out" / shard).read_bytes()
    assert "data set in (split `dev`)" in memory.cat("/sets/out/README.md").decode()
    written = load_dataset("parquet", data_files=str(tmp_path / "out" / shard), split="train", streaming=True)
    segmenter = Segmenter.from_pretrained(str(tiny_model))
    for path, row in zip(paths, written, strict=True):
        np.testing.assert_array_equal(np.asarray(row["mask"]), segmenter(path, edges="plain").label_map)
    for more, message in (
        (["memory://sets/in"], "contains the data set itself"),
        (["memory://sets/x", "--split", "test"], "has no split test, only dev"),
        (["memory://sets/x", "--dataset", "memory://nothing"], "contains no data set"),
        (["x", "--push_to_hub", "a/b"], "needs --push_to_hub USER/OUT, the data set to push, or --out"),
    ):
        assert main([*argv, *more]) in (1, 2)
        assert message in capsys.readouterr().err


def test_hub_repositories_are_rejected_as_output_folders() -> None:
    with pytest.raises(UsageError, match="each file written would be a commit"):
        RemoteStorage(Remote("hf://datasets/alice/masks"))
    assert RemoteStorage(Remote("hf://buckets/alice/masks"))


def test_remote_storage_creates_folders(tmp_path: Path) -> None:
    storage = RemoteStorage(Remote(f"file://{tmp_path}/out"))
    storage.prepare(())
    storage.write({"labels/june/a.png": b"1", "summaries/june/a.json": b"2"})
    with storage.writing("results.csv") as stream:
        stream.write("photo\n")
    first = storage.state("results.csv")
    assert files(tmp_path / "out") == {"labels/june/a.png", "summaries/june/a.json", "results.csv"}
    assert storage.folders("labels") == ["june"] and storage.names("labels/june") == ["a.png"]
    storage.write({"results.csv": b"photo\na.png\n"})
    assert storage.state("results.csv") != first and storage.state("none") is None
    storage.remove("results.csv")
    storage.remove("results.csv")
    storage.refresh()
    assert not storage.exists("results.csv") and storage.read("labels/june/a.png") == b"1"
    with pytest.raises(FileNotFoundError):
        storage.read("none")
