"""ONNX Runtime Web: only the pinned archive is accepted, from the registry or a file."""

import functools
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clothseg import ConfigError
from clothseg.commands import web_runtime
from clothseg.commands.web_runtime import FILES, VERSION, runtime_files
from clothseg.errors import HubError


CONTENT = {name: f"content of {name}".encode() for name in FILES}


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Path of a small archive in a local registry, in place of the real one."""
    folder = tmp_path / "registry"
    path = folder / f"onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {**CONTENT, "../../escaped.js": b"x"}.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(web_runtime, "INTEGRITY", web_runtime._integrity(path))
    monkeypatch.setenv("CLOTHSEG_CACHE", str(tmp_path / "cache"))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{server.server_port}/")
        yield path
        server.shutdown()


def test_runtime_is_downloaded_once(registry: Path, tmp_path: Path) -> None:
    assert runtime_files(None) == CONTENT
    assert not list(tmp_path.rglob("escaped.js"))
    registry.unlink()
    assert runtime_files(None) == CONTENT, "from the cache"


def test_archive_with_other_content_is_rejected(registry: Path) -> None:
    registry.write_bytes(registry.read_bytes() + b"\0")
    with pytest.raises(HubError, match="does not have the expected content"):
        runtime_files(None)
    with pytest.raises(ConfigError, match=f"is not the archive of onnxruntime-web {VERSION}"):
        runtime_files(registry)
    registry.unlink()
    with pytest.raises(HubError, match="Without a network, give its archive from npm with --runtime"):
        runtime_files(None)


def test_archive_or_installed_package_is_accepted(registry: Path, tmp_path: Path) -> None:
    assert runtime_files(registry) == CONTENT
    package = tmp_path / "package"
    (package / "dist").mkdir(parents=True)
    for name, content in CONTENT.items():
        (package / "dist" / name).write_bytes(content)
    (package / "package.json").write_text(json.dumps({"name": "onnxruntime-web", "version": VERSION}))
    assert runtime_files(package) == CONTENT
    (package / "package.json").write_text(json.dumps({"name": "onnxruntime-web", "version": "1.0.0"}))
    for wrong in (package, tmp_path / "nothing"):
        with pytest.raises(ConfigError, match=f"npm install onnxruntime-web@{VERSION}"):
            runtime_files(wrong)


def test_page_tests_use_the_pinned_runtime() -> None:
    locked = json.loads((Path(__file__).parents[1] / "node" / "package-lock.json").read_text())["packages"]
    package = locked["node_modules/onnxruntime-web"]
    assert (package["version"], package["integrity"]) == (VERSION, web_runtime.INTEGRITY)
