"""Segmenting a data set of the Hub: the result has the library's masks and the photos' original bytes."""

import io
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forked
import numpy as np
import pyarrow.parquet as pq
import pytest
from local_hub import LocalHub
from paper_dolls import draw
from PIL import Image

from clothseg import Segmenter
from clothseg.cli import main


ROOT = Path(__file__).parents[2]

RUN = """
import contextlib, io, json, os, sys
import numpy as np
from datasets import Dataset, Features, Image, Value, load_dataset
from clothseg.cli import main

photos, commands, folder = map(json.loads, sys.argv[1:])
features = Features({"title": Value("string"), "photo": Image()})
rows = {"title": photos, "photo": [{"bytes": open(photo, "rb").read(), "path": None} for photo in photos]}
Dataset.from_dict(rows, features=features).push_to_hub("alice/photos", split="test")
os.makedirs(f"{folder}/shards/data")
for number in range(2):
    part = {name: values[2 * number : 2 * number + 2] for name, values in rows.items()}
    Dataset.from_dict(part, features=features).to_parquet(f"{folder}/shards/data/test-0000{number}-of-00002.parquet")
said = {}
for name, (token, argv) in commands.items():
    os.environ["HF_TOKEN"] = token
    with contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()) as out:
        status = main(["segment", "--dataset", "alice/photos", "--split", "test", *argv])
    said[name] = {"status": status, "err": err.getvalue(), "out": out.getvalue()}
rows = load_dataset("alice/masks", split="test")
assert rows.column_names == ["image", "mask"]
for number, row in enumerate(rows):
    assert row["image"].size == row["mask"].size
    np.save(f"{folder}/{number}.npy", np.asarray(row["mask"]))
print(json.dumps(said))
"""
"""Everything runs in one process, as importing datasets and the model's libraries takes longest."""

