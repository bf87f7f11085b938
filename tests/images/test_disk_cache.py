"""Cache entries are created once and atomically, and damaged ones are recreated."""

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clothseg.images import disk_cache
from clothseg.images.disk_cache import cache_folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLOTHSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Maker:
    """Creates entries of one file and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, folder: Path) -> None:
        self.made += 1
        (folder / "file").write_text(f"{self.made}")


def read(folder: Path) -> str:
    return (folder / "file").read_text()


def cached(key: str, make: Callable[[Path], None], read: Callable[[Path], str]) -> str:
    return disk_cache.cached(cache_folder() / key, make, read, "text")


def test_entry_is_created_once_per_key() -> None:
    make = Maker()
    assert [cached("one", make, read), cached("one", make, read), cached("two", make, read)] == ["1", "1", "2"]


def truncate(entry: Path) -> None:
    (entry / "file").write_text("")


def remove_a_file(entry: Path) -> None:
    (entry / "file").unlink()


def garble_the_checksum(entry: Path) -> None:
    (entry / "sha256").write_bytes(b"\xff\xfe")


def replace_by_a_file(entry: Path) -> None:
    for path in entry.iterdir():
        path.unlink()
    entry.rmdir()
    entry.write_text("")


@pytest.mark.parametrize("harm", [truncate, remove_a_file, garble_the_checksum, replace_by_a_file])
def test_damaged_entry_is_recreated(
    harm: Callable[[Path], None], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make = Maker()
    cached("one", make, read)
    harm(folder / "one")
    assert [cached("one", make, read), cached("one", make, read)] == ["2", "2"]
    assert [path.name for path in folder.iterdir()] == ["one"]
    assert caplog.text.count(f"The text in {folder / 'one'} is damaged and is created again.") == 1


def test_unreadable_entry_is_recreated(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    make = Maker()
    cached("one", make, read)

    def reject_the_first(entry: Path) -> str:
        if read(entry) == "1":
            raise RuntimeError("of another version")
        return read(entry)

    assert [cached("one", make, reject_the_first), cached("one", make, read)] == ["2", "2"]
    assert f"The text in {folder / 'one'} cannot be read (of another version) and is created again." in caplog.text


def test_unwritable_cache_creates_entries_each_time(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder.write_text("a file, so there can be no folder, even for root")
    make = Maker()
    assert [cached("one", make, read), cached("one", make, read)] == ["1", "2"]
    assert "Set CLOTHSEG_CACHE to a writable folder." in caplog.text


def test_failed_creation_leaves_no_entry(folder: Path) -> None:
    def fail(entry: Path) -> None:
        (entry / "half").write_text("half")
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        cached("one", fail, read)
    assert not any(folder.iterdir())


def test_oldest_entries_are_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_cache, "KEPT", 2)
    make = Maker()
    for age, key in enumerate(("a", "b")):
        cached(key, make, read)
        os.utime(folder / key, (age, age))
    cached("a", make, read)  # used just now
    (folder / "making-abandoned").mkdir()
    os.utime(folder / "making-abandoned", (0, 0))
    cached("c", make, read)
    assert {path.name for path in folder.iterdir()} == {"a", "c"}


def _make_slowly(entry: Path) -> None:
    (entry / "file").write_text("half of ")
    time.sleep(0.02)
    with (entry / "file").open("a") as file:
        file.write("it")


def _use(_: int) -> set[str]:
    return {cached(f"key {round}", _make_slowly, read) for round in range(5)}


def test_concurrent_processes_read_complete_entries(folder: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert set().union(*pool.map(_use, range(8))) == {"half of it"}
    assert {path.name for path in folder.iterdir()} == {f"key {round}" for round in range(5)}
