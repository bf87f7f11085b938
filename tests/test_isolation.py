"""What a stranger who talks to the app gets to see: their own files and results, and nothing else."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from app_server import ROOT, environment
from conftest import SECRET, WATCH_SOCKETS
from paper_dolls import draw
from pictures import encoded
from PIL import Image

from clothseg.guard import FAILED, UNUSABLE
from clothseg.intake import MAX_UPLOAD_BYTES


META = {"_type": "gradio.FileData"}


@pytest.fixture
def app(public_app: tuple[str, Path]) -> str:
    return public_app[0]


@pytest.fixture(scope="module")
def photo() -> bytes:
    return encoded(Image.fromarray(draw(1, 96, 64).image), "PNG")


@pytest.fixture
def inside() -> Iterator[tuple[str, list[str]]]:
    """A server within the app's own network, and what it has been asked for."""
    asked: list[str] = []

    class Noting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Noting) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", asked
        server.shutdown()


def call(app: str, endpoint: str, data: Any) -> tuple[str, Any]:
    """Call an endpoint over bare HTTP: ("complete", outputs) or ("error", message)."""
    answer = httpx.post(f"{app}/gradio_api/call/{endpoint}", json={"data": data}, timeout=60)
    if answer.status_code != 200:
        return "error", answer.text
    stream = httpx.get(f"{app}/gradio_api/call/{endpoint}/{answer.json()['event_id']}", timeout=60).text
    event, result = re.findall(r"event: (\w+)\ndata: (.*)", stream)[-1]
    found = json.loads(result)
    return event, found["error"] if event == "error" else found


def upload(app: str, name: str, data: bytes) -> str:
    return httpx.post(f"{app}/gradio_api/upload", files={"files": (name, data)}).raise_for_status().json()[0]


def test_a_stranger_is_served(app: str, photo: bytes) -> None:
    """Or none of what follows would mean anything."""
    event, outputs = call(app, "segment", [{"path": upload(app, "me.png", photo), "meta": META}])
    assert event == "complete"
    assert outputs[2]["name"] == "me.png"
    assert httpx.get(outputs[1]["url"]).status_code == 200


FILES = ["/etc/hostname", "/proc/self/environ", "app.py", "../../../../../../etc/hostname", "FOLDER/app.log", "FOLDER"]


@pytest.mark.parametrize("path", [*FILES, "FOLDER/gradio", "FOLDER/gradio/../app.log", "ROOT/pyproject.toml", ""])
def test_files_of_the_server_are_not_handed_out(path: str, public_app: tuple[str, Path]) -> None:
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
def test_static_routes_lead_nowhere_else(route: str, app: str) -> None:
    for path in (
        "../../../../../../etc/hostname",
        "..%2f..%2f..%2f..%2f..%2f..%2fetc%2fhostname",
        "%2fetc%2fhostname",
    ):
        assert httpx.get(app + route + path).status_code in (400, 403, 404)


def test_anothers_files_cannot_be_found(public_app: tuple[str, Path], photo: bytes) -> None:
    app, _ = public_app
    _, (overlay, label_map, _) = call(app, "segment", [{"path": upload(app, "mine.png", photo), "meta": META}])
    for file in (overlay, label_map):
        path = Path(file["path"])
        assert re.fullmatch(r"[0-9a-f]{40,64}", path.parent.name), "a name that nobody guesses"
        for wrong in (path.parent, path.parent.parent, path.parents[2]):
            assert httpx.get(f"{app}/gradio_api/file={wrong}").status_code == 403
            assert httpx.get(f"{app}/gradio_api/file={wrong}/").status_code == 403
    seen = "".join(
        httpx.get(app + page).text
        for page in ("/", "/config", "/gradio_api/info", "/gradio_api/openapi.json", "/gradio_api/startup-events")
    )
    assert label_map["path"] not in seen and Path(label_map["path"]).parent.name not in seen


def test_the_name_of_an_upload_leads_nowhere_else(public_app: tuple[str, Path], photo: bytes) -> None:
    app, folder = public_app
    for name in ("../../evil.png", "/etc/evil.png", "..\\..\\evil.png", "a/../../b.png", "%2e%2e%2fevil.png", ".."):
        answer = httpx.post(f"{app}/gradio_api/upload", files={"files": (name, photo)})
        if answer.status_code == 200:
            path = Path(answer.json()[0])
            assert path.parent.parent == folder / "gradio" and path.is_file()
    assert not list(folder.parent.rglob("*evil.png")) or all(
        folder / "gradio" in path.parents for path in folder.parent.rglob("*evil.png")
    )


