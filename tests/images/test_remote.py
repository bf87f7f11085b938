"""Remote storage: fsspec URLs are distinguished from paths, and their photos are collected."""

import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from local_hub import LocalHub
from paper_dolls import draw
from PIL import Image

from clothseg.errors import ConfigError, ImageError, UsageError
from clothseg.images import sources
from clothseg.images.atomic_files import encoded
from clothseg.images.remote import Remote, explained, location, stamp
from clothseg.images.sources import collected


@pytest.fixture
def bucket() -> Iterator[str]:
    """URL of a folder in fsspec's memory storage with three photos (one without suffix) and a text."""
    fs = fsspec.filesystem("memory")
    photo = encoded(Image.fromarray(draw(0, 64, 48).image), "PNG")
    for name, content in {"a.png": photo, "june/b": photo, "out/labels/a.png": photo, "notes": b"none"}.items():
        fs.pipe_file(f"/bucket/{name}", content)
    yield "memory://bucket"
    fs.store.clear()


def test_location_distinguishes_paths_and_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x:" / "y").mkdir(parents=True)
    assert location("photos/a.png") == Path("photos/a.png") and location("C:\\photos") == Path("C:\\photos")
    assert location(f"file://{tmp_path}") == tmp_path and location("x://y") == Path("x://y")
    assert location("memory://a/b/") == Remote("memory://a/b")
    with pytest.raises(UsageError, match="web address"):
        location("https://example.org/a.jpg")
    with pytest.raises(UsageError, match="nowhere://a cannot be used: Protocol not known: nowhere"):
        location("nowhere://a").exists()
    with pytest.raises(UsageError, match=r"gdrive://a needs a package that is not installed: .*gdrive"):
        location("gdrive://a").exists()


def test_remote_folders_and_zips_are_collected(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = Remote(bucket)
    with collected([remote], leave_out=[Remote(f"{bucket}/out")]) as photos:
        assert [(str(photo.name), str(photo.files)) for photo in photos] == [("a.png", "a"), ("june/b", "june/b")]
        assert photos[0].read() == remote.read("a.png")
    with collected([Remote(f"{bucket}/june/b")]) as (photo,):
        assert str(photo.name) == "b" and pickle.loads(pickle.dumps(photo.read))() == photo.read()
        remote.fs.rm("/bucket/june/b")
        with pytest.raises(ImageError, match=r"memory://.*june/b could not be read"):
            photo.read()
    monkeypatch.setattr(sources, "MOST_REMOTE_BYTES", 10)
    with (
        collected([Remote(f"{bucket}/a.png")]) as (photo,),
        pytest.raises(ImageError, match=r"memory://.*a\.png has 0 MB; photos in remote storage may have 0 MB\. Copy"),
    ):
        photo.read()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("c.png", remote.read("a.png"))
    remote.fs.pipe_file("/bucket/sent.zip", archive.getvalue())
    with collected([Remote(f"{bucket}/sent.zip")], unpack=True) as (inside,):
        assert str(inside.name) == "c.png" and inside.read() == remote.read("a.png")
    with pytest.raises(ConfigError, match=r"sent\.zip is a ZIP: add --zip"), collected([Remote(f"{bucket}/sent.zip")]):
        pass
    for path, message in {"none": "There is no file or folder", "notes/": "There is no|holds no photos"}.items():
        with pytest.raises(ConfigError, match=message), collected([Remote(f"{bucket}/{path}/x")]):
            pass
    assert remote.contains(Remote(f"{bucket}/out")) and not remote.contains(Remote(f"{bucket}2"))


def test_remote_stamps_change_with_the_content() -> None:
    assert stamp({"size": 3, "ETag": "a"}) == stamp({"size": 3, "ETag": "a", "mtime": 7})
    assert len({stamp({"size": 3, "ETag": "a"}), stamp({"size": 3, "ETag": "b"}), stamp({"size": 4})}) == 3


def test_client_errors_become_one_sentence() -> None:
    for error, message in {
        PermissionError("no"): "x: access is denied",
        RuntimeError("a\nb"): "x cannot be used: a.",
    }.items():
        with pytest.raises(ConfigError, match=message), explained("x"):
            raise error


def test_photos_of_a_hub_repository_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi, HfFileSystem

    photo = encoded(Image.fromarray(draw(0, 64, 48).image), "PNG")
    with LocalHub({"hf_alice": "alice"}) as hub:
        hub.use_here(monkeypatch, tmp_path, "hf_alice")
        HfFileSystem.clear_instance_cache()
        api = HfApi(endpoint=hub.url)
        api.create_repo("alice/photos", repo_type="dataset")
        api.upload_file(path_or_fileobj=photo, path_in_repo="june/a.png", repo_id="alice/photos", repo_type="dataset")
        monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": hub.url})
        with collected([location("hf://datasets/alice/photos")]) as (source,):
            assert str(source.name) == "june/a.png" and source.read() == photo
        HfFileSystem.clear_instance_cache()
