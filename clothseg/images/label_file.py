"""Read label maps from files or arrays; pixel values are class ids, whatever the picture's mode."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ImageError
from clothseg.images.image_file import open_image, pixel_limit


LabelSource = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[np.generic]
"""A path, the bytes of a file, a PIL image of mode L or P, or an (H, W) array of whole numbers."""

_LOSSY = ("JPEG", "WEBP", "AVIF", "GIF", "HEIF")


def load_label_map(source: LabelSource) -> npt.NDArray[np.uint8]:
    """Return the pixel values of a label map, (H, W) uint8; for a picture with a palette, its indices.

    Raises:
        ImageError: the label map cannot be read, has several values per pixel, is in a lossy format, or contains
            values outside 0 to 255.
    """
    if isinstance(source, np.ndarray):
        return _as_ids(source)
    if isinstance(source, Image.Image):
        return _as_ids(np.asarray(source))
    try:
        with (
            BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file,
            open_image(file, "The label map", pixel_limit()) as picture,
        ):
            if picture.format in _LOSSY:
                raise ImageError(f"{picture.format} files do not keep class ids: save the label map as PNG.")
            return _as_ids(np.asarray(picture))
    except OSError as error:
        raise ImageError(f"The label map cannot be read: {error.strerror or error}.") from error


def _as_ids(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    if values.ndim == 3 and values.shape[2] >= 3 and (values[..., :1] == values[..., :3]).all():
        values = values[..., 0]  # grey, saved as RGB
    if values.ndim != 2 or values.size == 0:
        raise ImageError("A label map has one class id per pixel: a picture of mode L or P, or an (H, W) array.")
    if not np.issubdtype(values.dtype, np.number) or np.issubdtype(values.dtype, np.complexfloating):
        raise ImageError(f"A label map must contain whole numbers, not {values.dtype}.")
    with np.errstate(invalid="ignore"):
        ids = values.astype(np.uint8)
    if not (ids == values).all():
        raise ImageError("A label map must contain whole numbers from 0 to 255.")
    return ids
