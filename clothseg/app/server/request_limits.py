"""Protect Gradio from malformed requests: limit their size, and answer errors with clear messages."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import gradio as gr
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clothseg.app.messages import localized
from clothseg.app.server.gradio_internals import (
    UnknownEndpoint,
    drop_sessions_of_single_calls,
    replace_download,
    survive_dropped_answers,
    wrap_calls,
)
from clothseg.app.server.safe_fetch import fetch
from clothseg.app.server.temp_storage import STORAGE_FULL, TempStorageQuota
from clothseg.errors import ClothsegError
from clothseg.images.atomic_files import disk_trouble


logger = logging.getLogger(__name__)

FILES_AT_ONCE = 20
"""Number of files of the largest size that one upload may contain."""

CLOSED = ("/process_recording",)
"""Ends of paths that are not served. `/process_recording` would pass visitors' videos to ffmpeg and keep them."""

MESSAGE_LENGTH = 500

UNUSABLE = (
    "The request does not have the form that /gradio_api/info describes. A photo is a file that was uploaded here, a "
    "public web address or a base64 data: URL."
)
UNKNOWN = "There is no endpoint of this name; /gradio_api/info lists all."
FAILED = "Something went wrong here, or with the form of the request; the server's log says what. Please try again."


def protect(page: gr.Blocks, max_file_bytes: int, max_temp_bytes: int) -> dict[str, Any]:
    """Make errors in `page` answer with clear messages, and limit Gradio's downloads and storage.

    The limit of downloads applies to all Gradio apps of the process, since it replaces a function of Gradio's module.

    Args:
        page: before its launch.
        max_file_bytes: largest size of a file.
        max_temp_bytes: largest size of all uploads and results together.

    Returns:
        Launch options that limit the size of requests and turn off unused routes.
    """
    wrap_calls(
        page,
        partial(_with_clear_errors, message=UNUSABLE, logged=False),
        lambda _: _with_clear_errors(drop_sessions_of_single_calls(page), FAILED, logged=True),
    )
    replace_download(partial(fetch, max_bytes=max_file_bytes))
    survive_dropped_answers(page)
    # Base64 needs a third more, and the rest of the request a little.
    bounds = {"max_bytes": max_file_bytes * 4 // 3 + 2**20, "max_upload_bytes": FILES_AT_ONCE * max_file_bytes}
    room = Middleware(TempStorageQuota, page=page, limit=max_temp_bytes, assumed_size=bounds["max_upload_bytes"])
    return {"app_kwargs": {"middleware": [Middleware(RequestLimits, **bounds), room]}, "enable_monitoring": False}


def failed(error: Exception) -> JSONResponse:
    """Return the response to a request that ended with an error."""
    if _is_disk_full(error):
        return JSONResponse({"detail": STORAGE_FULL}, 507)
    return JSONResponse({"detail": FAILED}, 500)


def _is_disk_full(error: Exception) -> bool:
    return isinstance(error, OSError) and disk_trouble(error) is not None


def _with_clear_errors(
    function: Callable[..., Awaitable[Any]], message: str, *, logged: bool
) -> Callable[..., Awaitable[Any]]:
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        except gr.Error as error:
            if len(error.message) > MESSAGE_LENGTH:  # some messages repeat the whole input
                error.message = f"{error.message[:MESSAGE_LENGTH]} ..."
            raise
        except ClothsegError as error:
            raise gr.Error(localized(str(error)), print_exception=False) from error
        except Exception as error:
            raise gr.Error(STORAGE_FULL if _is_disk_full(error) else message, print_exception=logged) from error

    return wrapped


class RequestLimits:
    """ASGI middleware that rejects requests that are too large or go to `CLOSED`, and answers errors with a clear
    message."""

    def __init__(self, app: ASGIApp, max_bytes: int, max_upload_bytes: int) -> None:
        """Set the largest size of an upload's body (`max_upload_bytes`) and of any other body (`max_bytes`)."""
        self.app, self.max_bytes, self.max_upload_bytes = app, max_bytes, max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 404, 413, 422, 500 or 507."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = scope["path"].rstrip("/")
        if path.endswith(CLOSED):
            return await JSONResponse({"detail": "Not found."}, 404)(scope, receive, send)
        limit = self.max_upload_bytes if path.endswith("/upload") else self.max_bytes
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 15 or int(length) > limit:
            detail = f"The request is too large: the limit is {limit // 2**20} MB."
            return await JSONResponse({"detail": detail}, 413)(scope, receive, send)
        left, started = limit, False

        async def receive_limited() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            # A request without a stated size that is too large ends as if the caller had disconnected.
            return message if left >= 0 else {"type": "http.disconnect"}

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive_limited, send_and_note)
        except Exception as error:
            if started:
                if not isinstance(error.__cause__, HTTPException):
                    raise
                # The stream has already sent its error as an event. Gradio raises it again afterwards, which would
                # break the connection.
                return await send({"type": "http.response.body", "body": b""})
            if isinstance(error, UnknownEndpoint):
                return await JSONResponse({"detail": UNKNOWN}, 404)(scope, receive, send)
            if "/call/v2/" in path and isinstance(error, TypeError | KeyError):  # Gradio's, for unknown names
                return await JSONResponse({"detail": UNUSABLE}, 422)(scope, receive, send)
            logger.exception("A request to %s failed.", path)
            await failed(error)(scope, receive, send)
