"""Photo inputs that pass on the uploaded file unchanged, and errors as plain messages."""

import base64
import os
from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from io import BytesIO
from typing import Any

import gradio as gr
from PIL import Image

from clothseg.app.limits import MAX_FILE_BYTES
from clothseg.app.messages import localized
from clothseg.app.server.gradio_internals import StoredImage, replace_preprocess
from clothseg.errors import ClothsegError, ImageError
from clothseg.images.decode import load_photo
from clothseg.images.image_file import MOST_PIXELS, pixel_limit


def plain_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Show the message of our own errors to the caller, without a traceback in the server's log."""
    if isgeneratorfunction(function):

        @wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Any:
            try:
                yield from function(*args, **kwargs)
            except ClothsegError as error:
                raise gr.Error(localized(str(error)), print_exception=False) from error

        return steps

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ClothsegError as error:
            raise gr.Error(localized(str(error)), print_exception=False) from error

    return wrapped


def fitting_photo(path: str | bytes) -> Image.Image | None:
    """Return a reduced copy of a JPEG with more pixels than allowed; None for other files, which are used or rejected
    unchanged.

    Only JPEG can be decoded at a reduced size without much memory.

    Raises:
        ImageError: the photo cannot be used.
    """
    limit = pixel_limit()
    try:
        with Image.open(BytesIO(path) if isinstance(path, bytes) else path, formats=["JPEG"]) as image:
            width, height = image.size
    except (OSError, Image.DecompressionBombError):
        return None
    if not limit < width * height <= MOST_PIXELS:
        return None
    longest = int(max(width, height) * min(0.5, (limit / (width * height)) ** 0.5))
    return load_photo(path, MOST_PIXELS, max_side=longest, keep_alpha=True)


def photo_input(**options: Any) -> gr.Image:
    """Return a gr.Image whose value is the stored file, unchanged, for `load_photo`: a path or a data: URL's bytes."""
    image = gr.Image(type="filepath", image_mode=None, **options)
    replace_preprocess(image, _stored_photo)
    return image


@plain_errors
def _stored_photo(payload: StoredImage | None) -> str | bytes | None:
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