HOSTS = [
    "http://HOST/1",
    "http://a@HOST/2",
    "http://localhost:PORT/3",
    "http://[::1]:PORT/4",
    "http://0x7f000001:PORT/5",
]
ELSEWHERE = ["http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/", "http://10.0.0.1/", "http://[fd00::1]/"]


@pytest.mark.parametrize("url", [*HOSTS, "http://[::ffff:127.0.0.1]:PORT/6", *ELSEWHERE])
def test_the_server_asks_no_private_host(url: str, public_app: tuple[str, Path], inside: Any) -> None:
    app, folder = public_app
    host, asked = inside
    url = url.replace("HOST", host).replace("PORT", host.partition(":")[2])
    before = (folder / "sockets.log").stat().st_size
    for data in ([{"path": url, "meta": META}], [{"path": url, "url": url, "meta": META}]):
        event, message = call(app, "segment", data)
        assert event == "error" and message.endswith("is no public host; upload the picture instead."), message
    assert call(app, "segment", [{"url": url, "meta": META}])[0] == "error"
    assert call(app, "cutout", [None, [{"path": url, "meta": META}]])[0] == "error"
    for path in (f"file={url}", f"proxy={url}"):
        assert httpx.get(f"{app}/gradio_api/{path}", follow_redirects=False).status_code in (400, 403, 404)
    assert asked == []
    assert "socket.connect" not in (folder / "sockets.log").read_text()[before:]


@pytest.mark.parametrize(
    "given", ["/etc/hostname", "file:///etc/hostname", "http://HOST/mcp", "x", 5, {"path": "/etc"}]
)
def test_assistants_reach_no_more_than_others(given: Any, app: str, inside: Any) -> None:
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


