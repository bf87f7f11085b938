"""Fetching pictures from the web: hostile answers are rejected, and private hosts are never contacted."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from clothseg import ImageError
from clothseg.app.server import safe_fetch


class Answers(BaseHTTPRequestHandler):
    """A server that answers by path and records the requested paths."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        kind, _, rest = self.path[1:].partition("/")
        if kind == "to":
            self.send_response(302)
            self.send_header("Location", rest)
            self.end_headers()
        elif kind == "again":
            self.send_response(302)
            self.send_header("Location", f"/again/{int(rest) + 1}")
            self.end_headers()
        elif kind == "missing":
            self.send_error(404)
        elif kind == "silent":
            time.sleep(1.5)
        else:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):  # the client disconnects
                for _ in range(int(rest) // 1000 if kind == "bytes" else 10**6):
                    self.wfile.write(b"x" * 1000)

    def log_message(self, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Answers.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat only this machine's address as public."""
    monkeypatch.setattr(safe_fetch, "is_public", lambda address: address == "127.0.0.1")


def get(url: str, folder: Path) -> str:
    return asyncio.run(safe_fetch.fetch(url, str(folder), max_bytes=100_000))


def test_fetch_follows_redirects(server: str, trusting: None, tmp_path: Path) -> None:
    path = Path(get(f"{server}/to//bytes/50000", tmp_path))
    assert path.read_bytes() == b"x" * 50_000
    assert (path.name, path.parent.parent) == ("50000", tmp_path)
    assert Answers.asked == ["/to//bytes/50000", "/bytes/50000"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/bytes/200000", "The picture is too large: the limit is 0 MB"),
        ("/endless/", "The picture is too large"),
        ("/silent/", "127.0.0.1 did not send the picture within 1 seconds"),
        ("/again/0", "redirects more than 5 times"),
        ("/missing/", "127.0.0.1 answers with the error 404"),
        ("/to/http://10.0.0.1/x", "10.0.0.1 is not a public host; upload the picture instead"),
        ("/to/http://127.0.0.1:1/x", "No picture could be fetched from 127.0.0.1"),
        ("/to/file:///etc/passwd", "must begin with http:// or https://"),
        ("/to/http://[", "No picture could be fetched from"),
    ],
)
def test_hostile_answers_are_rejected(
    path: str, said: str, server: str, trusting: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path == "/silent/":
        monkeypatch.setattr(safe_fetch, "SECONDS", 1)
    begun = time.monotonic()
    with pytest.raises(ImageError, match=said):
        get(server + path, tmp_path)
    assert time.monotonic() - begun < 10
    assert not list(tmp_path.iterdir())
    assert len(Answers.asked) <= 6


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "0.0.0.0", "a@127.1"])
def test_local_host_is_never_contacted(host: str, server: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is not a public host"):
        get(f"http://{host}:{server.rpartition(':')[2]}/bytes/1000", tmp_path)
    assert Answers.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("100.64.0.1", False),  # shared by a provider's customers
        ("169.254.169.254", False),  # where clouds hand out credentials
        ("198.18.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("::ffff:127.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
    ],
)
def test_is_public_rejects_private_addresses(address: str, public: bool) -> None:
    assert safe_fetch.is_public(address) is public


def test_host_with_any_private_address_is_rejected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def both(*_: object, **__: object) -> list[tuple]:
        return [(2, 1, 6, "", ("8.8.8.8", 0)), (2, 1, 6, "", ("10.0.0.1", 0))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", both)
    with pytest.raises(ImageError, match=r"two\.example is not a public host"):
        get("http://two.example/x.jpg", tmp_path)


@pytest.mark.parametrize("url", ["ftp://8.8.8.8/x", "file:///etc/passwd", "http:///x", "http://", "x", "http://[::1"])
def test_other_schemes_and_missing_hosts_are_rejected(url: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"must begin with http|No picture could be fetched"):
        get(url, tmp_path)
