"""Damaged files for fuzzing, and the allowed outcomes: a result, or one of our errors with a clear message.

`tests/end_to_end/test_fuzz.py` sends some in every run, `benchmarks/fuzz.py` many.
"""

import re
import zlib
from random import Random
from typing import Any

import numpy as np
from pictures import RED, cmyk_jpeg, deep, encoded, quarters, with_alpha
from PIL import ExifTags, Image, ImageCms

from clothseg import ImageError
from clothseg.errors import DataError
from clothseg.images.decode import load_photo
from clothseg.images.image_file import FORMATS


SECONDS = 10
"""Time limit for one input."""

INSIDES = re.compile(r"Traceback|site-packages| at 0x[0-9a-f]{6}|validation error|NoneType|Errno|not iterable")
"""Internal terms of Python and its libraries, which messages to users must not contain."""


def seeds() -> list[bytes]:
    """Small valid files of every format and of its main variants."""
    photo = quarters()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.ImageDescription] = "a coat"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace(b"s\0R\0G\0B", b"t\0R\0G\0B")
    extras = {"exif": exif, "icc_profile": icc}

    def animated(first: Image.Image, format: str) -> bytes:
        second = Image.new("RGB", (48, 32), RED)  # Pillow stores on an image how it was saved
        return encoded(first.copy(), format, save_all=True, append_images=[second])

    files = [
        encoded(photo, "JPEG", **extras),
        encoded(photo, "JPEG", progressive=True),
        animated(photo, "MPO"),
        cmyk_jpeg(photo, ycck=True),
        encoded(photo, "PNG", **extras),
        animated(photo, "PNG"),
        encoded(photo.quantize(8), "PNG", transparency=1),
        encoded(photo.convert("1"), "PNG"),
        deep((0, 0, 0, 65535), (9999, 5, 70, 300)),
        encoded(photo, "WEBP", **extras),
        encoded(with_alpha("RGBA").resize((48, 32)), "WEBP", lossless=True),
        animated(photo, "WEBP"),
        animated(photo.quantize(8), "GIF"),
        animated(photo, "TIFF"),
        encoded(photo, "BMP"),
        encoded(photo.quantize(8), "BMP"),
        encoded(photo, "AVIF", exif=exif.tobytes(), icc_profile=icc),
        encoded(Image.fromarray(np.linspace(0, 1, 99, dtype=np.float32).reshape(9, 11)), "TIFF"),
        encoded(photo.convert("1"), "TIFF", compression="group4"),
    ]
    files += [encoded(photo, "TIFF", compression=each, exif=exif) for each in (None, "tiff_lzw", "jpeg", "packbits")]
    if "HEIF" in FORMATS:
        files += [encoded(photo, "HEIF", exif=exif.tobytes()), encoded(with_alpha("RGBA").resize((48, 32)), "HEIF")]
    return files


def mutated(files: list[bytes], random: Random) -> bytes:
    """One of the files with up to four changes: bits, bytes, header integers, or pieces removed, moved or inserted.

    Half of the damaged PNG files get correct checksums, since otherwise no code after the checksum test would run.
    """
    data = bytearray(random.choice(files))
    for _ in range(random.randint(1, 4)):
        if not data:
            break
        # Changes in headers have the largest effects.
        at = random.randrange(min(len(data), random.choice((32, 128, 1024, len(data)))))
        kind = random.randrange(7)
        if kind == 0:
            data[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            data[at] = random.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, random.randrange(256)))
        elif kind == 2:
            size = random.choice((2, 4))
            number = random.choice((0, 1, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1, len(data)))
            order = "big" if random.random() < 0.5 else "little"
            data[at : at + size] = (number % 256**size).to_bytes(size, order)
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            del data[at : at + random.choice((1, 2, 4, 64))]
        elif kind == 5:
            data[at:at] = data[at : at + random.choice((1, 4, 64, 4096))] * random.choice((1, 2, 300))
        else:
            other = random.choice(files)
            start = random.randrange(len(other))
            data[at:] = other[start:]
    if data.startswith(b"\x89PNG") and random.random() < 0.5:
        _mend_sums(data)
    return bytes(data)


def _mend_sums(data: bytearray) -> None:
    at = 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        if end + 4 > len(data):
            return
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4)
        at = end + 4


def plain(error: Exception | str, limit: int = 1000) -> None:
    """Assert that a message is fit for users."""
    message = str(error)
    assert message and len(message) < limit, message
    assert not INSIDES.search(message), message
    assert message.strip().endswith((".", ".)", "?", "!")), message


def fuzz_loader(data: bytes, random: Random) -> str:
    """Load a photo's bytes."""
    try:
        photo = load_photo(data, allow_truncated=random.random() < 0.5)
    except ImageError as error:
        plain(error)
        assert "\n" not in str(error)
        return "refused"
    assert photo.mode == "RGB" and 0 < photo.width * photo.height <= 40_000_000
    return "picture"


def fuzz_row(data: bytes, random: Random) -> str:
    """Decode a row of a data set whose mask, and sometimes its photo, consists of these bytes."""
    from clothseg.training.data.decoding import decode_row

    photo = data if random.random() < 0.3 else random.choice(ROW_PHOTOS)
    row: dict[str, Any] = {
        "id": "row-7",
        "image": {"bytes": photo, "path": None},
        "mask": {"bytes": data, "path": None},
    }
    if random.random() < 0.05:
        cells = (None, {"bytes": None, "path": None}, {"bytes": None, "path": "/nowhere"}, {"bytes": b"", "path": ""})
        row[random.choice(("image", "mask"))] = random.choice(cells)
    try:
        image, mask = decode_row(row)
    except DataError as error:
        plain(error)
        assert "row-7" in str(error)
        return "refused"
    assert image.shape == (*mask.shape, 3) and image.dtype == mask.dtype == np.uint8
    assert ((mask < 18) | (mask == 255)).all()
    return "row"


ROW_PHOTOS = [encoded(Image.new("RGB", size, RED), "PNG") for size in ((48, 32),) * 5 + ((11, 9), (2, 1))]


def row_seeds() -> list[bytes]:
    """Masks in all formats that data sets use, and photos in place of masks."""
    ids = np.tile(np.arange(16, dtype=np.uint8), (32, 3))
    masks = [Image.fromarray(ids), Image.fromarray(ids).convert("P"), Image.merge("RGB", [Image.fromarray(ids)] * 3)]
    files = [encoded(mask, kind) for mask in masks for kind in ("PNG", "TIFF", "BMP", "GIF")]
    files += [encoded(Image.fromarray(ids.astype(kind)), "TIFF") for kind in (np.uint16, np.int32, np.float32)]
    return files + seeds()[::4]
