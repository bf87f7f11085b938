"""Shut the app down cleanly on SIGTERM: finish accepted requests, and reject new ones with 503.

Gradio alone ends at once, and visitors wait for an answer that never comes.
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
from clothseg.app.server.idle_mode import IdleMode


LIMIT_SECONDS = 25.0
"""Time limit for accepted requests; Kubernetes kills a process after 30 s."""

SETTLE_SECONDS = 1.0
"""Time without requests before the app ends, in which callers fetch the files of their answers."""

REFUSAL = "The app is being restarted and accepts no new photos; try again in a minute."


class DrainState:
    """Counts the requests being processed; after `closed` is set, new work is rejected."""

    def __init__(self) -> None:
        """Start open, without requests."""
        self.closed, self.active, self.rejected = False, 0, 0
        self.last_activity = time.monotonic()

    @property
    def quiet_seconds(self) -> float:
        """Seconds since the last request ended; 0 while some are being processed."""
        return 0.0 if self.active else time.monotonic() - self.last_activity

    def admits(self, scope: Scope) -> bool:
        """Return whether a request is accepted: results and files can always be fetched, and waiting calls
        cancelled."""
        return not self.closed or scope["method"] in ("GET", "HEAD") or scope["path"].endswith("/cancel")


class DrainMiddleware:
    """ASGI middleware that applies a `DrainState`, and ends the `IdleMode` with each request."""

    def __init__(self, app: ASGIApp, drain: DrainState, idle: IdleMode) -> None:
        """Wrap `app`."""
        self.app, self.drain, self.idle = app, drain, idle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_idle_stream(scope):
            await self.app(scope, receive, send)
            return
        if not self.drain.admits(scope):
            self.drain.rejected += 1
            await JSONResponse({"detail": REFUSAL}, 503, {"Retry-After": "60"})(scope, receive, send)
            return
        self.drain.active += 1
        self.idle.wake()
        try:
            await self.app(scope, receive, send)
        finally:
            self.drain.active -= 1
            self.drain.last_activity = time.monotonic()


def _is_idle_stream(scope: Scope) -> bool:
    """Return whether a request stays open as long as its page or assistant does, without pending work."""
    path = scope["path"]
    return "/heartbeat/" in path or (scope["method"] == "GET" and "/mcp" in path)


def serve(
    page: gr.Blocks, limit: float = LIMIT_SECONDS, broken: Callable[[], bool] = lambda: False, **options: Any
) -> int:
    """Launch a page and serve it until a signal ends it. Call this in the main thread.

    Args:
        page: with its queue.
        limit: seconds that accepted requests may take after SIGTERM.
        broken: called regularly; returns whether the app cannot continue.
        options: of `gr.Blocks.launch`.

    Returns:
        Exit status: 0 after SIGTERM, when all accepted requests are answered; 130 after Ctrl-C, which does not wait; 1
            if `broken`.
        If the limit is exceeded, or a second SIGTERM arrives, the process ends at once with status 143.
    """
    drain, idle, signals = DrainState(), IdleMode(page), []

    def on_sigterm(signum: int, frame: FrameType | None) -> None:
        signals.append(signum)
        if len(signals) > 1:
            os._exit(128 + signum)

    previous_handler = signal.signal(signal.SIGTERM, on_sigterm)
    try:
        app_options = options.pop("app_kwargs", {})
        app_options["middleware"] = [Middleware(DrainMiddleware, drain, idle), *app_options.get("middleware", [])]
        page.launch(prevent_thread_lock=True, app_kwargs=app_options, **options)
        while not signals:
            if broken():
                page.close(verbose=False)
                return 1
            idle.update(drain.quiet_seconds)
            time.sleep(0.1)  # polling: the signal handler runs in this thread and would interrupt an event's wait
        drain.closed = True
        _log(f"SIGTERM: finishing {_unanswered(page, drain)} requests within {limit:g} s, rejecting new ones.")
        deadline = time.monotonic() + limit
        while _unanswered(page, drain) or time.monotonic() - drain.last_activity < SETTLE_SECONDS:
            if time.monotonic() > deadline:
                _log(f"Abandoned {_unanswered(page, drain)} requests after {limit:g} s.")
                os._exit(143)  # computing threads would keep the interpreter alive
            time.sleep(0.05)
        page.close(verbose=False)
        _log(f"All accepted requests were answered; {drain.rejected} later ones were rejected.")
        return 0
    except KeyboardInterrupt:
        _log("\nStopped.")
        page.close(verbose=False)
        return 130
    finally:
        signal.signal(signal.SIGTERM, previous_handler)


def _unanswered(page: gr.Blocks, drain: DrainState) -> int:
    """Return the number of requests that wait in the queue, are computed or are being answered.

    A caller who listens for the result counts once; a call whose caller has gone counts until it is computed.
    """
    return max(drain.active, unfinished_calls(page))


def _log(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
