"""What stands between strangers and gradio: requests of bounded size, and plain words for what cannot be used."""

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
from clothseg.app.server.gradio_internals import drop_sessions_of_single_calls, replace_download, wrap_calls
from clothseg.app.server.safe_fetch import fetch
from clothseg.app.server.temp_storage import NO_ROOM, TempStorageQuota
from clothseg.errors import ClothsegError
from clothseg.images.atomic_files import disk_trouble


logger = logging.getLogger(__name__)

FILES_AT_ONCE = 20
"""So many of the largest files may come in one upload."""

CLOSED = ("/process_recording",)
"""Ends of the paths that are not served: this one hands strangers' videos to ffmpeg and keeps them."""

MESSAGE_LENGTH = 500

UNUSABLE = (
    "The request does not have the form that /gradio_api/info describes. A photo is a file that was uploaded here, a "
    "public web address or a base64 data: URL."
)
FAILED = "Something went wrong here, or with the form of the request; the server's log says what. Please try again."


def protect(page: gr.Blocks, max_file_bytes: int, max_temp_bytes: int) -> dict[str, Any]:
    """Make what fails in `page` answer in plain words, and bound what gradio fetches from the web and keeps.

    The latter holds for all of gradio in this process: it calls a function of its module, from anywhere.

    Args:
        page: Before its launch.
        max_file_bytes: The largest file.
        max_temp_bytes: Of all uploads and results together.

    Returns:
        Options for its launch that bound the size of requests and close what is not needed.
    """
    wrap_calls(
        page,
        partial(_in_plain_words, message=UNUSABLE, logged=False),
        lambda _: _in_plain_words(drop_sessions_of_single_calls(page), FAILED, logged=True),
    )
    replace_download(partial(fetch, max_bytes=max_file_bytes))
    # A third on top for base64, and a little for what stands around it.
    bounds = {"max_bytes": max_file_bytes * 4 // 3 + 2**20, "max_upload_bytes": FILES_AT_ONCE * max_file_bytes}
    room = Middleware(TempStorageQuota, page=page, limit=max_temp_bytes, untold=bounds["max_upload_bytes"])
    return {"app_kwargs": {"middleware": [Middleware(RequestLimits, **bounds), room]}, "enable_monitoring": False}


def failed(error: Exception) -> JSONResponse:
    """What is answered to a request that an error has ended."""
    if _no_room(error):
        return JSONResponse({"detail": NO_ROOM}, 507)
    return JSONResponse({"detail": FAILED}, 500)


def _no_room(error: Exception) -> bool:
    return isinstance(error, OSError) and disk_trouble(error) is not None


def _in_plain_words(
    function: Callable[..., Awaitable[Any]], message: str, *, logged: bool
) -> Callable[..., Awaitable[Any]]:
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        except gr.Error as error:
            if len(error.message) > MESSAGE_LENGTH:  # some name what was sent
                error.message = f"{error.message[:MESSAGE_LENGTH]} ..."
            raise
        except ClothsegError as error:
            raise gr.Error(localized(str(error)), print_exception=False) from error
        except Exception as error:
            raise gr.Error(NO_ROOM if _no_room(error) else message, print_exception=logged) from error

    return wrapped


class RequestLimits:
    """ASGI middleware: requests beyond a size, and those to `CLOSED`, are not read; those that fail are told so."""

    def __init__(self, app: ASGIApp, max_bytes: int, max_upload_bytes: int) -> None:
        """Keep the limits: of an upload's body, and of every other one."""
        self.app, self.max_bytes, self.max_upload_bytes = app, max_bytes, max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 404, 413, 422, 500 or 507."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = scope["path"].rstrip("/")
        if path.endswith(CLOSED):
            return await JSONResponse({"detail": "Not found."}, 404)(scope, receive, send)
        limit = self.max_upload_bytes if path.endswith("/upload") else self.max_bytes
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if not told.isdigit() or len(told) > 15 or int(told) > limit:
            detail = f"The request is too large: the limit is {limit // 2**20} MB."
            return await JSONResponse({"detail": detail}, 413)(scope, receive, send)
        left, begun = limit, False

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            # Of a request that does not tell its size: as if the caller had gone.
            return message if left >= 0 else {"type": "http.disconnect"}

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, bounded, noted)
        except Exception as error:
            if begun:
                if not isinstance(error.__cause__, HTTPException):
                    raise
                # A stream that has told its error as an event; gradio raises it behind that, which would hang up.
                return await send({"type": "http.response.body", "body": b""})
            if "/call/v2/" in path and isinstance(error, TypeError | KeyError):  # gradio's for names that do not fit
                return await JSONResponse({"detail": UNUSABLE}, 422)(scope, receive, send)
            logger.exception("A request to %s failed.", path)
            await failed(error)(scope, receive, send)
