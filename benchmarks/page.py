"""Waiting times at the page: from a dropped photo to its cut-out and its file, and from a click to its effect.

    python -m benchmarks.page [MODEL] [--rounds N]

MODEL is a Hub id or folder, by default the embedded weights. The app runs in its own process, and Chromium with 1366 x
768 pixels opens it on the same machine, so that the connection takes hardly any time. Photos are paper dolls of 0.3,
12 and 24 megapixels with noise like a camera's, a new one in each round (seeds 0, 1, ...); the sizes alternate. In
each round the library segments the photo's file in this process, with the page's default settings, and writes the
cut-out of all garments to a PNG file; then the page gets the same file. The time until the cut-out is drawn is
measured in the browser, from the moment that it has the file. "Download" is pressed as soon as it is drawn.

A row has medians over the rounds for photos of one size: the library's time until it has the result, and until the
cut-out is written; the page's time until the cut-out is drawn, and until its file is downloaded, from the drop on;
ratios of the page's to the library's times of the same round; and the time from a click on a region to the changed
cut-out. The first round is for warming up and is not counted. Run nothing else meanwhile.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from clothseg.process_settings import tune


tune()

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from clothseg import Segmenter  # noqa: E402
from clothseg.app.settings import DEFAULT_OPTIONS  # noqa: E402
from clothseg.images.atomic_files import save_picture  # noqa: E402


sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

SIZES = ((450, 680), (3000, 4000), (4000, 6000))
"""(width, height) of the photos."""

NOISE = 4.0
"""Standard deviation of the noise, in levels of 0..255: that of a phone's photo in daylight."""


class Waits(NamedTuple):
    """Seconds: the library's until the result and until its file, the page's the same, and those of a pick."""

    library: float
    written: float
    shown: float
    downloaded: float
    picked: float


WATCH = """() => {
  window.waits = {};
  const drawn = (done) => requestAnimationFrame(() => setTimeout(() => done(performance.now())));
  document.addEventListener('change', (event) => {
    if (event.target.type === 'file') window.given = performance.now();
  }, true);
  let number = null;
  document.addEventListener('stage:state', ({detail}) => {
    if (detail.number === null || detail.number === number) return;
    number = detail.number;
    drawn((now) => { window.waits.photo = now - window.given; });
  });
  document.addEventListener('pointerup', () => {
    const pressed = performance.now();
    drawn((now) => { window.waits.pick = now - pressed; });
  }, true);
}"""


def main() -> None:
    """Print a line per size."""
    from app_server import running_app
    from chromium import CHROMIUM, FLAGS
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="Hub id or folder of a model")
    parser.add_argument("--rounds", type=int, default=11, help="photos of each size, the first of which warms up")
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    segmenter = Segmenter.from_pretrained(options.model)
    settings = {"CLOTHSEG_MODEL": options.model} if options.model else {}
    waits: dict[tuple[int, int], list[Waits]] = {size: [] for size in SIZES}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(Path(folder), **settings) as url,
        sync_playwright() as playwright,
    ):
        page = playwright.chromium.launch(executable_path=chromium, args=FLAGS).new_page(
            viewport={"width": 1366, "height": 768}
        )
        page.goto(url)
        page.locator("#photo input[type=file]").wait_for(state="attached")
        page.evaluate(WATCH)
        for seed in range(options.rounds):
            for size in SIZES:
                path = photo(Path(folder), seed, size)
                start = time.perf_counter()
                result = segmenter(path, DEFAULT_OPTIONS)
                segmented = time.perf_counter() - start
                save_picture(result.cutout(*result.labels.garments), Path(folder) / "cutout.png")
                waits[size].append(Waits(segmented, time.perf_counter() - start, *wait(page, path)))
                path.unlink()
    print(
        "| photo | library, ms | to a file, ms | page, ms | to the downloaded file, ms | page : library | with file "
        "| pick, ms |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for (width, height), rounds in waits.items():
        counted = rounds[1:] or rounds
        found = Waits(*(median(column) for column in zip(*counted, strict=True)))
        ratio = median(each.shown / each.library for each in counted)
        with_file = median(each.downloaded / each.written for each in counted)
        times = " | ".join(f"{1e3 * seconds:.0f}" for seconds in found[:4])
        print(
            f"| {width * height / 1e6:.1f} megapixels | {times} | {ratio:.2f} | {with_file:.2f} "
            f"| {1e3 * found.picked:.0f} |"
        )


def photo(folder: Path, seed: int, size: tuple[int, int]) -> Path:
    """Write a paper doll of a size (width, height) as a JPEG file."""
    from paper_dolls import draw

    width, height = size
    drawn = draw(seed, 680, 450).image
    if (width, height) != (450, 680):
        drawn = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(seed).normal(0, NOISE, (height, width, 1)).astype(np.float32)
    noisy = np.clip(np.asarray(drawn, np.float32) + noise, 0, 255).astype(np.uint8)
    path = folder / f"{width}-{seed}.jpg"
    Image.fromarray(noisy).save(path, quality=92)
    return path


def wait(page: "Page", path: Path) -> tuple[float, float, float]:  # type: ignore[name-defined]  # noqa: F821
    """Return the seconds until a photo's cut-out is drawn, until its file is downloaded (both from the drop on), and
    from a click in the middle of the cut-out until its effect is drawn."""
    page.evaluate("() => { window.waits = {}; }")
    page.locator("#photo input[type=file]").set_input_files(path)
    shown = page.wait_for_function("() => window.waits.photo").json_value() / 1e3
    start = time.perf_counter()
    with page.expect_download() as download:
        page.evaluate("() => document.querySelector('#save').click()")
    download.value.path()
    downloaded = shown + time.perf_counter() - start
    download.value.delete()
    box = page.locator(".stage .list").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    picked = page.wait_for_function("() => window.waits.pick").json_value() / 1e3
    page.wait_for_timeout(500)  # the cut-out of what was picked is made, too
    return shown, downloaded, picked


if __name__ == "__main__":
    main()
