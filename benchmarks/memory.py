"""Memory and time of loading a photo, for sizes and formats.

    python -m benchmarks.memory [--megapixels 12 40] [--segment]

Each photo is loaded by `load_photo` in a process of its own that has loaded a small one before, so that the initial
memory of Pillow and NumPy is not counted. The peak is the kernel's (VmHWM). The pictures have smooth colours with
noise (seed 0). With --segment each is also segmented by the embedded model and converted to overlay and label map, as
in the app.
"""

import argparse
import io
import multiprocessing
import os
import platform
import tempfile
import time
from pathlib import Path

from clothseg.process_settings import tune


tune()

import numpy as np  # noqa: E402
from PIL import Image, features  # noqa: E402


FORMATS = {
    "JPEG": ("RGB", "photo.jpg", {"quality": 90}),
    "JPEG, progressive": ("RGB", "photo.jpg", {"quality": 90, "progressive": True}),
    "JPEG, CMYK": ("CMYK", "photo.jpg", {"quality": 90}),
    "PNG": ("RGB", "photo.png", {"compress_level": 1}),
    "PNG, transparent": ("RGBA", "photo.png", {"compress_level": 1}),
    "PNG, 16 bits": ("I;16", "photo.png", {"compress_level": 1}),
    "WebP": ("RGB", "photo.webp", {"quality": 80, "method": 0}),
    "WebP, transparent": ("RGBA", "photo.webp", {"quality": 80, "method": 0}),
    "TIFF, float": ("F", "photo.tif", {}),
    "AVIF": ("RGB", "photo.avif", {"quality": 60, "speed": 10}),
}
"""Mode, file name and options of Pillow's `save`."""


def picture(mode: str, megapixels: float) -> Image.Image:
    """Return an upright picture of a mode, with sides in the ratio 3:4."""
    height = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    width = round(megapixels * 1e6 / height)
    rng = np.random.default_rng(0)
    smooth = np.linspace(0, 200, height, dtype=np.float32)[:, None] + np.linspace(0, 40, width, dtype=np.float32)
    noise = np.resize(rng.integers(0, 15, (256, 251), np.uint8), (height, width))
    grey = smooth.astype(np.uint8) + noise
    if mode == "F":
        return Image.fromarray(grey.astype(np.float32) / 255)
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    planes = [Image.fromarray(np.roll(grey, 40 * turn, axis=1)) for turn in range(len(mode))]
    return Image.merge(mode, planes)


def measured(path: Path, segment: bool) -> tuple[float, float]:
    """Return the peak memory in MB above the start, and seconds. Call this in a fresh process."""
    from clothseg import Segmenter
    from clothseg.images.atomic_files import save_picture
    from clothseg.images.decode import load_photo

    segmenter = Segmenter.from_pretrained() if segment else None

    def work(photo: Path | bytes) -> None:
        if segmenter is None:
            load_photo(photo)
            return
        result = segmenter(photo)
        with tempfile.TemporaryDirectory() as folder:
            save_picture(result.overlay(), Path(folder) / "overlay.jpg", quality=90)
            result.save_label_map(Path(folder) / "labels.png")

    small = io.BytesIO()
    with Image.open(path) as opened:
        kind = opened.format
    Image.new("RGB", (64, 64)).save(small, kind)
    work(small.getvalue())
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before, started = _memory("VmRSS"), time.perf_counter()
    work(path)
    return _memory("VmHWM") - before, time.perf_counter() - started


def _memory(kind: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024


def main(argv: list[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[12, 40])
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--segment", action="store_true", help="segment each photo as well")
    options = parser.parse_args(argv)
    sizes = options.megapixels
    print(f"{platform.machine()}, {os.cpu_count()} cores, Pillow {Image.__version__}; seed 0.\n")
    print("| | " + " | ".join(f"{size:g} MP: MB | s" for size in sizes) + " |")
    print("|---|" + "---|" * (2 * len(sizes)))
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.formats:
            mode, file, settings = FORMATS[name]
            if file.endswith("avif") and not features.check("avif"):
                continue
            cells = []
            for size in sizes:
                path = Path(folder) / file
                picture(mode, size).save(path, **settings)
                with context.Pool(1) as pool:
                    megabytes, seconds = pool.apply(measured, (path, options.segment))
                cells.append(f"{megabytes:.0f} | {seconds:.1f}")
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
