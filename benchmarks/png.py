"""Time and size of PNG files: `clothseg.images.png_file` against Pillow.

    python -m benchmarks.png [--megapixels 24] [--rounds 3]

The pictures are the cut-out of a paper doll's garments, and the whole photo, a doll with noise like a camera's (seed
0). Seconds are CPU time of one thread, the least of the rounds, which alternate; "ISA-L" is the package isal, "zlib"
what is used without it.
"""

import argparse
import time
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.page import photo
from clothseg.images import png_file


def by_pillow(level: int) -> Callable[[Image.Image], bytes]:
    """Return a function that encodes with Pillow at a compression level."""

    def encode(picture: Image.Image) -> bytes:
        stream = BytesIO()
        picture.save(stream, "PNG", compress_level=level)
        return stream.getvalue()

    return encode


def by_us(deflate: object) -> Callable[[Image.Image], bytes]:
    """Return a function that encodes with `png_file` and a module like zlib."""

    def encode(picture: Image.Image) -> bytes:
        before, png_file._deflate = png_file._deflate, deflate
        try:
            return png_file.encode_png(picture)
        finally:
            png_file._deflate = before

    return encode


def main(argv: list[str] | None = None) -> None:
    """Print a table."""
    from isal import isal_zlib
    from paper_dolls import draw

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(argv)
    height = round((options.megapixels * 1.5e6) ** 0.5)
    size = round(options.megapixels * 1e6 / height), height
    with TemporaryDirectory() as folder, Image.open(photo(Path(folder), 0, size)) as opened:
        whole = opened.convert("RGB")
    mask = Image.fromarray((draw(0, 680, 450).mask > 0).astype(np.uint8) * 255).resize(size)
    cutout = Image.new("RGBA", size)
    cutout.paste(whole, mask=mask)
    ways = {
        "Pillow, level 1": by_pillow(1),
        "Pillow, level 3": by_pillow(3),
        "Pillow, level 6 (its default)": by_pillow(6),
        "clothseg, ISA-L": by_us(isal_zlib),
        "clothseg, zlib": by_us(zlib),
    }
    print(f"| {size[0]} x {size[1]} | cut-out: s | MB | whole photo: s | MB |\n|---|---|---|---|---|")
    found: dict[tuple[str, int], tuple[float, int]] = {}
    for _ in range(options.rounds):
        for name, encode in ways.items():
            for place, picture in enumerate((cutout, whole)):
                start = time.thread_time()
                length = len(encode(picture))
                seconds = time.thread_time() - start
                found[name, place] = min(found.get((name, place), (seconds, length)), (seconds, length))
    for name in ways:
        cells = [f"{seconds:.2f} | {length / 1e6:.1f}" for seconds, length in (found[name, 0], found[name, 1])]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
