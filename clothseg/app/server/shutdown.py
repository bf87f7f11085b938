"""SIGTERM ends the app in good order: what it has accepted is answered, what comes later is told to come back.

gradio alone dies of the signal in the middle of whatever it does, and a visitor waits for an answer that never comes.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from clothseg.app.server.gradio_internals import unfinished_calls


LIMIT_SECONDS = 25.0
"""For what was accepted; Kubernetes, for one, kills 5 s later."""

SETTLE_SECONDS = 1.0
"""Without a request before the app is gone: those who were answered still fetch their files."""

REFUSAL = "The app is being restarted and takes no new photos; try again in a minute."


class DrainState:
    """Counts the requests inside, and once closed refuses those that would bring new work."""

    def __init__(self) -> None:
        """Open, nobody inside."""
        self.closed, self.inside, self.refused = False, 0, 0
        self.left = time.monotonic()

    def admits(self, scope: Scope) -> bool:
        """Whether a request may enter: results and files can be fetched to the end, and waiting can be given up."""
        return not self.closed or scope["method"] in ("GET", "HEAD") or scope["path"].endswith("/cancel")


class DrainMiddleware:
    """The door as ASGI middleware."""

    def __init__(self, app: ASGIApp, door: DrainState) -> None:
        """Stand before `app`."""
        self.app, self.door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _idles(scope):
            await self.app(scope, receive, send)
            return
        if not self.door.admits(scope):
            self.door.refused += 1
            await JSONResponse({"detail": REFUSAL}, 503, {"Retry-After": "60"})(scope, receive, send)
            return
        self.door.inside += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.door.inside -= 1
            self.door.left = time.monotonic()


def _idles(scope: Scope) -> bool:
    """Whether a request stays open as long as its page or assistant does, with nothing to wait for."""
    path = scope["path"]
    return "/heartbeat/" in path or (scope["method"] == "GET" and "/mcp" in path)


def serve(
    page: gr.Blocks, limit: float = LIMIT_SECONDS, broken: Callable[[], bool] = lambda: False, **options: Any
) -> int:
    """Launch a page and serve it until a signal ends it. To be called in the main thread.

    Args:
        page: with its queue.
        limit: seconds that accepted requests may take after SIGTERM.
        broken: asked now and then whether there is no use in going on.
        options: of `gr.Blocks.launch`.

    Returns:
        Exit status: 0 after SIGTERM once all that was accepted is answered, 130 after Ctrl-C, which does not wait, 1
        where it is `broken`.
        Where the limit passes, or a second SIGTERM comes, the process ends at once with 143.
    """
    door, heard = DrainState(), []

    def hear(signum: int, frame: FrameType | None) -> None:
        heard.append(signum)
        if len(heard) > 1:
            os._exit(128 + signum)

    former = signal.signal(signal.SIGTERM, hear)
    try:
        of_server = options.pop("app_kwargs", {})
        of_server["middleware"] = [Middleware(DrainMiddleware, door), *of_server.get("middleware", [])]
        page.launch(prevent_thread_lock=True, app_kwargs=of_server, **options)
        while not heard:
            if broken():
                page.close(verbose=False)
                return 1
            time.sleep(0.1)  # an event would not do: the handler runs in this thread, in the middle of its wait
        door.closed = True
        _say(f"SIGTERM: {_unanswered(page, door)} requests are finished first, in {limit:g} s at most; no new ones.")
        deadline = time.monotonic() + limit
        while _unanswered(page, door) or time.monotonic() - door.left < SETTLE_SECONDS:
            if time.monotonic() > deadline:
                _say(f"Gave up {_unanswered(page, door)} requests after {limit:g} s.")
                os._exit(143)  # threads that compute would hold the interpreter up
            time.sleep(0.05)
        page.close(verbose=False)
        _say(f"All that was accepted is answered; {door.refused} requests were refused since.")
        return 0
    except KeyboardInterrupt:
        _say("\nStopped.")
        page.close(verbose=False)
        return 130
    finally:
        signal.signal(signal.SIGTERM, former)


def _unanswered(page: gr.Blocks, door: DrainState) -> int:
    """Requests that wait in the queue, are computed or are being answered.

    A caller who listens for the result is counted once; one who only left the photo counts until that is done.
    """
    return max(door.inside, unfinished_calls(page))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