PHOTO = ("--column", "photo")
MISTAKES = {
    "no column": ("hf_alice", ["--push_to_hub", "alice/x"], 2, "has no column image, only title, photo"),
    "no pictures": ("hf_alice", ["--push_to_hub", "alice/x", "--column", "title"], 2, "contains no pictures"),
    "no split": ("hf_alice", ["--push_to_hub", "alice/x", "--split", "dev"], 1, "alice/photos cannot be loaded"),
    "no data set": ("hf_alice", ["--push_to_hub", "alice/x", "--dataset", "alice/none"], 1, "no data set alice/none"),
    "no token": ("", ["--push_to_hub", "alice/x", *PHOTO], 1, "needs a Hub token"),
    "another's": ("hf_bob", ["--push_to_hub", "alice/x", *PHOTO], 1, "refused to let this token write"),
    "itself": ("hf_alice", ["--push_to_hub", "alice/photos", *PHOTO], 2, "is the data set itself"),
    "no name": ("hf_alice", ["--push_to_hub", "a/b/c", *PHOTO], 2, "--push_to_hub a/b/c"),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three photos, one rotated by EXIF, and a broken one between them."""
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / name for name in ("0.png", "1.jpg", "broken.jpg", "2.png")]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(draw(0, 96, 64).image).save(paths[0])
    Image.fromarray(draw(1, 96, 64).image).save(paths[1], exif=exif, quality=95)
    paths[2].write_bytes(b"no photo")
    Image.fromarray(draw(2, 64, 96).image).save(paths[3])
    return paths


@pytest.fixture(scope="module")
def ran(
    photos: list[Path], tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LocalHub, dict[str, Any], Path]]:
    """The Hub after all commands, their outputs, and a folder with loaded masks and the remains of a failed push."""
    folder = tmp_path_factory.mktemp("masks")
    good = [*PHOTO, "--model", str(tiny_model), "--edges", "plain", "--push_to_hub"]
    commands = {case: (token, argv) for case, (token, argv, _, _) in MISTAKES.items()}
    commands |= {name: ("hf_alice", [*good, f"alice/{name}"]) for name in ("late", "masks")}
    commands["masks"][1].append("--private")
    shards = str(folder / "shards")
    commands["from a folder"] = ("hf_alice", [*good, "alice/from-a-folder", "--dataset", shards])
    argv = good[:-1]  # to a folder
    commands["from an address"] = (
        "hf_alice", [*argv, "--out", str(folder / "out"), "--dataset", "hf://datasets/alice/photos"]
    )  # fmt: skip
    for case, path in {"no data set in it": str(folder), "no path": "./nowhere", "no split in it": shards}.items():
        commands[case] = ("hf_alice", ["--push_to_hub", "alice/x", "--dataset", path])
    commands["no split in it"][1].extend(["--split", "dev"])
    with LocalHub({"hf_alice": "alice", "hf_bob": "bob"}) as hub:
        hub.misbehave(403, r"^POST .*late/commit/")
        done = forked.run(
            [sys.executable, "-c", RUN, *map(json.dumps, ([str(path) for path in photos], commands, str(folder)))],
            cwd=ROOT, env=hub.env("hf_alice", home=folder / "home") | {"TMPDIR": str(folder)},
            capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        yield hub, json.loads(done.stdout.splitlines()[-1]), folder


def test_pushed_rows_have_the_segmenters_masks_and_original_photos(
    ran: tuple[LocalHub, dict[str, Any], Path], photos: list[Path], tiny_model: Path
) -> None:
    hub, said, folder = ran
    assert said["masks"]["status"] == 1 and "row 2: The photo is not a readable image" in said["masks"]["err"]
    assert "3 of 4 photos segmented and pushed to alice/masks, split test." in said["masks"]["out"]
    files = hub.files("dataset", "alice/masks")
    assert set(files) == {".gitattributes", "README.md", "labels.json", "data/test-00000-of-00001.parquet"}
    assert hub.repos["dataset", "alice/masks"].private
    card = files["README.md"].decode()
    assert hub.repos["dataset", "alice/photos"].branches["main"] in card and "4 Upper-clothes" in card
    rows = pq.read_table(io.BytesIO(files["data/test-00000-of-00001.parquet"])).to_pylist()
    sound = [path for path in photos if path.name != "broken.jpg"]
    assert [row["image"]["bytes"] for row in rows] == [path.read_bytes() for path in sound]
    segmenter = Segmenter.from_pretrained(tiny_model)
    for number, path in enumerate(sound):
        np.testing.assert_array_equal(np.load(folder / f"{number}.npy"), segmenter(path, edges="plain").label_map)


def test_folders_of_shards_are_segmented_without_publishing_their_path(
    ran: tuple[LocalHub, dict[str, Any], Path],
) -> None:
    hub, said, folder = ran
    assert "3 of 4 photos segmented and pushed to alice/from-a-folder, split test." in said["from a folder"]["out"]
    files = hub.files("dataset", "alice/from-a-folder")
    assert (
        files["data/test-00000-of-00001.parquet"]
        == hub.files("dataset", "alice/masks")["data/test-00000-of-00001.parquet"]
    )
    card = files["README.md"].decode()
    assert (
        "the data set shards (split `test`)" in card
        and str(folder) not in card
        and "huggingface.co/datasets" not in card
    )


def test_urls_are_read_and_folders_are_written(ran: tuple[LocalHub, dict[str, Any], Path]) -> None:
    hub, said, folder = ran
    assert f"3 of 4 photos segmented and written to {folder / 'out'}, split test." in said["from an address"]["out"]
    shard = "data/test-00000-of-00001.parquet"
    assert (folder / "out" / shard).read_bytes() == hub.files("dataset", "alice/masks")[shard]
    assert "data set photos (split `test`)" in (folder / "out" / "README.md").read_text()


def test_unusable_folders_give_clear_errors(ran: tuple[LocalHub, dict[str, Any], Path]) -> None:
    _, said, _ = ran
    for case, status, message in (
        ("no data set in it", 1, "contains no data set: a data set on disk is a folder with train.parquet"),
        ("no path", 2, "--dataset ./nowhere does not exist"),
        ("no split in it", 2, "has no split dev, only test; choose one with --split"),
    ):
        assert message in said[case]["err"] and said[case]["status"] == status, said[case]


@pytest.mark.parametrize("case", MISTAKES)
def test_wrong_arguments_are_reported_before_any_photo_is_segmented(
    case: str, ran: tuple[LocalHub, dict[str, Any], Path]
) -> None:
    hub, said, _ = ran
    assert MISTAKES[case][3] in said[case]["err"] and "photos/s" not in said[case]["err"]
    assert said[case]["status"] == MISTAKES[case][2] and ("dataset", "alice/x") not in hub.repos


def test_failed_push_keeps_the_data_set_for_later(ran: tuple[LocalHub, dict[str, Any], Path]) -> None:
    _, said, folder = ran
    (left,) = folder.glob("clothseg-*")  # and nothing of the successful push
    assert said["late"]["status"] == 1
    assert f"hf upload alice/late {left} --repo-type dataset" in said["late"]["err"]
    assert pq.read_table(left / "data" / "test-00000-of-00001.parquet").num_rows == 3


def test_missing_datasets_package_names_the_requirements(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert main(["segment", "--dataset", "alice/photos", "--push_to_hub", "alice/masks"]) == 1
    assert "pip install -r requirements-train.txt" in capsys.readouterr().err


def test_distributed_processes_push_every_row_once(
    ran: tuple[LocalHub, dict[str, Any], Path], photos: list[Path], tiny_model: Path, tmp_path: Path
) -> None:
    hub, _, _ = ran
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    argv = ["--dataset", "alice/photos", "--split", "test", "--column", "photo", "--push_to_hub", "alice/both"]
    running = [
        forked.Popen(
            [sys.executable, "-m", "clothseg", "segment", *argv, "--model", str(tiny_model), "--edges", "plain"],
            cwd=ROOT, env=hub.env("hf_alice", home=tmp_path / rank) | meet | {"RANK": rank, "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in ("0", "1")
    ]  # fmt: skip
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert "3 of 4 photos segmented and pushed to alice/both" in said[0][0] and "row 2: " in said[0][1]
    assert not list(tmp_path.glob("clothseg-*"))
    files = hub.files("dataset", "alice/both")
    rows = {}
    for number, taken in enumerate(((photos[0],), (photos[1], photos[3]))):
        pushed = pq.read_table(io.BytesIO(files[f"data/test-{number:05d}-of-00002.parquet"])).to_pylist()
        assert [row["image"]["bytes"] for row in pushed] == [path.read_bytes() for path in taken]
        rows |= {path: row["mask"]["bytes"] for path, row in zip(taken, pushed, strict=True)}
    segmenter = Segmenter.from_pretrained(tiny_model)
    for path, mask in rows.items():
        np.testing.assert_array_equal(Image.open(io.BytesIO(mask)), segmenter(path, edges="plain").label_map)
