"""Malformed, oversized and unsupported requests are rejected with a clear message, and the app keeps running."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from strangers import META, call, upload

from clothseg.app.limits import MAX_UPLOAD_BYTES
from clothseg.app.server.request_limits import FAILED, UNKNOWN, UNUSABLE


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
def test_malformed_input_gives_a_clear_error(case: str, app: str) -> None:
    assert call(app, "segment", MALFORMED[case]) == ("error", UNUSABLE)


def test_call_without_a_photo_gives_a_clear_error(app: str) -> None:
    assert call(app, "segment", []) == ("error", "No photo was given; send one.")


@pytest.mark.parametrize(
    ("endpoint", "arguments"),
    [
        ("segment", {}),
        ("segment", {"phota": "x"}),
        ("cutout", {"photo": None, "x": 1}),
        ("nothing", {}),
        ("items", {}),
    ],
)
def test_unknown_endpoints_and_parameters_are_rejected(endpoint: str, arguments: dict[str, Any], app: str) -> None:
    answer = httpx.post(f"{app}/gradio_api/call/v2/{endpoint}", json=arguments)
    assert (answer.status_code, answer.json()) == (422, {"detail": UNUSABLE})
    for kind in ("call", "run") if endpoint == "nothing" else ():
        answer = httpx.post(f"{app}/gradio_api/{kind}/{endpoint}", json={"data": []})
        assert (answer.status_code, answer.json()) == (404, {"detail": UNKNOWN})


def test_unknown_event_id_gives_an_error_event(public_app: tuple[str, Path]) -> None:
    """The stream reports the error and ends; the connection is not reset and no traceback is logged."""
    app, folder = public_app
    before = (folder / "app.log").stat().st_size
    for endpoint in ("segment", "labels", "nothing"):
        answer = httpx.get(f"{app}/gradio_api/call/{endpoint}/0123456789abcdef")
        assert answer.status_code == 200 and "event: error" in answer.text and "404" in answer.text
    assert "Traceback" not in (folder / "app.log").read_text()[before:]


BODIES = {
    "not JSON": b"{",
    "not text": b"\xff\xfe\x00",
    "no data": b"{}",
    "data is no list": b'{"data": {"a": 1}}',
    "very deep": b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "large": b'{"data": ["' + b"A" * 40_000_000 + b'"]}',
}


@pytest.mark.parametrize("case", BODIES)
def test_invalid_request_bodies_are_rejected(case: str, app: str) -> None:
    for path in ("call/segment", "queue/join", "run/segment", "call/v2/segment"):
        answer = httpx.post(
            f"{app}/gradio_api/{path}", content=BODIES[case], headers={"Content-Type": "application/json"}, timeout=60
        )
        assert answer.status_code in (400, 404, 413, 422) or answer.json() == {"detail": FAILED}, (path, answer.text)
        assert "Traceback" not in answer.text and len(answer.text) < 2000
        if case == "large":
            assert answer.status_code == 413
            assert answer.json()["detail"] == "The request is too large: the limit is 34 MB."


def test_chunked_request_bodies_are_limited(app: str) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"data": ["'
        for _ in range(60):
            yield b"A" * 2**20

    headers = {"Content-Type": "application/json"}
    try:
        answer = httpx.post(f"{app}/gradio_api/call/segment", content=endless(), headers=headers, timeout=60)
        assert answer.status_code in (400, 413)
    except (httpx.WriteError, httpx.RemoteProtocolError, httpx.ReadError):
        pass  # the server closed the connection
    assert httpx.get(f"{app}/config").status_code == 200


@pytest.mark.parametrize("length", ["-1", "1e9", "9" * 30, str(2**40)])
def test_invalid_content_lengths_are_rejected(length: str, app: str) -> None:
    host = httpx.URL(app)
    with socket.create_connection((host.host, host.port), timeout=10) as connection:
        connection.sendall(
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host.host}\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        assert connection.recv(100).split()[1] in (b"400", b"413")


def test_uploads_are_limited_in_size_count_and_name_length(app: str, tmp_path: Path) -> None:
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


def test_app_survives_huge_headers(app: str) -> None:
    for headers in ({"X-Long": "a" * 1_000_000}, {f"X-{i}": "a" for i in range(5000)}):
        try:
            assert httpx.get(f"{app}/config", headers=headers, timeout=30).status_code in (200, 400, 413, 431)
        except (httpx.WriteError, httpx.RemoteProtocolError, httpx.ReadError):
            pass  # the server closed the connection
    assert httpx.get(f"{app}/config").status_code == 200


@pytest.mark.parametrize("path", ["/monitoring", "/monitoring/summary", "/gradio_api/vibe-code/", "/gradio_api/runs"])
def test_unneeded_routes_are_turned_off(path: str, app: str) -> None:
    assert httpx.get(app + path).status_code in (403, 404)


def test_video_recording_route_is_turned_off(app: str) -> None:
    for slash in ("", "/"):
        answer = httpx.post(f"{app}/gradio_api/process_recording{slash}", files={"video": ("a.mp4", b"a")})
        assert answer.status_code == 404


REST = (None, None, "one", "guided", "auto", False, False)
"""The inputs of /cutout after photo and classes."""


@pytest.mark.parametrize("classes", [5, 0.5, {"Hat": 1}, True, [5], [["Hat"]], [None], "no class", ["x" * 9000] * 9])
def test_invalid_classes_give_a_clear_error(classes: Any, app: str, photo: bytes) -> None:
    event, message = call(app, "cutout", [{"path": upload(app, "me.png", photo), "meta": META}, classes, *REST])
    assert event == "error"
    assert message.startswith(("Unknown class", "classes must be a list of names")), message
    assert len(message) < 600


def test_error_messages_shorten_long_quotes(app: str, photo: bytes) -> None:
    me = {"path": upload(app, "me.png", photo), "meta": META}
    event, message = call(app, "cutout", [me, ["Hat"], ["x" * 100_000], *REST[1:]])
    assert event == "error" and message.endswith(" ...") and len(message) < 600, message
