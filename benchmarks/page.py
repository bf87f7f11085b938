"""Waiting times at the page: from a dropped photo to its cut-out, and from a click to its effect.

    python -m benchmarks.page [MODEL] [--rounds N]

MODEL is a Hub id or folder, by default the embedded weights. The app runs in its own process, and Chromium with 1366 x
768 pixels opens it on the same machine, so that the connection takes hardly any time. Photos are paper dolls of 0.3
and 12 megapixels, a new one in each round (seeds 0, 1, ...); the sizes alternate. In each round the library segments
the photo's file in this process, with the page's default settings, and then the page gets the same file. The time
until the cut-out is drawn is measured in the browser, from the moment that it has the file.

A row has medians over the rounds for photos of one size: the library's time; the page's time; the difference, which is
the time of upload, previews, download and drawing; the page's time divided by the library's of the same round; and the
time from a click on a region to the changed cut-out. The first round is for warming up and is not counted. Run nothing
else meanwhile.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from clothseg.process_settings import tune


tune()

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from clothseg import Segmenter  # noqa: E402
from clothseg.app.settings import DEFAULT_OPTIONS  # noqa: E402


sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

SIZES = ((450, 680), (3000, 4000))
"""(width, height) of the photos."""

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
    from browsing import CHROMIUM, FLAGS
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="Hub id or folder of a model")
    parser.add_argument("--rounds", type=int, default=11, help="photos of each size, the first of which warms up")
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    segmenter = Segmenter.from_pretrained(options.model)
    settings = {"CLOTHSEG_MODEL": options.model} if options.model else {}
    waits: dict[tuple[int, int], list[tuple[float, float, float]]] = {size: [] for size in SIZES}
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
                segmenter(path, DEFAULT_OPTIONS)
                library = time.perf_counter() - start
                waits[size].append((library, *wait(page, path)))
    print("| photo | library, ms | page, ms | difference, ms | page : library | pick, ms |")
    print("|---|---|---|---|---|---|")
    for (width, height), rounds in waits.items():
        library, shown, picked = (median(column) * 1e3 for column in zip(*rounds[1:] or rounds, strict=True))
        extra = median(shown - library for library, shown, _ in rounds[1:] or rounds) * 1e3
        ratio = median(shown / library for library, shown, _ in rounds[1:] or rounds)
        print(
            f"| {width * height / 1e6:.1f} megapixels | {library:.0f} | {shown:.0f} | {extra:.0f} | {ratio:.2f} "
            f"| {picked:.0f} |"
        )


def photo(folder: Path, seed: int, size: tuple[int, int]) -> Path:
    """Write a paper doll of a size (width, height) as a JPEG file."""
    from paper_dolls import draw

    width, height = size
    drawn = draw(seed, 680, 450).image
    if (width, height) != (450, 680):
        drawn = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_CUBIC)
    path = folder / f"{width}-{seed}.jpg"
    Image.fromarray(np.asarray(drawn)).save(path, quality=92)
    return path


def wait(page: "Page", path: Path) -> tuple[float, float]:  # type: ignore[name-defined]  # noqa: F821
    """Return the seconds until a photo's cut-out is drawn, and from a click in the middle of the cut-out until its
    effect is drawn."""
    page.evaluate("() => { window.waits = {}; }")
    page.locator("#photo input[type=file]").set_input_files(path)
    shown = page.wait_for_function("() => window.waits.photo").json_value() / 1e3
    box = page.locator(".stage .list").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    picked = page.wait_for_function("() => window.waits.pick").json_value() / 1e3
    page.wait_for_timeout(500)  # the cut-out of what was picked is made, too
    return shown, picked


if __name__ == "__main__":
    main()
