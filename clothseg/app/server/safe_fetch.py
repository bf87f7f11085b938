"""Fetch pictures from the web: only from public addresses, with limits of size and time.

Gradio fetches a web address given in place of a file and excludes private networks, but it reads any amount into
memory, for any time, and treats the shared range 100.64.0.0/10 as public.
"""

import asyncio
import ipaddress
import socket
from pathlib import Path
from urllib.parse import urljoin

import httpx
from safehttpx import AsyncSecureTransport, matches_domain_whitelist

from clothseg.app.server.gradio_internals import hub_hosts, safe_file_name, save_to_cache
from clothseg.errors import ImageError


MAX_REDIRECTS = 5
SECONDS = 20
"""Time limit for one picture, including redirects."""


async def fetch(url: str, cache_dir: str, max_bytes: int) -> str:
    """Download a picture into Gradio's cache, like Gradio's own function.

    Args:
        url: http or https.
        cache_dir: Gradio's folder; the file is saved in a subfolder named after its content.
        max_bytes: largest size.

    Returns:
        The file's path.

    Raises:
        ImageError: the address, or one that it redirects to, is not public, does not answer in time, answers with an
            error, or sends too much.
    """
    host = "the address"
    try:
        async with asyncio.timeout(SECONDS):
            for _ in range(MAX_REDIRECTS + 1):
                address = httpx.URL(url)
                host = address.host
                if address.scheme not in ("http", "https") or not host:
                    raise ImageError("A picture's web address must begin with http:// or https://.")
                transport = await _transport(host)
                async with (
                    httpx.AsyncClient(transport=transport, trust_env=transport is None, timeout=SECONDS) as client,
                    client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
                ):
                    if answer.has_redirect_location:
                        url = urljoin(url, answer.headers["Location"])
                        continue
                    if answer.status_code != 200:
                        raise ImageError(f"{host} answers with the error {answer.status_code}; check the address.")
                    name = safe_file_name(Path(address.path).name) or "photo"
                    return save_to_cache(await _read(answer, max_bytes), name, cache_dir)
    except TimeoutError as error:
        raise ImageError(f"{host} did not send the picture within {SECONDS} seconds; upload it instead.") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise ImageError(f"No picture could be fetched from {host}; check the address or upload it.") from error
    raise ImageError(f"The picture's address redirects more than {MAX_REDIRECTS} times; upload the picture instead.")


async def _read(answer: httpx.Response, max_bytes: int) -> bytes:
    data = bytearray()
    async for part in answer.aiter_raw():
        data += part
        if len(data) > max_bytes:
            raise ImageError(f"The picture is too large: the limit is {max_bytes // 2**20} MB.")
    return bytes(data)


async def _transport(host: str) -> httpx.AsyncBaseTransport | None:
    """Return a transport that connects only to the address that was checked; None allows any address.

    Raises:
        ImageError: the host has no address, or one that is not public.
    """
    if matches_domain_whitelist(host, hub_hosts()):
        return None  # the Hub's hosts, which resolve to private addresses within a Space
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ImageError(f"There is no host {host}; check the picture's address.") from error
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not all(map(is_public, addresses)):
        raise ImageError(f"{host} is not a public host; upload the picture instead.")
    return AsyncSecureTransport(addresses[0])


def is_public(address: str) -> bool:
    """Return whether an IP address is public: not private, shared, local or multicast."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    return ip.is_global and not ip.is_multicast
