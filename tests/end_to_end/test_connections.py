"""Importing, starting and using clothseg opens no connection to other machines."""

import sys
from pathlib import Path

import forked
import httpx
from app_server import ROOT, WATCH_SOCKETS, environment
from paper_dolls import draw
from pictures import encoded
from PIL import Image
from strangers import META, call, upload


def outside(log: str) -> list[str]:
    """Lines of a log of sockets that refer to other machines."""
    local = ("'127.0.0.1'", "'localhost'", "'0.0.0.0'", "'::1'", "b'127.0.0.1'", "b'localhost'", "'/")
    return [line for line in log.splitlines() if not any(host in line for host in local)]


def test_starting_the_app_opens_no_outside_connection(public_app: tuple[str, Path]) -> None:
    log = (public_app[1] / "started.log").read_text()
    assert log, "Gradio requests a page from its own server at the start"
    assert outside(log) == []


def test_answering_requests_opens_no_outside_connection(public_app: tuple[str, Path]) -> None:
    """Neither the page nor any endpoint does."""
    app, folder = public_app
    before = (folder / "sockets.log").stat().st_size
    photo = encoded(Image.fromarray(draw(1, 96, 64).image), "PNG")
    me = {"path": upload(app, "me.png", photo), "meta": META}
    assert httpx.get(app).status_code == 200
    for endpoint, data in (("segment", [me]), ("cutout", [me, ["Hat"]]), ("items", [me]), ("batch", [[me]])):
        assert call(app, endpoint, data)[0] == "complete"
    assert outside((folder / "sockets.log").read_text()[before:]) == []


def test_using_the_library_opens_no_outside_connection(tiny_model: Path, tmp_path: Path) -> None:
    """The app above imports torch and transformers in a process that is watched from its start."""
    log = tmp_path / "sockets.log"
    log.touch()
    code = WATCH_SOCKETS + (
        "import socket, clothseg; [getattr(clothseg, name) for name in clothseg.__all__]; "
        f"clothseg.Segmenter.from_pretrained({str(tiny_model)!r})('examples/photographer.jpg').to_json(); "
        "socket.socket().connect_ex(('192.0.2.1', 0))"
    )
    env = environment(SOCKET_LOG=str(log), HF_HUB_OFFLINE="0")
    forked.run([sys.executable, "-c", code], env=env, cwd=ROOT, check=True, capture_output=True)
    assert ["192.0.2.1" in line for line in outside(log.read_text())] == [True], (
        "only this test's own connection may be logged"
    )
