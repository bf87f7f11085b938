"""Decode the photo and the label map of a row, or raise an error that says what is wrong."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage

from clothseg.errors import ClothsegError, DataError, ImageError
from clothseg.images.decode import load_photo
from clothseg.images.image_file import open_image, pixel_limit
from clothseg.labels import ATR
from clothseg.training.data.mask_classes import ATR_MASKS, MaskClasses


def decode_mask(stored: dict[str, Any] | None, row_id: str, classes: MaskClasses = ATR_MASKS) -> npt.NDArray[np.uint8]:
    """Return the class ids of a stored mask (`bytes` or `path`; None: an empty cell), whole numbers of any mode, or
    grey RGB.

    Returns:
        (H, W) uint8, ids of `classes.labels` and 255.

    Raises:
        DataError: it cannot be decoded, is a colour picture, or contains other values; the message names the row.
    """
    source = stored and (stored["bytes"] or stored["path"])
    if not source:
        raise DataError(f"Row {row_id}: it has no mask.")
    try:
        with (
            io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file,
            open_image(file, "it", pixel_limit()) as picture,
        ):
            ids = np.asarray(picture)
    except ImageError as error:
        raise DataError(f"Row {row_id}: the mask is not a readable picture: {error}") from error
    except Exception as error:  # decoders answer damaged bytes with nearly any exception
        reason = getattr(error, "strerror", None) or str(error).rstrip(".") or type(error).__name__
        raise DataError(f"Row {row_id}: the mask is not a readable picture ({reason}).") from error
    if ids.ndim == 3:
        if ids.shape[2] < 3 or not (ids[..., :1] == ids[..., :3]).all():
            raise DataError(f"Row {row_id}: the mask is a colour picture; it must contain class ids (mode L or P).")
        ids = ids[..., 0]
    mask, wrong = classes.decode(ids)
    if wrong.size:
        lip = " 18 and 19 are shoes in LIP and CIHP, whose ids differ from ATR's." if {*wrong} <= {18, 19} else ""
        raise DataError(
            f"Row {row_id}: the mask contains {', '.join(map(str, wrong[:5]))}; class ids are {classes.known}."
            f"{lip if classes.labels == ATR else ''}"
        )
    return mask


def decode_photo(stored: dict[str, Any] | None, row_id: str) -> PILImage.Image:
    """Return the RGB photo of a stored image (`bytes` or `path`).

    Raises:
        DataError: it cannot be decoded; the message names the row.
    """
    stored = stored or {"bytes": None, "path": None}  # a table's empty cell
    try:
        return load_photo(stored["bytes"] or stored["path"] or b"")
    except ClothsegError as error:
        raise DataError(f"Row {row_id}: {error}") from error


def decode_row(
    row: dict[str, Any], classes: MaskClasses = ATR_MASKS
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return photo (H, W, 3) uint8 RGB and label map (H, W) uint8 of a row.

    Raises:
        DataError: photo or mask cannot be decoded, or their sizes differ; the message names the row.
    """
    photo = np.asarray(decode_photo(row["image"], row["id"]))
    mask = decode_mask(row["mask"], row["id"], classes)
    if mask.shape != photo.shape[:2]:
        raise DataError(
            f"Row {row['id']}: the mask is {mask.shape[1]}x{mask.shape[0]} pixels, "
            f"the photo {photo.shape[1]}x{photo.shape[0]}; they must have the same size."
        )
    return photo, mask
