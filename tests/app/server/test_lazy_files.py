"""Files that are created when they are fetched."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from clothseg.app.server import lazy_files
from clothseg.app.server.lazy_files import LazyFiles, lazy_file


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(lazy_files, "_makers", lazy_files._makers.copy())
    yield TestClient(LazyFiles(Starlette(routes=[Route("/{path:path}", lambda _: PlainTextResponse("other"))])))


def test_lazy_file_is_created_when_fetched(client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "coat.png"

    def write() -> str:
        path.write_bytes(b"pixels")
        return str(path)

    address = lazy_file(write)
    assert not path.exists() and len(address) > 40 and not address.startswith("/")
    answer = client.get(f"/{address}")
    assert answer.content == b"pixels" and answer.headers["content-type"] == "image/png"
    assert 'filename="coat.png"' in answer.headers["content-disposition"]


def test_expired_lazy_files_return_404(client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "no longer available" in client.get("/later/0").json()["detail"]
    assert client.get(f"/{lazy_file(lambda: None)}").status_code == 404
    monkeypatch.setattr(lazy_files, "MOST", 2)
    (tmp_path / "a.png").touch()
    first, *others = [lazy_file(lambda: str(tmp_path / "a.png")) for _ in range(3)]
    assert [client.get(f"/{each}").status_code for each in (first, *others)] == [404, 200, 200]


def test_other_requests_are_passed_on(client: TestClient) -> None:
    assert client.get("/").text == client.get("/later").text == "other"
