"""Compare the page in the browser alone with the library: agreement of label maps, and time.

    python -m benchmarks.web_page FOLDER [MODEL] [--split train] [--photos 20] [--runtime FILE] [--backend wasm]

FOLDER contains train.parquet. Builds the page (docs/web.md), opens it in headless Chromium with the headers that allow
several threads, and gives both the same PNG files, by turns, with the default options. Agreement is the share of a
photo's pixels with the same class. Times are medians over the photos of the page's seconds over the library's with
ONNX Runtime: of the network's first pass, and of the whole photo, decoding included.
"""

import argparse
import base64
import functools
import platform
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.photos import arguments, shots
from clothseg import Segmenter
from clothseg.commands.deploy_static import write
from clothseg.commands.static_page import page_files
from clothseg.commands.web_runtime import runtime_files
from clothseg.models.loading import load


CHROMIUM = ("chromium", "chromium-browser", "google-chrome")

FLAGS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update")

READY = """async () => {
  while (!window.clothseg) await new Promise((done) => setTimeout(done, 50));
  return window.clothseg.ready;
}"""

SEGMENT = """async (file) => {
  const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  const {width, height, times} = await window.clothseg.segment(new Blob([bytes]));
  const ids = await window.clothseg.labels();
  let text = '';
  for (let at = 0; at < ids.length; at += 8192) text += String.fromCharCode(...ids.subarray(at, at + 8192));
  return [width, height, btoa(text), times];
}"""


class Isolating(SimpleHTTPRequestHandler):
    """Sends the headers of a static Space."""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder at the address that this yields."""
    handler = functools.partial(Isolating, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def on_page(page: Any, photo: bytes) -> tuple[npt.NDArray[np.uint8], dict[str, float]]:
    """Return the page's label map of a photo, and its times in milliseconds."""
    width, height, ids, times = page.evaluate(SEGMENT, base64.b64encode(photo).decode())
    return np.frombuffer(base64.b64decode(ids), np.uint8).reshape(height, width), times


def in_library(segmenter: Segmenter, photo: bytes) -> tuple[npt.NDArray[np.uint8], float, float]:
    """Return the library's label map, and the seconds of the network's first pass and of all of it."""
    started = time.perf_counter()
    label_map = segmenter(photo).label_map
    whole = time.perf_counter() - started
    with Image.open(BytesIO(photo)) as image:
        pixels = segmenter.pixels([image.convert("RGB")])
    started = time.perf_counter()
    segmenter.engine(pixels)
    return label_map, time.perf_counter() - started, whole


def compare(page: Any, segmenter: Segmenter, options: argparse.Namespace) -> dict[str, npt.NDArray[np.float64]]:
    """Return agreement and ratios of time for each photo; the first one is segmented once before, to warm up."""
    found: dict[str, list[float]] = {"agreement": [], "network": [], "whole": []}
    for index, (_, photo, _) in enumerate(shots(options)):
        file = BytesIO()
        Image.fromarray(photo).save(file, "PNG")
        for repeat in range(2 if index == 0 else 1):
            labels, times = on_page(page, file.getvalue())
            expected, network, whole = in_library(segmenter, file.getvalue())
            if index == 0 and repeat == 0:
                continue
            found["agreement"].append(float((labels == expected).mean()))
            found["network"].append(times["network"] / times["passes"] / 1000 / network)
            found["whole"].append((times["decode"] + times["whole"]) / 1000 / whole)
    return {name: np.array(values) for name, values in found.items()}


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark and print its figures."""
    from playwright.sync_api import sync_playwright

    parser = arguments(__doc__, 20)
    parser.add_argument("--runtime", type=Path, help="archive or folder of onnxruntime-web (default: download it)")
    parser.add_argument("--backend", choices=("wasm", "webgpu"), default="wasm")
    options = parser.parse_args(argv)
    segmenter = Segmenter.from_pretrained(options.model, engine="onnx")
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        files = page_files(load(options.model), runtime_files(options.runtime), Path(__file__).parents[1])
        write(files, Path(folder) / "page")
        own = sum(len(content) for name, content in files.items() if not name.startswith("runtime/"))
        with served(Path(folder) / "page") as url:
            browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS])
            page = browser.new_page()
            page.goto(f"{url}?backend={options.backend}")
            running = page.evaluate(READY)
            found = compare(page, segmenter, options)
            version = browser.version
            browser.close()
    agreement = found["agreement"]
    print(f"{len(agreement)} photos of {options.split}, Chromium {version}, {running}, {platform.machine()}")
    print(f"page and model: {own / 1e6:.2f} MB")
    print(f"agreement: mean {agreement.mean():.4%}, least {agreement.min():.4%}")
    for name in ("network", "whole"):
        low, middle, high = np.percentile(found[name], (25, 50, 75))
        print(f"{name}: {middle:.2f} times the library's time (quartiles {low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
