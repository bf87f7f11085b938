"""The app's port: free, in use, not allowed, and addresses that are not this machine's."""

import socket
from collections.abc import Iterator

import pytest

from clothseg.app.server import ports
from clothseg.app.server.ports import free_port
from clothseg.errors import ConfigError


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_port_in_use_is_rejected_or_skipped(host: str, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=f"Port {taken} is in use; choose another one with --port"):
        free_port(host, taken)
    monkeypatch.setattr(ports, "DEFAULT_PORT", taken)
    found = free_port(host, None)
    assert taken < found < taken + ports.TRIED and free_port(host, found) == found
    monkeypatch.setattr(ports, "TRIED", 1)
    with pytest.raises(ConfigError, match=f"The ports {taken} to {taken} are in use"):
        free_port(host, None)


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid"])
def test_address_of_another_machine_is_rejected(host: str) -> None:
    with pytest.raises(ConfigError, match=rf"cannot listen at {host} \(.+\); use --host 127.0.0.1"):
        free_port(host, None)


def test_forbidden_port_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbidden(socket.socket):
        def bind(self, address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ports.socket, "socket", Forbidden)
    with pytest.raises(ConfigError, match="Port 80 needs administrator rights"):
        free_port("127.0.0.1", 80)
