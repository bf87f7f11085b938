"""Files are written atomically, and disk errors give a one-sentence message."""

import asyncio
import errno
import resource
from pathlib import Path

import gradio as gr
import pytest
from full_disk import file_limit
from paper_dolls import draw, write_parquet
from PIL import Image

from clothseg import Segmenter, cli
from clothseg.app.downloads import save_overlay
from clothseg.app.server import request_limits
from clothseg.images.atomic_files import atomic_path, disk_trouble


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "doll.png"
    Image.fromarray(draw(1, 480, 320).image).save(path)
    return path


def test_failed_write_keeps_the_previous_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("before")
    with pytest.raises(OSError) as failed, file_limit(1000), atomic_path(path) as building:
        building.write_text("x" * 2000)
    assert [each.name for each in tmp_path.iterdir()] == ["file.txt"] and path.read_text() == "before"
    assert "a file would exceed the size limit" in str(disk_trouble(failed.value))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "x", "a.png"), "a.png could not be written: the disk is full: free some space. "),
        (OSError(errno.ENOSPC, "x"), "Writing failed: the disk is full: free some space."),
        (OSError(errno.EROFS, "x", "a", None, "b"), "b could not be written: the disk is read-only: write elsewhere."),
        (PermissionError(errno.EACCES, "x", "a"), "this user may not write there"),
        (OSError(errno.EDQUOT, "x", "a"), "quota is used up"),
    ],
)
def test_disk_errors_name_file_and_cause(error: OSError, said: str) -> None:
    assert said in str(disk_trouble(error))


def test_other_errors_are_not_disk_errors() -> None:
    for error in (
        FileNotFoundError(errno.ENOENT, "x", "a"),
        OSError("x"),
        ConnectionResetError(errno.ECONNRESET, "x"),
    ):
        assert disk_trouble(error) is None


def test_evaluate_on_a_full_disk_keeps_previous_files(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a full disk the command reports the error and leaves earlier files intact."""
    for split in ("train", "validation"):
        write_parquet(tmp_path / f"{split}.parquet", 2, height=96, width=64)
    argv = ["evaluate", str(tiny_model), str(tmp_path), "--resamples", "20", "--out", str(tmp_path / "out")]
    assert cli.main(argv) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with file_limit(2000):
        assert cli.main(argv) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: ") and "would exceed the size limit" in said
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_full_disk_gives_a_clear_error_and_leaves_no_partial_file(
    tiny_model: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    result = Segmenter.from_pretrained(tiny_model, device="cpu")(photo)
    with pytest.raises(OSError) as failed, file_limit(1000):
        save_overlay(result)
    assert not [path for path in (tmp_path / "gradio").rglob("*") if path.is_file()]

    async def fail() -> None:
        raise failed.value

    with pytest.raises(gr.Error, match="The server has no space for a photo or its result at the moment"):
        asyncio.run(request_limits._with_clear_errors(fail, request_limits.FAILED, logged=False)())
    for error, status in ((failed.value, 507), (FileNotFoundError(errno.ENOENT, "no such file", "a"), 500)):
        assert request_limits.failed(error).status_code == status


def test_unwritable_cache_does_not_prevent_loading(
    tiny_model: Path, photo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a cache below a file, where no folder can be created, nor one on a full disk."""
    expected = Segmenter.from_pretrained(tiny_model, engine="torch")(photo).label_map
    (tmp_path / "full").mkdir()
    for cache, size in ((photo / "cache", resource.RLIM_INFINITY), (tmp_path / "full", 5000)):
        monkeypatch.setenv("CLOTHSEG_CACHE", str(cache))
        with file_limit(size):
            found = Segmenter.from_pretrained(tiny_model, device="cpu")(photo).label_map
        assert (found == expected).mean() > 0.999
    assert not list((tmp_path / "full").rglob("*.xml"))
