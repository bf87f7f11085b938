"""Temporary files are limited in size: the oldest are deleted first, and files in use are kept."""

import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from paper_dolls import draw
from pictures import encoded
from PIL import Image
from waiting_engine import Waiting

from clothseg import ConfigError, Segmenter
from clothseg.app.blocks import build, launch_options
from clothseg.app.server import temp_storage
from clothseg.app.server.request_limits import protect


def write(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    time.sleep(0.01)  # so that all ages differ
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Five files of 100 bytes, the oldest first, each in its own folder."""
    return [write(tmp_path / "temp" / f"{number:040x}" / "a.png", 100) for number in range(5)]


@pytest.mark.parametrize(
    ("limit", "used", "later", "kept"),
    [
        (1000, (), 400, [0, 1, 2, 3, 4]),
        (500, (), 400, [0, 1, 2, 3, 4]),
        (499, (), 400, [1, 2, 3, 4]),
        (250, (), 400, [3, 4]),
        (0, (), 400, []),
        (-1, (), 400, []),
        (250, (0, 2), 400, [0, 2]),
        (100, (0, 1, 2, 4), 400, [0, 1, 2, 4]),
        (0, (), 200, [0, 1, 2, 3, 4]),
        (1000, (3,), 3700, [3]),
    ],
)
def test_oldest_files_are_deleted_first(
    limit: int, used: tuple[int, ...], later: float, kept: list[int], files: list[Path], tmp_path: Path
) -> None:
    left = temp_storage.clear(tmp_path / "temp", limit, [str(files[number]) for number in used], time.time() + later)
    assert [number for number, path in enumerate(files) if path.exists()] == kept
    assert left == 100 * len(kept)


def test_deleted_files_are_removed_from_the_lists(files: list[Path], tmp_path: Path) -> None:
    lists = [{str(path) for path in files[:3]}, {str(path) for path in files[2:]}, {"elsewhere.png"}]
    temp_storage.clear(tmp_path / "temp", 200, now=time.time() + 400, lists=lists)
    assert lists == [set(), {str(path) for path in files[3:]}, {"elsewhere.png"}]


def test_unrelated_files_are_left_alone(files: list[Path], tmp_path: Path) -> None:
    theirs = [write(tmp_path / "temp" / name, 100) for name in ("notes.txt", "photos/a.png", f"{1:039x}/a.png")]
    assert temp_storage.clear(tmp_path / "temp", 0, now=time.time() + 4000) == 0
    assert all(path.exists() for path in theirs) and not any(path.exists() for path in files)


def test_age_of_a_copied_file_is_its_creation(files: list[Path], tmp_path: Path) -> None:
    os.utime(files[4], (0, 0))  # Gradio copies modification times
    temp_storage.clear(tmp_path / "temp", 100, now=time.time() + 400)
    assert files[4].exists() and not files[3].exists()


def test_old_empty_folders_are_deleted(files: list[Path], tmp_path: Path) -> None:
    temp_storage.clear(tmp_path / "temp", 400, now=time.time() + 400)
    assert files[0].parent.exists(), "a file may be about to be written there"
    (tmp_path / "temp" / f"{9:064x}" / "inmost").mkdir(parents=True)
    temp_storage.clear(tmp_path / "temp", 400, now=time.time() + 400)
    temp_storage.clear(tmp_path / "temp", 400, now=time.time() + 400)
    assert sorted((tmp_path / "temp").iterdir()) == [path.parent for path in files[1:]]


def test_symbolic_links_are_not_followed(files: list[Path], tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "kept.png", 100)
    (tmp_path / "temp" / f"{9:040x}").symlink_to(outside.parent)
    (files[0].parent / "link").symlink_to(outside.parent)
    (files[0].parent / "link.png").symlink_to(outside)
    temp_storage.clear(tmp_path / "temp", 0, now=time.time() + 4000)
    assert outside.exists()


def test_missing_folder_counts_as_empty(tmp_path: Path) -> None:
    assert temp_storage.clear(tmp_path / "nowhere", 0) == 0


def test_app_uses_its_own_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "restored after the test")
    monkeypatch.setattr(temp_storage.tempfile, "tempdir", str(tmp_path))
    folder = temp_storage.own_folder(None, 7860)
    assert folder == tmp_path / "clothseg-7860" == Path(os.environ["GRADIO_TEMP_DIR"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    assert temp_storage.own_folder(None, 7860).name.startswith("clothseg-") and not list(
        (tmp_path / "elsewhere").iterdir()
    )


def test_unwritable_folder_raises_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be kept in .*folder \(.*\); set GRADIO_TEMP_DIR to a folder"):
        temp_storage.own_folder(str(tmp_path / "file" / "folder"), 7860)


@pytest.fixture
def served(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path, Waiting]]:
    """An app with one megabyte of storage and a waiting engine; files count as old at once."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "temp"))
    monkeypatch.setattr(temp_storage, "GRACE_SECONDS", 0)
    monkeypatch.setattr(temp_storage, "MEASURE_SECONDS", 0)
    segmenter = Segmenter.from_pretrained(tiny_model)
    engine = segmenter.engine = Waiting()
    page = build(segmenter)
    page.queue(max_size=2)
    options = launch_options() | protect(page, 2**20, 2**20)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **options)
    yield url, tmp_path / "temp", engine
    engine.released.set()
    page.close()


def test_uploads_stay_within_the_storage_limit(served: tuple[str, Path, Waiting]) -> None:
    """The photo of a waiting call is kept; an upload larger than the whole storage is rejected."""
    url, folder, engine = served
    photo = encoded(Image.fromarray(draw(1, 96, 64).image), "PNG")

    def upload(data: bytes) -> httpx.Response:
        return httpx.post(f"{url}gradio_api/upload", files={"files": ("a.png", data)}, timeout=60)

    first = upload(photo).raise_for_status().json()[0]
    body = {"data": [{"path": first, "meta": {"_type": "gradio.FileData"}}]}
    call = httpx.post(f"{url}gradio_api/call/segment", json=body).raise_for_status().json()["event_id"]
    assert engine.entered.acquire(timeout=30)
    noise = np.random.default_rng(0)
    for _ in range(12):
        assert upload(noise.bytes(200_000)).status_code == 200
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        assert sum(sizes) <= 2**20
    assert len(sizes) > 3 and Path(first).exists()
    refused = upload(noise.bytes(2**20 + 1))
    assert (refused.status_code, refused.json()) == (507, {"detail": temp_storage.STORAGE_FULL})
    assert Path(first).exists() and len(list(folder.rglob("a.png"))) > 3, "nothing is deleted for an oversized upload"
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(httpx.get, f"{url}gradio_api/call/segment/{call}", timeout=60)
        engine.released.set()
        assert "event: complete" in answer.result().text
    gone = httpx.post(f"{url}gradio_api/call/segment", json={"data": [{**body["data"][0], "path": first + "x"}]})
    said = httpx.get(f"{url}gradio_api/call/segment/{gone.json()['event_id']}", timeout=60).text
    assert "event: error" in said and "Traceback" not in said