MALFORMED = {
    "a number for a photo": [5],
    "a text for a photo": ["photo.jpg"],
    "a number for a path": [{"path": 5, "meta": META}],
    "a very long path": [{"path": "x" * 100_000, "meta": META}],
    "a null byte": [{"path": "\0", "meta": META}],
    "lists in lists": [[[[[]]]]],
    "deep": [json.loads("[" * 500 + "]" * 500)],
    "wide": [[{"path": "/etc", "meta": META}] * 1000],
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_input_is_answered_in_plain_words(case: str, app: str) -> None:
    assert call(app, "segment", MALFORMED[case]) == ("error", UNUSABLE)


def test_a_call_without_a_photo_is_told_so(app: str) -> None:
    assert call(app, "segment", []) == ("error", "No photo was given; send one.")


BODIES = {
    "not JSON": b"{",
    "not text": b"\xff\xfe\x00",
    "no data": b"{}",
    "data is no list": b'{"data": {"a": 1}}',
    "very deep": b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "large": b'{"data": ["' + b"A" * 40_000_000 + b'"]}',
}


@pytest.mark.parametrize("case", BODIES)
def test_bodies_that_are_no_requests_are_refused(case: str, app: str) -> None:
    for path in ("call/segment", "queue/join", "run/segment", "call/v2/segment"):
        answer = httpx.post(
            f"{app}/gradio_api/{path}", content=BODIES[case], headers={"Content-Type": "application/json"}, timeout=60
        )
        assert answer.status_code in (400, 404, 413, 422) or answer.json() == {"detail": FAILED}, (path, answer.text)
        assert "Traceback" not in answer.text and len(answer.text) < 2000
        if case == "large":
            assert answer.status_code == 413
            assert answer.json()["detail"] == "The request is too large: the limit is 34 MB."


def test_a_body_of_untold_size_is_bounded_too(app: str) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"data": ["'
        for _ in range(60):
            yield b"A" * 2**20

    headers = {"Content-Type": "application/json"}
    try:
        answer = httpx.post(f"{app}/gradio_api/call/segment", content=endless(), headers=headers, timeout=60)
        assert answer.status_code in (400, 413)
    except (httpx.WriteError, httpx.RemoteProtocolError, httpx.ReadError):
        pass  # hung up on
    assert httpx.get(f"{app}/config").status_code == 200


@pytest.mark.parametrize("length", ["-1", "1e9", "9" * 30, str(2**40)])
def test_lengths_that_cannot_be_are_refused(length: str, app: str) -> None:
    host = httpx.URL(app)
    import socket

    with socket.create_connection((host.host, host.port), timeout=10) as connection:
        connection.sendall(
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host.host}\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        assert connection.recv(100).split()[1] in (b"400", b"413")


def test_uploads_are_bounded(app: str, tmp_path: Path) -> None:
    large = tmp_path / "a.zip"
    with large.open("wb") as file:
        file.truncate(MAX_UPLOAD_BYTES + 1)
    with large.open("rb") as file:
        answer = httpx.post(f"{app}/gradio_api/upload", files={"files": ("a.zip", file)}, timeout=60)
    assert (answer.status_code, "exceeded maximum allowed size" in answer.text) == (413, True)
    many = httpx.post(f"{app}/gradio_api/upload", files=[("files", (f"{i}.jpg", b"a")) for i in range(1001)])
    assert many.status_code == 400
    long = httpx.post(f"{app}/gradio_api/upload", files={"files": ("a" * 10_000 + ".jpg", b"a")})
    assert long.status_code in (400, 413)


def test_long_headers_do_no_harm(app: str) -> None:
    for headers in ({"X-Long": "a" * 1_000_000}, {f"X-{i}": "a" for i in range(5000)}):
        try:
            assert httpx.get(f"{app}/config", headers=headers, timeout=30).status_code in (200, 400, 413, 431)
        except (httpx.WriteError, httpx.RemoteProtocolError, httpx.ReadError):
            pass  # hung up on
    assert httpx.get(f"{app}/config").status_code == 200


@pytest.mark.parametrize("path", ["/monitoring", "/monitoring/summary", "/gradio_api/vibe-code/", "/gradio_api/runs"])
def test_what_is_not_needed_is_closed(path: str, app: str) -> None:
    assert httpx.get(app + path).status_code in (403, 404)


def test_strangers_videos_are_not_taken(app: str) -> None:
    for slash in ("", "/"):
        answer = httpx.post(f"{app}/gradio_api/process_recording{slash}", files={"video": ("a.mp4", b"a")})
        assert answer.status_code == 404


def test_secrets_stay_in_the_server(public_app: tuple[str, Path], photo: bytes) -> None:
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
    assert all(str(ROOT) not in text for text in texts[:-1]), "where the app lies is nobody's business"


def outside(log: str) -> list[str]:
    """The lines of a log of sockets that do not stay on this machine."""
    local = ("'127.0.0.1'", "'localhost'", "'0.0.0.0'", "'::1'", "b'127.0.0.1'", "b'localhost'", "'/")
    return [line for line in log.splitlines() if not any(host in line for host in local)]


def test_starting_the_app_asks_nobody(public_app: tuple[str, Path]) -> None:
    log = (public_app[1] / "started.log").read_text()
    assert log, "gradio asks its own server whether it is up"
    assert outside(log) == []


def test_importing_and_using_the_library_asks_nobody(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH_SOCKETS)
    log = tmp_path / "sockets.log"
    log.touch()
    code = (
        "import socket, clothseg; [getattr(clothseg, name) for name in clothseg.__all__]; "
        f"clothseg.Segmenter.from_pretrained({str(tiny_model)!r})('examples/photographer.jpg').to_json(); "
        "socket.socket().connect_ex(('192.0.2.1', 0))"
    )
    env = environment(PYTHONPATH=str(tmp_path), SOCKET_LOG=str(log), HF_HUB_OFFLINE="0")
    subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, check=True, capture_output=True)
    assert ["192.0.2.1" in line for line in outside(log.read_text())] == [True], "this test's own line alone"


REST = (None, None, "one", "guided", "auto", False, False)
"""Of /cutout's inputs, behind photo and classes."""


@pytest.mark.parametrize("classes", [5, 0.5, {"Hat": 1}, True, [5], [["Hat"]], [None], "no class", ["x" * 9000] * 9])
def test_classes_that_are_none(classes: Any, app: str, photo: bytes) -> None:
    event, message = call(app, "cutout", [{"path": upload(app, "me.png", photo), "meta": META}, classes, *REST])
    assert event == "error"
    assert message.startswith(("Unknown class", "Classes are given as a list of names")), message
    assert len(message) < 600


def test_what_a_message_quotes_is_cut_short(app: str, photo: bytes) -> None:
    me = {"path": upload(app, "me.png", photo), "meta": META}
    event, message = call(app, "cutout", [me, ["Hat"], ["x" * 100_000], *REST[1:]])
    assert event == "error" and message.endswith(" ...") and len(message) < 600, message


def test_what_security_md_names_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    tests = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    named = set(re.findall(r"`(test_\w+)", text))
    assert len(named) > 20
    assert {name for name in named if not any(f"def {name}" in code for code in tests.values())} == set()
    assert set(re.findall(r"`(tests/[\w/]+\.py)`", text)) <= set(tests)
