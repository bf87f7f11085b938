"""Convert pictures of any Pillow mode to 8-bit RGB or RGBA in sRGB. More than 8 bits are scaled, not clipped."""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms


WHITE = (255, 255, 255)


def to_rgb_or_rgba(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode to a new one in sRGB: RGBA if some of its pixels are not opaque, else RGB.

    Colours are not premultiplied; fully transparent pixels are white.
    """
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        rgb = Image.fromarray(_to_8bit(values)).convert("RGB")
        key = image.info.get("transparency")  # of a 16-bit grey PNG: the value that is transparent
        alpha = Image.fromarray(np.where(values == key, np.uint8(0), np.uint8(255))) if isinstance(key, int) else None
    else:
        if image.mode in ("RGBa", "La"):  # premultiplied alpha has no direct way to RGB
            image = image.convert(image.mode.upper())
        if image.has_transparency_data and "A" not in image.getbands():  # a palette's, or one colour's
            image = image.convert("RGBA")
        rgb = _to_srgb(image)
        alpha = image.getchannel("A") if "A" in image.getbands() else None
    if alpha is None or alpha.getextrema() == (255, 255):
        return rgb
    rgb.putalpha(alpha)
    return without_hidden_colors(rgb)


def to_array(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Return a picture's pixels (H, W, bands) uint8; NumPy alone takes twice the memory meanwhile."""
    bands = len(image.getbands())
    pixels = np.empty((image.height, image.width, bands), np.uint8)
    count = max(1, 2**20 // max(1, image.width * bands))
    for top in range(0, image.height, count):
        strip = pixels[top : top + count]
        part = image.crop((0, top, image.width, top + len(strip)))
        strip[...] = np.frombuffer(part.tobytes(), np.uint8).reshape(strip.shape)
    return pixels


def on_white(image: Image.Image) -> Image.Image:
    """Place an RGBA picture on white and return a new RGB picture; return pictures of other modes unchanged."""
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, WHITE)
    white.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return white


def without_hidden_colors(image: Image.Image) -> Image.Image:
    """Make fully transparent pixels (alpha 0) of an RGBA picture white, in place, and return the picture."""
    hidden = image.getchannel("A").point([255] + [0] * 255)
    image.paste((*WHITE, 0), mask=hidden)
    return image


def _to_8bit(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Scale (H, W) grey values to uint8 by their intended range, without clipping.

    16-bit types use 0..65535. For int32 and float, the ranges 0..1 (float only), 0..255 and 0..65535 (int only) are
    recognised; anything else is stretched from its minimum to its maximum.
    """
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        low, high = 0.0, 65535.0
    else:
        low = min(float(part.min()) for part in _parts(values))
        high = max(float(part.max()) for part in _parts(values))
        known = (1.0, 255.0) if values.dtype.kind == "f" else (255.0, 65535.0)
        if low >= 0:
            low, high = 0.0, next((limit for limit in known if high <= limit), high)
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    return np.concatenate([np.rint((part - low) * (255.0 / (high - low))).astype(np.uint8) for part in _parts(values)])


def _parts(values: npt.NDArray[np.generic]) -> Iterator[npt.NDArray[np.float64]]:
    """Yield the rows, some at a time, as float64 with 0 for values that are not finite; all at once would need 8 bytes
    a pixel."""
    for part in np.array_split(values, min(len(values), 1 + values.size // 2**20)):
        yield np.nan_to_num(part.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def _to_srgb(image: Image.Image) -> Image.Image:
    """Drop alpha and convert to RGB, using the embedded ICC profile if it is valid."""
    profile = image.info.get("icc_profile")
    source = image if image.mode in ("L", "CMYK") else image.convert("RGB")
    if profile:
        try:
            embedded = ImageCms.ImageCmsProfile(BytesIO(profile))
            # A round trip through the same space would cost time and shift values by rounding.
            if "sRGB" not in ImageCms.getProfileDescription(embedded):
                srgb = ImageCms.createProfile("sRGB")
                transform = ImageCms.buildTransform(embedded, srgb, source.mode, "RGB")
                return transform.apply(source)
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            pass  # A damaged profile, or one of another colour space: the plain values are the best guess.
    return source if source.mode == "RGB" else source.convert("RGB")  # a copy already, not the picture itself
