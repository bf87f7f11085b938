"""Files that are written when they are first requested.

The cut-out that can be dragged out of the page has an address before anybody wants it; nothing is computed until then.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import BoundedSemaphore, Lock

from anyio import to_thread
from starlette.responses import FileResponse, JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


MOST = 500
"""Addresses that are known; the oldest are forgotten."""

AT_ONCE = 2
"""Files that are written at the same time."""

PATH = "/later/"

GONE = "This file is no longer available; open the photo again."

_makers: OrderedDict[str, Callable[[], str | None]] = OrderedDict()
_lock = Lock()
_turn = BoundedSemaphore(AT_ONCE)


def lazy_file(make: Callable[[], str | None]) -> str:
    """Return an address, relative to the page and impossible to guess, of a file that is written when it is fetched.

    Args:
        make: writes the file and returns its path; None if that is no longer possible. It should not keep a photo in
            memory.
    """
    token = secrets.token_hex(20)
    with _lock:
        _makers[token] = make
        while len(_makers) > MOST:
            _makers.popitem(last=False)
    return PATH.removeprefix("/") + token


class LazyFiles:
    """ASGI middleware that answers the addresses of `lazy_file`."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the file, or 404; pass on all other requests."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or scope["method"] != "GET" or not path.startswith(PATH):
            return await self.app(scope, receive, send)
        made = await to_thread.run_sync(_made, path.removeprefix(PATH))
        if made is None:
            return await JSONResponse({"detail": GONE}, 404)(scope, receive, send)
        await FileResponse(made, filename=Path(made).name)(scope, receive, send)


def _made(token: str) -> str | None:
    with _lock:
        make = _makers.get(token)
    if make is None:
        return None
    with _turn:
        return make()
