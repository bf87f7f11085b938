"""What comes in from the page and from programs: photos untouched, errors in plain words, turns at the network."""

import base64
import os
from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData

from clothseg.errors import ClothsegError, ImageError


MAX_FILE_BYTES = 25 * 2**20
"""Of a photo."""

MAX_UPLOAD_BYTES = 256 * 2**20
"""Of any file: ZIPs hold many photos."""

MODEL_QUEUE = "model"
"""Concurrency id of all events that run the network on one photo, so that they take turns."""

MODEL_LIMIT = 2
"""So many of these at once: one photo is decoded, or its files are encoded, while the network looks at another."""

BATCH_QUEUE = "batch"
"""Concurrency id of batches: one at a time, and not in the way of single photos."""


def plain_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Hand our own errors to the caller as their message alone; the server's log needs no traceback of them."""
    if isgeneratorfunction(function):

        @wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Any:
            try:
                yield from function(*args, **kwargs)
            except ClothsegError as error:
                raise gr.Error(str(error), print_exception=False) from error

        return steps

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ClothsegError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return wrapped


def photo_input(**options: Any) -> gr.Image:
    """A gr.Image that passes on the stored file (a path, or the bytes of a data: URL) untouched, for `load_photo`."""
    image = gr.Image(type="filepath", image_mode=None, **options)
    # gradio's own opens the file first and fails in Pillow's words, or encodes a data: URL anew, with loss.
    # Not a subclass: gradio writes a .pyi file beside the module of each.
    image.preprocess = _stored_photo  # type: ignore[method-assign]
    return image


@plain_errors
def _stored_photo(payload: ImageData | None) -> str | bytes | None:
    if payload is None:
        return None
    too_large = f"The photo is too large: the limit is {MAX_FILE_BYTES // 2**20} MB."
    if payload.path is not None:
        if os.path.getsize(payload.path) > MAX_FILE_BYTES:
            raise ImageError(too_large)
        return payload.path
    header, _, data = (payload.url or "").partition(",")
    if not header.startswith("data:") or not header.endswith(";base64"):
        raise ImageError("A photo must be an uploaded file, a web address or a base64 data: URL.")
    if len(data) > MAX_FILE_BYTES * 4 / 3:
        raise ImageError(too_large)
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        raise ImageError("The photo's data: URL is not valid base64.") from error
