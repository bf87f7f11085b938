"""Pictures from the web, for the app: from public addresses alone, of bounded size and in bounded time.

gradio fetches an address that stands where a file is expected, and keeps private networks out of reach; but it reads
whatever it is sent, into memory, for as long as it comes, and takes the shared range 100.64.0.0/10 for public.
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
"""For one picture, redirects and all."""


async def fetch(url: str, cache_dir: str, max_bytes: int) -> str:
    """Download a picture into gradio's cache, as its own function for it does.

    Args:
        url: http or https.
        cache_dir: gradio's folder; the file lies in one named after its content.
        max_bytes: More are not read.

    Returns:
        The file's path.

    Raises:
        ImageError: The address, or one that it leads on to, is not public; nothing answers, or not in time, or with
            an error, or with too much.
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
    raise ImageError(f"The picture's address leads on more than {MAX_REDIRECTS} times; upload the picture instead.")


async def _read(answer: httpx.Response, max_bytes: int) -> bytes:
    data = bytearray()
    async for part in answer.aiter_raw():
        data += part
        if len(data) > max_bytes:
            raise ImageError(f"The picture is too large: the limit is {max_bytes // 2**20} MB.")
    return bytes(data)


async def _transport(host: str) -> httpx.AsyncBaseTransport | None:
    """What reaches the host only under the address that was looked at, so that no other can slip in; None: anything.

    Raises:
        ImageError: It has no address, or one that is not public.
    """
    if matches_domain_whitelist(host, hub_hosts()):
        return None  # the Hub's hosts: within a Space their names stand for addresses of the Hub's own network
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ImageError(f"There is no host {host}; check the picture's address.") from error
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not all(map(is_public, addresses)):
        raise ImageError(f"{host} is no public host; upload the picture instead.")
    return AsyncSecureTransport(addresses[0])


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the internet at large: not to a private, shared, local or multicast range."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    return ip.is_global and not ip.is_multicast
