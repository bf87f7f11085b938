"""Untrusted visitors of the app can read their own files and results, and nothing else."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from app_server import ROOT, SECRET
from strangers import META, call, upload

from clothseg.app.server.request_limits import UNUSABLE


@pytest.fixture
def inside() -> Iterator[tuple[str, list[str]]]:
    """A server within the app's own network, and the paths requested from it."""
    asked: list[str] = []

    class Noting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Noting) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_untrusted_visitor_can_segment_an_uploaded_photo(app: str, photo: bytes) -> None:
    """A control: without it, an app that rejects everything would pass the other tests."""
    event, outputs = call(app, "segment", [{"path": upload(app, "me.png", photo), "meta": META}])
    assert event == "complete"
    assert outputs[2]["name"] == "me.png"
    assert httpx.get(outputs[1]["url"]).status_code == 200


FILES = ["/etc/hostname", "/proc/self/environ", "app.py", "../../../../../../etc/hostname", "FOLDER/app.log", "FOLDER"]


@pytest.mark.parametrize("path", [*FILES, "FOLDER/gradio", "FOLDER/gradio/../app.log", "ROOT/pyproject.toml", ""])
def test_server_files_are_not_served(path: str, public_app: tuple[str, Path]) -> None:
    app, folder = public_app
    path = path.replace("FOLDER", str(folder)).replace("ROOT", str(ROOT))
    for url in (f"file={path}", f"file={path.replace('/', '%2f').replace('.', '%2e')}", f"file/{path}"):
        assert httpx.get(f"{app}/gradio_api/{url}").status_code in (400, 403, 404, 405), url
    for given in (path, f"file://{path}"):
        event, message = call(app, "segment", [{"path": given, "meta": META}])
        assert event == "error" and (
            message == UNUSABLE or message.endswith("is a folder; give the path of one photo.")
        )


@pytest.mark.parametrize("route", ["/static/", "/assets/", "/svelte/", "/gradio_api/custom_component/a/b/c/"])
def test_static_routes_reject_path_traversal(route: str, app: str) -> None:
    for path in (
        "../../../../../../etc/hostname",
        "..%2f..%2f..%2f..%2f..%2f..%2fetc%2fhostname",
        "%2fetc%2fhostname",
    ):
        assert httpx.get(app + route + path).status_code in (400, 403, 404)


def test_files_of_other_visitors_cannot_be_listed_or_found(public_app: tuple[str, Path], photo: bytes) -> None:
    app, _ = public_app
    _, (overlay, label_map, _) = call(app, "segment", [{"path": upload(app, "mine.png", photo), "meta": META}])
    for file in (overlay, label_map):
        path = Path(file["path"])
        assert re.fullmatch(r"[0-9a-f]{40,64}", path.parent.name), "a name that cannot be guessed"
        for wrong in (path.parent, path.parent.parent, path.parents[2]):
            assert httpx.get(f"{app}/gradio_api/file={wrong}").status_code == 403
            assert httpx.get(f"{app}/gradio_api/file={wrong}/").status_code == 403
    seen = "".join(
        httpx.get(app + page).text
        for page in ("/", "/config", "/gradio_api/info", "/gradio_api/openapi.json", "/gradio_api/startup-events")
    )
    assert label_map["path"] not in seen and Path(label_map["path"]).parent.name not in seen


def test_upload_names_cannot_escape_the_upload_folder(public_app: tuple[str, Path], photo: bytes) -> None:
    app, folder = public_app
    accepted = []
    for name in ("../../evil.png", "/etc/evil.png", "..\\..\\evil.png", "a/../../b.png", "%2e%2e%2fevil.png", ".."):
        answer = httpx.post(f"{app}/gradio_api/upload", files={"files": (name, photo)})
        if answer.status_code == 200:
            path = Path(answer.json()[0])
            assert path.parent.parent == folder / "gradio" and path.is_file()
            accepted.append(path.name)
    assert "evil.png" in accepted
    assert all(folder / "gradio" in path.parents for path in folder.parent.rglob("*evil.png"))


HOSTS = [
    "http://HOST/1",
    "http://a@HOST/2",
    "http://localhost:PORT/3",
    "http://[::1]:PORT/4",
    "http://0x7f000001:PORT/5",
]
ELSEWHERE = ["http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/", "http://10.0.0.1/", "http://[fd00::1]/"]


@pytest.mark.parametrize("url", [*HOSTS, "http://[::ffff:127.0.0.1]:PORT/6", *ELSEWHERE])
def test_server_does_not_contact_private_hosts(url: str, public_app: tuple[str, Path], inside: Any) -> None:
    app, folder = public_app
    host, asked = inside
    url = url.replace("HOST", host).replace("PORT", host.partition(":")[2])
    before = (folder / "sockets.log").stat().st_size
    for data in ([{"path": url, "meta": META}], [{"path": url, "url": url, "meta": META}]):
        event, message = call(app, "segment", data)
        assert event == "error" and message.endswith("is not a public host; upload the picture instead."), message
    assert call(app, "segment", [{"url": url, "meta": META}])[0] == "error"
    assert call(app, "cutout", [None, [{"path": url, "meta": META}]])[0] == "error"
    for path in (f"file={url}", f"proxy={url}"):
        assert httpx.get(f"{app}/gradio_api/{path}", follow_redirects=False).status_code in (400, 403, 404)
    assert asked == []
    assert "socket.connect" not in (folder / "sockets.log").read_text()[before:]


@pytest.mark.parametrize(
    "given", ["/etc/hostname", "file:///etc/hostname", "http://HOST/mcp", "x", 5, {"path": "/etc"}]
)
def test_mcp_calls_cannot_read_files_or_private_hosts(given: Any, app: str, inside: Any) -> None:
    host, asked = inside
    arguments = {"photo": given.replace("HOST", host) if isinstance(given, str) else given}
    answer = httpx.post(
        f"{app}/gradio_api/mcp/",
        json={
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "segment", "arguments": arguments},
        },
        headers={"Accept": "application/json, text/event-stream"},
        timeout=60,
    )
    assert answer.status_code == 200
    assert '"isError":true' in answer.text.replace(" ", ""), answer.text
    assert "Traceback" not in answer.text and "site-packages" not in answer.text
    assert asked == []


def test_secrets_and_server_paths_are_not_revealed(public_app: tuple[str, Path], photo: bytes) -> None:
    app, folder = public_app
    texts = [
        httpx.get(app + path).text
        for path in ("/", "/config", "/gradio_api/info", "/gradio_api/openapi.json", "/gradio_api/token", "/nothing")
    ]
    texts.append(str(call(app, "segment", [{"path": upload(app, "me.png", photo), "meta": META}])))
    texts.append(str(call(app, "segment", [{"path": upload(app, "text.png", b"text"), "meta": META}])))
    texts.append(str(call(app, "cutout", [{"path": upload(app, "me.png", photo), "meta": META}, 5])))
    texts.append((folder / "app.log").read_text())
    assert all(SECRET not in text and SECRET[3:] not in text for text in texts)
    assert all(str(ROOT) not in text for text in texts[:-1]), "an answer reveals the app's folder"


def test_tests_named_in_security_md_exist() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    tests = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    named = set(re.findall(r"`(test_\w+)", text))
    assert len(named) > 20
    assert {name for name in named if not any(f"def {name}" in code for code in tests.values())} == set()
    assert set(re.findall(r"`(tests/[\w/]+\.py)`", text)) <= set(tests)
