"""Find a free port before the app is built, since its folder and its API examples depend on the port."""

import errno
import socket

from clothseg.errors import ConfigError


DEFAULT_PORT = 7860
"""Gradio's own."""

TRIED = 100
"""Number of ports tried from the default one on, as by Gradio."""


def free_port(host: str, port: int | None) -> int:
    """Return the port to serve at: `port`, or the first free one from `DEFAULT_PORT` on if it is None.

    Raises:
        ConfigError: the port is in use or not allowed, or `host` is no address of this machine.
    """
    if port is not None:
        if not _is_free(host, port):
            raise ConfigError(f"Port {port} is in use; choose another one with --port or GRADIO_SERVER_PORT.")
        return port
    for each in range(DEFAULT_PORT, DEFAULT_PORT + TRIED):
        if _is_free(host, each):
            return each
    last = DEFAULT_PORT + TRIED - 1
    raise ConfigError(
        f"The ports {DEFAULT_PORT} to {last} are in use; choose another one with --port or GRADIO_SERVER_PORT."
    )


def _is_free(host: str, port: int) -> bool:
    try:
        for name in dict.fromkeys((host.strip("[]"), "127.0.0.1")):  # Gradio checks the latter, whatever the host
            for family, kind, protocol, _, address in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM):
                with socket.socket(family, kind, protocol) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        if error.errno == errno.EACCES:
            raise ConfigError(
                f"Port {port} needs administrator rights; choose one from 1024 on with --port."
            ) from error
        raise ConfigError(
            f"The app cannot listen at {host} ({error.strerror or error}); use --host 127.0.0.1 for this machine "
            "only, or 0.0.0.0 for all networks."
        ) from error
    return True
